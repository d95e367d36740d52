"""A customer is forgotten: nowhere in the database is anything left of them but what was sold."""

import json
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from bookshelf_site.events import acting
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.relay import Relay
from bookshelf_site.events.testing import assert_raised, deliver_now, deliver_twice, raised
from inventory.models import Notification
from orders import services
from orders.erasure import ErasedOrder, erase_customer, erase_customer_of
from orders.errors import NoLongerEditable, OrdersStillOpen, UnknownOrder
from orders.events import CustomerErased
from orders.models import Contact, Order
from tests.given import a_book, an_order, ledger, stock
from tests.racing import outcomes, race_behind

pytestmark = pytest.mark.django_db

BEN = Contact(
    customer_name="Ben Okafor",
    customer_email="ben@example.com",
    phone="555 0100",
    fulfilment="ship",
    street="12 Library Lane",
    city="Springfield",
    postal_code="SP1 2LL",
    country="Freedonia",
    note="rings twice",
)
ABOUT_BEN = ["Okafor", "ben@example", "555 0100", "Library Lane", "Springfield", "SP1 2LL", "Freedonia", "rings twice"]
NOTED = ["a difficult person", "changed his mind"]


def shipped(order):
    services.confirm_order(order_id=order.pk)
    return services.ship_order(order_id=order.pk)


def cancelled(order):
    return services.cancel_order(order_id=order.pk, reason="customer", note="changed his mind")


@pytest.fixture
def sold():
    """An order of Ben's that was shipped, with a note of the staff."""
    order = shipped(an_order((a_book("Emma", copies=5), 2), contact=BEN))
    return services.add_note(order_id=order.pk, text="a difficult person")


def everything():
    """All text of all rows, as a thief of the database would read it."""
    rows = [model._base_manager.values_list() for model in apps.get_models() if model._meta.managed]
    return json.dumps([list(found) for found in rows], default=str)


def left(words):
    text = everything()
    return [word for word in words if word in text]


def erase(*arguments):
    out = StringIO()
    call_command("erase_customer", *arguments, stdout=out)
    return out.getvalue()


def test_nothing_of_the_customer_is_left_anywhere(sold, api):
    cancelled(an_order((a_book("Persuasion", copies=5), 1), contact=BEN))
    body = {"customer_name": "Ben Okafor", "customer_email": "BEN@example.com", "phone": "555 0100"}
    lines = [{"book_id": str(sold.lines.get().book_id), "quantity": 1}]
    placed = api.post("/orders", body | {"lines": lines}, headers={"Idempotency-Key": "till-1"})
    cancelled(Order.objects.get(pk=placed.json()["id"]))
    assert left([*ABOUT_BEN, *NOTED, "BEN@"]) == [*ABOUT_BEN, *NOTED, "BEN@"]

    erased = erase_customer(email="ben@EXAMPLE.com")

    assert [order.events for order in erased] == [4, 2, 2]
    assert left([*ABOUT_BEN, *NOTED, "BEN@", "Ben "]) == []


def test_what_was_sold_stays(sold):
    emma = sold.lines.get().book
    before = (str(sold.total), stock(emma), ledger(emma), Event.objects.count())

    erase_customer(email="ben@example.com")

    order = Order.objects.get()
    assert (str(order.total), stock(emma), ledger(emma), Event.objects.count() - 1) == before
    assert (order.customer_name, order.status, order.lines.get().quantity) == ("(erased)", "SHIPPED", 2)


def test_what_was_said_is_said_again_without_the_name(sold):
    cancelled(an_order((a_book("Persuasion", copies=5), 1), contact=BEN))
    before = list(Notification.objects.order_by("id").values_list("message", flat=True))

    erase_customer(email="ben@example.com")

    after = list(Notification.objects.order_by("id").values_list("message", flat=True))
    assert after == [message.replace("Ben Okafor", "(erased)") for message in before]
    assert sum("(erased)" in message for message in after) == 5


def test_another_customer_keeps_everything(sold):
    shipped(an_order((a_book("Persuasion", copies=5), 1), contact=Contact(customer_name="Ben Okafor Jr")))

    erase_customer(email="ben@example.com")

    assert Order.objects.filter(customer_name="Ben Okafor Jr").count() == 1
    assert Notification.objects.filter(message__contains="Ben Okafor Jr").count() == 3


def test_the_log_says_who_erased_how_much_and_nothing_of_whom(sold):
    with acting(actor="user:anna"):
        erase_customer(email="ben@example.com")

    event = assert_raised(CustomerErased, order_id=sold.pk, number=sold.number, events=4)
    assert event.fields == (
        *("customer_name", "customer_email", "phone", "street", "city", "postal_code", "country", "note"),
    )
    assert Event.objects.get(name="orders.customer_erased").actor == "user:anna"


def test_every_event_decodes_afterwards(sold):
    erase_customer(email="ben@example.com")

    names = {getattr(event.decoded, "customer_name", "") for event in Event.objects.all()}
    assert names == {""}


def test_the_link_opens_nothing_any_more_nor_does_any_other(sold, client):
    erase_customer(email="ben@example.com")

    assert client.get(sold.status_path).status_code == 404
    assert client.get(Order.objects.get().status_path).status_code == 404


def test_the_timeline_still_tells_all(sold, api, desk):
    erase_customer(email="ben@example.com")

    answer = api.get(f"/orders/{sold.pk}/timeline").json()["results"]
    page = desk.open(f"/admin/orders/order/{sold.pk}/change/")
    assert [entry["type"].removeprefix("orders.") for entry in answer] == [
        *("order_placed", "order_confirmed", "order_shipped", "note_added", "customer_erased"),
    ]
    assert "Customer erased" in page.text
    assert "link" not in {form.action.rpartition("_")[2].strip("/") for form in page.forms}


def test_the_api_still_shows_the_order(sold, api):
    erase_customer(email="ben@example.com")

    order = api.get(f"/orders/{sold.pk}").json()
    assert (order["customer_name"], order["customer_email"], order["note"]) == ("(erased)", "", "")
    assert order["total"] == {"amount": "25.98", "currency": "USD"}


def test_an_erased_order_is_not_put_right(sold, api):
    erase_customer(email="ben@example.com")

    with pytest.raises(NoLongerEditable):
        services.amend_contact(order_id=sold.pk, changes={"customer_name": "Ben"})


def test_nobody_who_still_waits_for_books_is_erased(sold):
    waiting = an_order((a_book("Persuasion", copies=5), 1), contact=BEN)

    with pytest.raises(OrdersStillOpen, match=waiting.number):
        erase_customer(email="ben@example.com")

    assert left(ABOUT_BEN) == ABOUT_BEN
    assert raised(CustomerErased) == []


def test_erasing_again_finds_nothing_left(sold):
    erase_customer(email="ben@example.com")
    token = Order.objects.get().token

    assert erase_customer(email="ben@example.com") == []
    assert erase_customer_of(order_number=sold.number) == []
    assert Order.objects.get().token == token
    assert len(raised(CustomerErased)) == 1


def test_a_note_written_afterwards_is_erased_by_the_orders_number(sold):
    erase_customer(email="ben@example.com")
    services.add_note(order_id=sold.pk, text="Ben rang again")

    assert erase_customer_of(order_number=sold.number) == [ErasedOrder(number=sold.number, events=1)]
    assert left(["rang again"]) == []


def test_who_gave_no_e_mail_is_erased_by_the_orders_number(sold):
    order = shipped(an_order((a_book("Persuasion", copies=5), 1)))

    assert erase_customer_of(order_number=f" {order.number[:4].lower()}-{order.number[4:]}") == [
        ErasedOrder(number=order.number, events=3)
    ]
    assert left(["Alice Johnson", "Okafor"]) == ["Okafor"]


@pytest.mark.parametrize("number", ["", "XQS725F3C", "nonsense"])
def test_an_unknown_number_is_told(number):
    with pytest.raises(UnknownOrder):
        erase_customer_of(order_number=number)


def test_orders_that_were_one_are_erased_together(sold):
    orders = [shipped(an_order((a_book(title, copies=5), 1))) for title in ("One", "Two", "Three", "Four")]
    for first, second in ((0, 1), (1, 2)):
        orders[second].split_from = orders[first]
        orders[second].save()

    erased = erase_customer_of(order_number=orders[1].number)

    assert {order.number for order in erased} == {order.number for order in orders[:3]}


@pytest.mark.parametrize("name", ["(erased)", " (erased) "])
def test_nobody_is_called_what_stands_for_the_erased(sold, api, name):
    body = {"customer_name": name, "lines": [{"book_id": str(sold.lines.get().book_id), "quantity": 1}]}

    answer = api.post("/orders", body)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/customer_name")


def test_what_was_still_owed_is_said_without_the_name(settings):
    book = a_book(copies=5)
    settings.EVENTS_ENGINE = "relay"
    order = shipped(an_order((book, 1), contact=BEN))
    assert Notification.objects.count() == 0

    erase_customer(email="ben@example.com")
    deliver_now()

    assert set(Notification.objects.values_list("message", flat=True)) == {
        f"Order {order.number} placed by (erased)",
        f"Order {order.number} confirmed for (erased)",
        f"Order {order.number} shipped to (erased)",
    }


def receivers_at_work():
    """They have heard the name, and written it down; they have not committed yet."""
    for delivery in Delivery.objects.pending().filter(receiver__startswith="inventory.").select_related("event"):
        assert Delivery.objects.filter(pk=delivery.pk).update(status="done", done_at=timezone.now())
        event = delivery.event.decoded
        delivery.durable.run(sender=Order, events=[event], signal=event.signal, target="")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (receivers_at_work, lambda: erase_customer(email="ben@example.com")),
        (lambda: erase_customer(email="ben@example.com"), lambda: Relay().drain()),
    ],
    ids=["receivers first", "erasure first"],
)
def test_no_receiver_that_is_at_work_meanwhile_brings_the_name_back(settings, first, second):
    book = a_book(copies=5)
    settings.EVENTS_ENGINE = "relay"
    shipped(an_order((book, 1), contact=BEN))
    Delivery.objects.pending().update(due=timezone.now())

    results = race_behind(first, [second])
    deliver_now()

    assert outcomes(results) == {"done": 1}
    assert Notification.objects.count() == 3
    assert left(ABOUT_BEN) == []


def test_hearing_it_twice_does_no_harm(sold):
    erase_customer(email="ben@example.com")
    before = list(Notification.objects.order_by("pk").values())

    deliver_twice("inventory.erase_customer", CustomerErased(order_id=sold.pk, number=sold.number, fields=(), events=0))

    assert list(Notification.objects.order_by("pk").values()) == before


def test_the_log_refuses_any_other_change_afterwards(sold):
    erase_customer(email="ben@example.com")

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE events_event SET personal = NULL")


# The command


def test_the_command_says_what_it_erased(sold):
    out = erase("ben@example.com")

    assert out == f"order {sold.number}: the customer, and personal data of 4 events\n1 orders erased\n"
    assert left(ABOUT_BEN) == []
    assert Event.objects.get(name="orders.customer_erased").actor == "command:erase_customer"


def test_the_command_reports_to_programs(sold):
    report = json.loads(erase(sold.number, "--json"))

    assert report == {"orders": [{"number": sold.number, "events": 4}], "open": [], "dry_run": False}
    assert erase(sold.number) == "nothing left to erase\n"


def test_a_dry_run_erases_nothing(sold):
    before = everything()

    report = json.loads(erase("ben@example.com", "--dry-run", "--json"))

    assert report == {"orders": [{"number": sold.number, "events": 4}], "open": [], "dry_run": True}
    assert everything() == before


def test_the_command_names_the_orders_that_are_open(sold):
    waiting = an_order((a_book("Persuasion", copies=5), 1), contact=BEN)

    with pytest.raises(CommandError, match=waiting.number) as refused:
        erase("ben@example.com")

    assert refused.value.returncode == 1
    assert left(ABOUT_BEN) == ABOUT_BEN


def test_the_command_refuses_an_order_that_is_none():
    with pytest.raises(CommandError, match="No order has this number") as refused:
        erase("XQS725F3C")

    assert refused.value.returncode == 2
    assert Delivery.objects.count() == 0
