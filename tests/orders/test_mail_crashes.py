"""The process that sends is killed by a real SIGKILL between the mail server's "accepted" and its own commit."""

import signal

import pytest
from django.utils import timezone

from bookshelf_site.events.models import Delivery, Event
from inventory.models import Notification
from orders import services
from orders.mail import digest
from orders.models import Contact
from tests.given import a_book, lines
from tests.orders import mail_server
from tests.orders.mail_server import MailServer
from tests.racing import race

pytestmark = pytest.mark.django_db(transaction=True)
KILLED = -signal.SIGKILL


@pytest.fixture(scope="module")
def smtp_port():
    """The same for all tests: their relays differ in nothing else, so that one nursery has them all."""
    return mail_server.free_port()


@pytest.fixture
def post_office(smtp_port):
    server = MailServer()
    controller = mail_server.start(server, smtp_port)
    server.url = f"smtp://127.0.0.1:{controller.port}"
    yield server
    controller.stop()


@pytest.fixture
def begin(nursery, post_office):
    """`begin(3)`: a relay that dies when it has sent so many mails; `begin()`: one that lives."""
    relays = nursery(EMAIL_URL=post_office.url, PUBLIC_URL="http://books.example", STAFF_EMAIL="staff@books.example")
    return lambda *mails: relays.start("tests.orders.mail_child", *map(str, mails))


@pytest.fixture
def relay(begin):
    """How such a relay has ended."""
    return lambda *mails: begin(*mails).wait(120)


@pytest.fixture
def orders():
    """Three customers' orders, each confirmed: six mails."""
    book = a_book(copies=9)
    placed = [
        services.place_order(Contact(customer_name=name, customer_email=f"{name}@example.com"), lines((book, 1)))
        for name in ("ann", "ben", "cid")
    ]
    for order in placed:
        services.confirm_order(order_id=order.pk)
    return placed


def ids(**which):
    return {f"<{pk}@books.example>" for pk in Notification.objects.filter(**which).values_list("pk", flat=True)}


def test_a_mail_whose_sender_died_goes_out_again_under_the_same_id_and_no_other_twice(relay, post_office, orders):
    assert relay(4) == KILLED
    assert len(post_office.mails) == 4
    in_doubt = post_office.ids[-1]

    assert relay() == 0

    assert post_office.copies() == {one: 2 if one == in_doubt else 1 for one in ids(audience="customer")}
    assert not Notification.objects.filter(audience="customer").exclude(status="sent").exists()
    assert not Delivery.objects.pending().exists()


def test_two_relays_in_two_processes_send_each_mail_once(begin, post_office, orders):
    relays = [begin(), begin()]

    assert [relay.wait(120) for relay in relays] == [0, 0]
    assert post_office.copies() == dict.fromkeys(ids(audience="customer"), 1)
    for order in orders:
        assert [subject for subject in post_office.subjects if order.number in subject] == [
            f"We have your order {order.number}",
            f"Order {order.number} is confirmed",
        ]


def test_a_digest_whose_sender_died_goes_out_again_as_it_was(relay, post_office, settings):
    settings.STAFF_EMAIL = "staff@books.example"
    run_low("Emma")
    digest.compose_digest()
    assert relay(1) == KILLED

    run_low("Persuasion")
    assert relay() == 0

    event = Event.objects.get(name="orders.staff_digest_composed")
    assert post_office.copies() == {f"<{event.data['digest_id']}@books.example>": 2}
    first, second = (mail.get_body(("plain",)).get_content() for mail in post_office.mails)
    assert first == second
    assert "Persuasion" not in first
    assert Notification.objects.filter(status="sent", digest=event.data["digest_id"], audience="staff").count() == 1


def test_several_relays_compose_one_digest(settings):
    settings.STAFF_EMAIL = "staff@books.example"
    run_low("Emma")

    race([digest.compose_digest] * 4)

    event = Event.objects.get(name="orders.staff_digest_composed")
    assert event.data["notices"] == 1
    assert event.occurred_at <= timezone.now()


def run_low(title):
    book = a_book(title, copies=4)
    services.place_order(Contact(customer_name="Ann"), lines((book, 1)))
