"""What customers are written, over a real mail server: what it takes, refuses, puts off, cuts, and never answers."""

import random
import socket
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import pytest
from django.utils import timezone

from bookshelf_site.errors import DomainError
from bookshelf_site.events import acting
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.relay import Relay
from bookshelf_site.events.testing import deliver_now, deliver_twice
from inventory import notices
from inventory import services as inventory
from inventory.errors import NotYetTried
from inventory.models import Notification
from orders import services
from orders.erasure import erase_customer
from orders.mail.post import TRIES
from orders.models import Contact, Order, OrderLine
from tests.effort import IS_THOROUGH
from tests.given import a_book, lines
from tests.orders import mail_server
from tests.orders.mail_server import MailServer

pytestmark = pytest.mark.django_db
ZOE = Contact(customer_name="Zoë Ng", customer_email="zoe@example.com")
SHIPPED_TO_ZOE = {"fulfilment": "ship", "street": "1 Quay", "city": "Cork", "postal_code": "T12", "country": "IE"}


@pytest.fixture
def post_office(settings):
    """The mail server that the shop sends to."""
    server = MailServer()
    controller = mail_server.start(server)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", controller.port
    settings.PUBLIC_URL = "https://books.example"
    yield server
    controller.stop()


@pytest.fixture
def no_jitter(monkeypatch):
    monkeypatch.setattr(random, "uniform", lambda low, high: high)


def zoes_order(**changes):
    contact = Contact(**{**vars(ZOE), **changes})
    return services.place_order(contact, lines((a_book(copies=9), 2)))


def send():
    """Let the relay go round once more, whatever had to wait until later."""
    Delivery.objects.pending().update(due=timezone.now())
    Relay().drain()


def request_link(order):
    order.request_link()
    order.save()


def statuses():
    return list(Notification.objects.order_by("created_at", "id").values_list("kind", "status"))


def owed():
    return Delivery.objects.filter(receiver="orders.mail_notification").pending()


def test_a_mail_has_both_parts_and_the_link(post_office):
    order = zoes_order()

    send()

    (mail,) = post_office.mails
    assert post_office.recipients == ["zoe@example.com"]
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    for part in (text, html):
        assert part.get_content_charset() == "utf-8"
        assert f"https://books.example/o/{order.token}/" in part.get_content()
        assert "Zoë" in part.get_content()
        assert "$25.98" in part.get_content()


def test_a_mail_says_what_it_is(post_office, settings):
    settings.SHOP_NAME, settings.DEFAULT_FROM_EMAIL = "Bücher am Markt", "mail@books.example"
    settings.SHOP_CONTACT = "hello@books.example"
    order = zoes_order()

    send()

    (mail,) = post_office.mails
    notification = Notification.objects.get()
    thread = f"<order-{order.number.lower()}@books.example>"
    assert {name: str(value) for name, value in mail.items() if name not in {"Date", "Content-Type"}} == {
        "Subject": f"We have your order {order.number}",
        "From": "Bücher am Markt <mail@books.example>",
        "To": "Zoë Ng <zoe@example.com>",
        "Reply-To": "hello@books.example",
        "Message-ID": f"<{notification.pk}@books.example>",
        "In-Reply-To": thread,
        "References": thread,
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Content-Language": "en",
        "MIME-Version": "1.0",
    }
    assert mail.defects == []


@pytest.mark.parametrize("contact", ["555 0100", "", "not@all@an@address"])
def test_what_is_no_address_is_not_replied_to(post_office, settings, contact):
    settings.SHOP_CONTACT = contact
    zoes_order()

    send()

    assert "Reply-To" not in post_office.mails[0]


def test_the_shop_s_own_name_for_its_address_is_kept(post_office, settings):
    settings.DEFAULT_FROM_EMAIL = "The Till <mail@books.example>"
    zoes_order()

    send()

    assert str(post_office.mails[0]["From"]) == "The Till <mail@books.example>"


@pytest.mark.parametrize(
    "name",
    [
        "Ng, Zoë; <eve@example.com>",
        'Zoë "Z" Ng',
        "曹雪芹",
        "Zoë\r\nBcc: eve@example.com",
        "Zoë\nSubject: you have won",
        "Zoë\u2028Bcc: eve@example.com",
        "\u202egnikcah\u202c",
        "a" * 149,
    ],
)
def test_a_name_forges_no_header(post_office, name):
    order = zoes_order()
    Order.objects.bulk_update([_named(order, name)], ["customer_name"])

    send()

    (mail,) = post_office.mails
    assert post_office.recipients == ["zoe@example.com"]
    (address,) = mail["To"].addresses
    assert address.addr_spec == "zoe@example.com"
    assert mail["Bcc"] is None
    assert mail.get_all("Subject") == [f"We have your order {order.number}"]


def _named(order, name):
    order.customer_name = name
    return order


@pytest.mark.parametrize("title", ["Emma\r\nBcc: eve@example.com", "<script>alert(1)</script> & “Emma”"])
def test_a_title_forges_nothing(post_office, title):
    order = services.place_order_or_wait(ZOE, lines((a_book(copies=2), 1), (a_book("Persuasion"), 1)))
    OrderLine.objects.filter(title="Persuasion").update(title=title)
    services.cancel_line(order_id=order.pk, line_id=order.lines.get(title=title).pk)

    send()

    *_, mail = post_office.mails
    _, html = mail.iter_parts()
    assert mail["Bcc"] is None
    assert str(mail["Subject"]) == f"A change to your order {order.number}"
    assert "<script" not in html.get_content()


@pytest.mark.parametrize(
    ("language", "amount", "date"),
    [("en", "$25.98", "Feb. 3, 2031"), ("de", "25,98 $", "3. Februar 2031"), ("fr", "25,98 $US", "3 février 2031")],
)
def test_a_mail_speaks_the_order_s_language(post_office, time_machine, language, amount, date):
    time_machine.move_to("2031-02-03T12:00:00Z", tick=False)
    zoes_order(language=language)

    send()

    (mail,) = post_office.mails
    text, html = (part.get_content().replace("\xa0", " ").replace("\u202f", " ") for part in mail.iter_parts())
    assert mail["Content-Language"] == language
    assert f'<html lang="{language}"' in html
    for part in (text, html):
        assert amount in part
        assert date in part


def test_one_order_s_whole_story_is_told_in_its_order(post_office):
    order = zoes_order(**SHIPPED_TO_ZOE)
    services.confirm_order(order_id=order.pk)
    services.ship_order(order_id=order.pk, tracking="RR123456785IE")

    send()

    number = order.number
    assert post_office.subjects == [
        f"We have your order {number}",
        f"Order {number} is confirmed",
        f"Order {number} is on its way",
    ]
    assert "RR123456785IE" in post_office.mails[-1].get_body(("plain",)).get_content()
    assert set(statuses()) == {("order_placed", "sent"), ("order_confirmed", "sent"), ("order_shipped", "sent")}
    assert not Notification.objects.filter(sent_at=None).exists()


def test_what_is_collected_is_handed_over(post_office):
    order = zoes_order()
    services.confirm_order(order_id=order.pk)
    services.ship_order(order_id=order.pk)

    send()

    assert post_office.subjects[-1] == f"Order {order.number} was handed over"


@pytest.mark.parametrize(
    ("reason", "subject", "sentence"),
    [
        ("customer", "is cancelled", "We cancelled it as you wished."),
        ("out_of_stock", "is cancelled", "We are sorry: a book that you ordered can’t be had."),
        ("duplicate", "is cancelled", "It had been placed twice; your other order stands."),
        ("fraud", "is cancelled", "If this surprises you, please get in touch."),
        ("other", "is cancelled", "If this surprises you, please get in touch."),
        ("expired", "has expired", "It was not confirmed in time, so the copies are free again."),
    ],
)
def test_a_cancelled_order_says_why(post_office, reason, subject, sentence):
    order = zoes_order()
    services.cancel_order(order_id=order.pk, reason=reason, note="between us")

    send()

    mail = post_office.mails[-1]
    assert str(mail["Subject"]) == f"Order {order.number} {subject}"
    for part in mail.iter_parts():
        assert sentence in part.get_content()
        assert "between us" not in part.get_content()


def test_who_waits_hears_of_it_and_of_what_comes_in(post_office):
    emma, persuasion = a_book(), a_book("Persuasion")
    order = services.place_order_or_wait(ZOE, lines((emma, 2), (persuasion, 1)))
    inventory.receive_copies(book_id=emma.pk, quantity=2)
    inventory.receive_copies(book_id=persuasion.pk, quantity=1)

    send()

    assert post_office.subjects == [
        f"We have your order {order.number}",
        f"Order {order.number} waits for copies",
        f"A book of your order {order.number} has come in",
        f"A book of your order {order.number} has come in",
    ]
    first, second = (mail.get_body(("plain",)).get_content() for mail in post_office.mails[2:])
    assert "“Emma” has come in." in first
    assert "“Persuasion” has come in." in second


def test_a_split_names_both_orders(post_office):
    order = services.place_order_or_wait(ZOE, lines((a_book(copies=1), 1), (a_book("Persuasion"), 1)))
    services.split_order(order_id=order.pk)

    send()

    rest = Order.objects.get(split_from=order)
    mail = next(mail for mail in post_office.mails if "still missing" in str(mail["Subject"]))
    text = mail.get_body(("plain",)).get_content()
    assert str(mail["Subject"]) == f"What is still missing is now order {rest.number}"
    assert f"your order {order.number}" in text
    assert rest.token in text
    assert order.token not in text


def test_who_lost_the_link_gets_it(post_office):
    order = zoes_order()
    send()
    request_link(order)

    send()

    notification = Notification.objects.get(kind="link_requested")
    assert notification.status == "sent"
    assert post_office.subjects[-1] == f"The link to your order {order.number}"
    assert post_office.ids[-1] == f"<{notification.pk}@books.example>"
    assert order.token in post_office.mails[-1].get_body(("plain",)).get_content()


def test_an_order_without_an_address_is_owed_no_mail(post_office):
    zoes_order(customer_email="")

    assert statuses() == [("order_placed", "no_address")]
    assert not Delivery.objects.filter(receiver="orders.mail_notification").exists()
    assert Event.objects.get(name="inventory.notification_recorded").data["by_mail"] is False


def test_who_has_an_address_by_now_can_be_told_what_they_were_not(post_office):
    order = zoes_order(customer_email="")
    services.amend_contact(order_id=order.pk, changes={"customer_email": "zoe@example.com"})
    services.confirm_order(order_id=order.pk)

    notices.send_again(notification_id=Notification.objects.get(kind="order_placed").pk)
    send()

    assert post_office.recipients == ["zoe@example.com", "zoe@example.com"]
    assert statuses() == [("order_placed", "sent"), ("order_confirmed", "sent")]


def test_an_address_that_went_meanwhile_is_no_failure(post_office):
    order = zoes_order()
    services.amend_contact(order_id=order.pk, changes={"customer_email": ""})

    send()

    assert post_office.mails == []
    assert statuses() == [("order_placed", "no_address")]


def test_a_corrected_address_is_the_one_that_is_used(post_office):
    order = zoes_order()
    services.amend_contact(order_id=order.pk, changes={"customer_email": "ng@example.com"})

    send()

    assert post_office.recipients == ["ng@example.com"]


def test_who_was_erased_is_not_written_to(post_office):
    order = zoes_order()
    services.cancel_order(order_id=order.pk, reason="customer")
    erase_customer(email="zoe@example.com")

    send()

    assert post_office.mails == []
    assert set(statuses()) == {("order_placed", "no_address"), ("order_cancelled", "no_address")}


def test_made_up_customers_are_written_nothing(post_office):
    with acting(actor="demo shop"):
        zoes_order()

    send()

    assert post_office.mails == []
    assert statuses() == [("order_placed", "withheld")]


def test_an_event_that_is_heard_twice_is_one_mail_by_its_id(post_office):
    zoes_order()
    event = Event.objects.get(name="inventory.notification_recorded").decoded

    deliver_twice("orders.mail_notification", event)

    assert len(post_office.mails) == 2
    assert len(set(post_office.ids)) == 1


def test_what_was_sent_is_not_sent_again_by_a_second_event(post_office):
    zoes_order()
    send()
    Delivery.objects.filter(receiver="orders.mail_notification").update(status="pending", done_at=None)

    send()

    assert len(post_office.mails) == 1


def test_a_refused_address_stops_nobody(post_office):
    post_office.refused["gone@example.com"] = "550 <gone@example.com>: no mailbox gone here"
    bad, good = zoes_order(customer_email="gone@example.com"), zoes_order()
    for order in (bad, good):
        services.confirm_order(order_id=order.pk)

    send()

    assert post_office.recipients == ["zoe@example.com"] * 2
    failed = Notification.objects.filter(order_id=bad.pk, audience="customer")
    assert (
        list(failed.values_list("status", "error", "sent_at")) == [("failed", "550 <…>: no mailbox … here", None)] * 2
    )
    assert not owed().exists()
    assert not Delivery.objects.dead().exists()
    told = Notification.objects.filter(kind="mail_failed").values_list("message", flat=True)
    assert f"Order {bad.number}: the mail “Order Confirmed” did not reach the customer" in told


@pytest.mark.parametrize("answer", ["554 we don't like it", "552 too large"])
def test_a_refused_mail_has_failed(post_office, answer):
    post_office.answers = [answer]
    zoes_order()

    send()

    notification = Notification.objects.get(audience="customer")
    assert (notification.status, notification.error) == ("failed", answer)


@pytest.mark.parametrize("answer", ["451 come back later", "421 shutting down", "drop"])
def test_what_is_put_off_comes_later_and_in_its_order(post_office, answer):
    post_office.answers = [answer]
    order = zoes_order()
    services.confirm_order(order_id=order.pk)

    Relay().drain()

    assert post_office.mails == []
    assert set(statuses()) == {("order_placed", "recorded"), ("order_confirmed", "recorded")}
    send()
    assert post_office.subjects == [f"We have your order {order.number}", f"Order {order.number} is confirmed"]


def test_an_address_that_is_put_off_comes_later(post_office):
    post_office.refused["zoe@example.com"] = "450 greylisted"
    zoes_order()
    send()
    assert "450 greylisted" in Delivery.objects.get(receiver="orders.mail_notification").last_error

    post_office.refused.clear()
    send()

    assert statuses() == [("order_placed", "sent")]


def test_a_connection_that_drops_before_the_answer_makes_a_second_copy_of_the_same_mail(post_office):
    post_office.answers = ["drop after"]
    zoes_order()

    send()
    send()

    assert post_office.copies() == {f"<{Notification.objects.get().pk}@books.example>": 2}


def test_a_goodbye_that_goes_wrong_makes_no_second_copy(post_office):
    post_office.rambles_at_quit = True
    zoes_order()

    send()
    send()

    assert len(post_office.mails) == 1
    assert statuses() == [("order_placed", "sent")]


def test_a_server_that_never_answers_is_left_in_time(settings):
    zoes_order()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_TIMEOUT = "127.0.0.1", 0.2
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.EMAIL_PORT = silent.getsockname()[1]
        Relay().drain()

    delivery = owed().get()
    assert delivery.attempts == 1
    assert "timed out" in delivery.last_error


def test_a_server_that_is_down_is_tried_less_and_less_often_and_given_up_visibly(settings, no_jitter):
    order = zoes_order()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mail_server.free_port()
    pauses = []

    for _ in range(11):
        before = timezone.now()
        send()
        pauses.append(round((owed().get().due - before) / timedelta(seconds=5)))
    owed().update(attempts=TRIES - 2)
    send()
    assert statuses() == [("order_placed", "recorded")]
    send()

    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]
    notification = Notification.objects.get(order_id=order.pk, audience="customer")
    assert notification.status == "failed"
    assert "Connection refused" in notification.error
    assert not Delivery.objects.dead().exists()


def test_staff_can_have_a_failed_mail_sent_again(post_office):
    post_office.refused["zoe@example.com"] = "550 no such mailbox"
    order = zoes_order()
    send()
    services.amend_contact(order_id=order.pk, changes={"customer_email": "ng@example.com"})
    notification = Notification.objects.get(audience="customer")

    notices.send_again(notification_id=notification.pk)
    send()

    notification.refresh_from_db()
    event = Event.objects.get(name="inventory.resend_requested")
    assert (notification.status, notification.error) == ("sent", "")
    assert post_office.recipients == ["ng@example.com"]
    assert post_office.ids == [f"<{event.uid}@books.example>"]


def test_a_mail_that_is_still_tried_is_not_sent_again(post_office):
    zoes_order()

    with pytest.raises(NotYetTried):
        notices.send_again(notification_id=Notification.objects.get().pk)

    assert not Event.objects.filter(name="inventory.resend_requested").exists()


def test_nothing_of_the_customer_is_kept_with_a_failure(post_office):
    post_office.refused["zoe@example.com"] = "550 zoe@example.com (ZOE) is unknown"
    order = zoes_order()
    send()
    post_office.refused["zoe@example.com"] = "450 zoe@example.com is slow"
    services.cancel_order(order_id=order.pk, reason="customer")
    send()
    kept = [
        *Notification.objects.values_list("error", flat=True),
        *Delivery.objects.values_list("last_error", flat=True),
    ]
    assert any("is unknown" in text for text in kept)
    assert any("is slow" in text for text in kept)
    assert not any("zoe" in text.lower() for text in kept)

    erase_customer(email="zoe@example.com")

    assert set(Notification.objects.filter(audience="customer").values_list("error", flat=True)) == {""}
    assert set(owed().values_list("last_error", flat=True)) == {"(erased)"}


def test_a_letter_that_is_on_its_way_when_the_customer_is_erased_leaves_no_trace(post_office, monkeypatch):
    order = zoes_order()
    services.cancel_order(order_id=order.pk, reason="customer")
    taken: list[object] = []

    def erase_meanwhile(*args):
        if not taken:
            taken.append(erase_customer(email="zoe@example.com"))

    monkeypatch.setattr("orders.mail.post._reply_to", lambda: erase_meanwhile() or [])
    send()
    send()

    assert len(post_office.mails) == 1
    assert set(statuses()) == {("order_placed", "no_address"), ("order_cancelled", "no_address")}


def test_without_a_mail_server_mails_are_printed_once_and_readably(settings, capsys):
    settings.EMAIL_BACKEND = "bookshelf_site.printed_mail.EmailBackend"
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    order = zoes_order()

    send()

    out = capsys.readouterr().out
    assert "To: Zoë Ng <zoe@example.com>\n" in out
    assert out.count(f"Subject: We have your order {order.number}\n") == 1
    assert out.count(order.status_url) == 1
    assert "<html" not in out
    assert statuses() == [("order_placed", "printed")]


def test_the_link_is_not_printed_where_others_could_follow_it(settings, capsys):
    settings.EMAIL_BACKEND = "bookshelf_site.printed_mail.EmailBackend"
    settings.PUBLIC_URL = "https://books.example"
    order = zoes_order()

    send()

    out = capsys.readouterr().out
    assert "https://books.example/o/…" in out
    assert order.token not in out


@pytest.mark.parametrize("seed", range(5 if IS_THOROUGH else 1))
def test_there_are_as_many_mails_as_notifications(post_office, seed):
    chance = random.Random(seed)
    book = a_book(copies=30)
    post_office.refused["gone@example.com"] = "550 gone"
    addresses = ["zoe@example.com", "ng@example.com", "gone@example.com", ""]
    acts = [
        lambda order: services.confirm_order(order_id=order.pk),
        lambda order: services.ship_order(order_id=order.pk),
        lambda order: services.cancel_order(order_id=order.pk, reason="other"),
        lambda order: services.split_order(order_id=order.pk),
        lambda order: inventory.receive_copies(book_id=book.pk, quantity=3),
    ]
    for _ in range(40):
        if chance.random() < 0.4:
            contact = Contact(customer_name="Zoë Ng", customer_email=chance.choice(addresses))
            services.place_order_or_wait(contact, lines((book, chance.randint(1, 8))))
        elif orders := list(Order.objects.order_by("placed_at")):
            _try(chance.choice(acts), chance.choice(orders))
        if chance.random() < 0.3:
            post_office.answers.append(chance.choice(["451 later", "drop", "421 bye"]))
            send()
    while owed().exists():
        send()

    told = Notification.objects.filter(audience="customer")
    without = {order.pk for order in Order.objects.filter(customer_email="")}
    refused = {order.pk for order in Order.objects.filter(customer_email="gone@example.com")}
    assert Counter(post_office.ids) == Counter(
        f"<{one.pk}@books.example>" for one in told if one.order_id not in without | refused
    )
    assert {one.status for one in told if one.order_id in without} <= {"no_address"}
    assert {one.status for one in told if one.order_id in refused} <= {"failed"}
    assert {one.status for one in told if one.order_id not in without | refused} == {"sent"}
    assert not Delivery.objects.dead().exists()


def _try(act, order):
    with suppress(DomainError):
        act(order)


def test_all_is_told_by_the_time_that_nothing_is_owed(post_office):
    zoes_order()

    deliver_now()

    assert not Delivery.objects.pending().exists()
    assert len(post_office.mails) == 1
