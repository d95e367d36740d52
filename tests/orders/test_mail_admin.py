"""Whether the customer has got the mail, and what it says: staff look it up, and send it again."""

import pytest
from django.core import mail
from django.utils import timezone

from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.relay import Relay
from inventory import notices
from inventory.models import Notification
from orders import services
from orders.models import Contact
from tests.given import a_book, an_order, lines

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite")]
LIST = "/admin/inventory/notification/"


@pytest.fixture
def order():
    contact = Contact(customer_name="Zoë Ng", customer_email="zoe@example.com", language="de")
    return services.place_order(contact, lines((a_book(copies=9), 2)))


BOB = Contact(customer_name="Bob", customer_email="bob@example.com")


@pytest.fixture
def notification(order):
    return Notification.objects.get(order_id=order.pk)


def page_of(notification):
    return f"{LIST}{notification.pk}/change/"


def fail(notification):
    notices.note_mailed(notification_id=notification.pk, outcome=notices.failed("550 no such mailbox"))


def send():
    Delivery.objects.pending().update(due=timezone.now())
    Relay().drain()


def test_the_page_shows_the_mail_as_the_customer_reads_it(desk, order, notification):
    page = desk.open(page_of(notification))

    assert order.number in page.text
    assert order.status_url in page.text
    assert "25,98" in page.text


def test_who_may_only_look_does_not_see_the_link(staff_of, order, notification):
    desk = staff_of("Read-only")

    page = desk.open(page_of(notification))

    assert "/o/…" in page.text
    assert order.token not in page.html
    assert not [form for form in page.forms if "send_again" in form.action]


def test_a_failed_mail_says_why_and_is_sent_again(desk, notification):
    fail(notification)
    assert "It did not arrive: 550 no such mailbox" in desk.open(page_of(notification)).text

    answer = desk.send(page_of(notification), "send_again")
    send()

    assert "1 mail goes out again." in answer.page.text
    notification.refresh_from_db()
    assert (notification.status, notification.error) == ("sent", "")
    assert [sent.to for sent in mail.outbox] == [["=?utf-8?q?Zo=C3=AB_Ng?= <zoe@example.com>"]]
    assert Event.objects.get(name="inventory.resend_requested").actor == "user:bookseller"


def test_several_are_sent_again_at_once_and_those_on_their_way_are_not(desk, notification):
    fail(notification)
    waiting = Notification.objects.get(order_id=an_order((a_book(copies=9), 1), contact=BOB).pk)

    answer = desk.post(
        LIST, {"action": "send_again", "_selected_action": [str(notification.pk), str(waiting.pk)]}, follow=True
    )

    text = answer.content.decode()
    assert "1 mail goes out again." in text
    assert "Its mail is still on its way" in text
    assert Event.objects.filter(name="inventory.resend_requested").count() == 1


def test_who_may_not_sends_nothing_again(staff_of, notification):
    fail(notification)
    desk = staff_of("Read-only")

    assert desk.post(f"{LIST}{notification.pk}/send_again/").status_code == 403
    desk.post(LIST, {"action": "send_again", "_selected_action": [str(notification.pk)]})

    assert not Event.objects.filter(name="inventory.resend_requested").exists()


def test_a_mail_that_is_put_off_shows_how_often_why_and_when_next(desk, notification, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    Relay().drain()

    text = desk.open(page_of(notification)).text

    assert "Tried 1 time." in text
    assert "Connection refused" in text
    assert "The next try is at" in text
    assert "Send again" not in text


def test_a_notice_to_staff_has_no_mail_of_its_own(desk):
    an_order((a_book(copies=4), 1))
    notification = Notification.objects.get(audience="staff")

    page = desk.open(page_of(notification))

    assert "The mail, as it reads now" not in page.text


def test_a_mail_that_does_not_exist_is_not_sent_again(desk, order):
    assert desk.post(f"{LIST}{order.pk}/send_again/").status_code == 404
