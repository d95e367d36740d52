import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookshelf_site.events.models import Event
from orders import services
from orders.errors import TooManyRequests
from orders.finding import PER_ADDRESS, PER_CLIENT, answer_link_requests, request_link
from orders.models import Contact, LinkLimit, LinkRequest, Order
from tests.given import a_book, an_order, raised
from tests.racing import outcomes, race

BEN = Contact(customer_name="Ben Okafor", customer_email="ben@example.com")
UNKNOWN = "00000000Z"


def bens_order():
    return an_order((a_book(copies=5), 1), contact=BEN)


def ask(order=None, *, number=None, email="ben@example.com", client="192.0.2.1"):
    request_link(number=number or (order.number if order else UNKNOWN), email=email, client=client)


@pytest.mark.django_db
def test_who_knows_number_and_address_is_sent_the_link():
    order = bens_order()
    token = order.token

    ask(order)
    answered = answer_link_requests()

    assert [found.pk for found in answered] == [order.pk]
    event = Event.objects.get(name="orders.link_requested")
    assert (event.data, event.personal) == ({"order_id": str(order.pk), "number": order.number}, None)
    assert (event.stream, event.actor) == (f"orders.order:{order.pk}", "customer")
    assert Order.objects.get().token == token


@pytest.mark.django_db
def test_the_address_is_found_in_capitals_too():
    ask(bens_order(), email="Ben@Example.COM")

    assert len(answer_link_requests()) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "asked",
    [
        lambda order: ask(order, email="eve@example.com"),
        lambda order: ask(number=UNKNOWN),
        lambda order: ask(an_order((a_book(copies=1), 1)), email="eve@example.com"),
    ],
)
def test_who_does_not_is_sent_nothing(asked):
    asked(bens_order())

    assert answer_link_requests() == []
    assert raised("orders.link_requested") == 0
    assert not LinkRequest.objects.exists()


@pytest.mark.django_db
def test_an_erased_customer_is_sent_nothing():
    from orders.erasure import erase_customer_of

    order = bens_order()
    services.cancel_order(order_id=order.pk, reason="customer")
    erase_customer_of(order_number=order.number)
    ask(order)

    assert answer_link_requests() == []


@pytest.mark.django_db
def test_a_request_is_answered_once():
    ask(bens_order())
    answer_link_requests()

    assert answer_link_requests() == []
    assert raised("orders.link_requested") == 1


@pytest.mark.django_db
def test_asking_runs_the_same_statements_whether_there_is_such_an_order_or_not():
    order = bens_order()

    def statements(**asked):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            ask(**asked)
        texts = [" ".join(query["sql"].split("WHERE")[0].split()[:5]) for query in queries]
        return [text for text in texts if "SAVEPOINT" not in text]

    known = statements(order=order, client="192.0.2.2")
    wrong_address = statements(order=order, email="eve@example.com", client="192.0.2.3")
    unknown = statements(email="eva@example.com", client="192.0.2.4")

    assert known == wrong_address == unknown
    assert not any("orders_order" in statement for statement in known)


@pytest.mark.django_db
@pytest.mark.parametrize("is_known", [True, False])
@time_machine.travel("2026-11-23 09:45:00+00:00", tick=False)
def test_an_address_is_written_to_five_times_an_hour(is_known):
    order = bens_order() if is_known else None
    for number in range(PER_ADDRESS):
        ask(order, client=f"192.0.2.{number}")

    with pytest.raises(TooManyRequests) as refused:
        ask(order, client="192.0.2.99", email="BEN@example.com")

    assert refused.value.retry_after == 15 * 60
    assert LinkRequest.objects.count() == PER_ADDRESS


@pytest.mark.django_db
@time_machine.travel("2026-11-23 09:45:00+00:00", tick=False)
@pytest.mark.parametrize("client", ["192.0.2.1", "2001:db8::{}"])
def test_a_client_asks_twenty_times_an_hour(client):
    for number in range(PER_CLIENT):
        ask(email=f"{number}@example.com", client=client.format(number))

    with pytest.raises(TooManyRequests):
        ask(email="ben@example.com", client=client.format("ffff"))
    ask(email="ben@example.com", client="2001:db8:0:1::1")


@pytest.mark.django_db
def test_the_next_hour_begins_anew():
    with time_machine.travel("2026-11-23 09:59:59+00:00", tick=False):
        for number in range(PER_ADDRESS):
            ask(client=f"192.0.2.{number}")

    with time_machine.travel("2026-11-23 10:00:00+00:00", tick=False):
        ask()
        answer_link_requests()

        assert LinkLimit.objects.count() == 2


@pytest.mark.django_db
def test_neither_address_nor_client_is_kept():
    ask(bens_order())
    answer_link_requests()

    kept = str(list(LinkLimit.objects.values()))

    assert "ben" not in kept
    assert "192.0.2" not in kept


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_no_more_are_let_through():
    asks = [lambda client=client: ask(client=f"192.0.2.{client}") for client in range(PER_ADDRESS + 3)]

    assert outcomes(race(asks)) == {"done": PER_ADDRESS, "TooManyRequests": 3}


@pytest.mark.django_db(transaction=True)
def test_several_relays_answer_a_request_once():
    ask(bens_order())

    answers = race([answer_link_requests] * 3)

    assert sum(len(answer) for answer in answers) == 1
    assert raised("orders.link_requested") == 1
