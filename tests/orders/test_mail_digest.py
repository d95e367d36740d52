"""What the staff reads: everything new, in one mail an hour at most, and none if nothing is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db.models import F
from django.utils import timezone

from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.relay import Relay
from inventory import notices
from inventory import services as inventory
from inventory.models import Notification
from orders import services
from orders.mail import digest
from orders.models import Contact
from tests.given import a_book, an_order, lines

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def staff(settings):
    settings.STAFF_EMAIL = "staff@books.example"
    settings.PUBLIC_URL = "https://books.example"


@pytest.fixture
def later(time_machine):
    """`later(minutes=59)`: so much time has passed."""
    time_machine.move_to(datetime(2031, 2, 3, 12, tzinfo=UTC), tick=False)
    return lambda **span: time_machine.shift(timedelta(**span))


def run_low(title="Emma"):
    book = a_book(title, copies=4)
    an_order((book, 1))
    return book


def go_round():
    """What the relay does about once a minute, and what comes of it."""
    digest.compose_digest()
    Delivery.objects.pending().update(due=timezone.now())
    Relay().drain()


def told():
    """The texts of all digests so far."""
    return [str(sent.body) for sent in mail.outbox if sent.to[0].endswith("<staff@books.example>")]


def html_of(sent: Any) -> str:
    return str(sent.alternatives[0][0])


def die(receiver="inventory.notify_order_placed"):
    """A delivery that was given up."""
    order = an_order((a_book("Persuasion", copies=99), 1))
    event = Event.objects.filter(name="orders.order_placed").latest("id")
    dead = Delivery.objects.filter(event=event, receiver=receiver)
    assert dead.update(status="dead", done_at=None, attempts=12) == 1
    return order, dead.get()


def test_the_staff_is_told_what_runs_low():
    book = run_low()

    go_round()

    (sent,) = [sent for sent in mail.outbox if "staff" in sent.to[0]]
    assert sent.subject == "Bookshelf: 1 notice"
    assert "Emma: 3 copies are left" in sent.body
    html = html_of(sent)
    assert f"https://books.example/admin/inventory/stockitem/{book.pk}/change/" in html
    event = Event.objects.get(name="orders.staff_digest_composed")
    assert sent.extra_headers["Message-ID"] == f"<{event.data['digest_id']}@books.example>"
    notice = Notification.objects.get(kind="stock_ran_low")
    assert (notice.status, str(notice.digest)) == ("sent", event.data["digest_id"])
    assert notice.sent_at is not None


def test_nothing_new_is_no_mail():
    a_book(copies=50)

    go_round()

    assert told() == []
    assert not Event.objects.filter(name="orders.staff_digest_composed").exists()


def test_nobody_to_tell_is_no_mail(settings):
    settings.STAFF_EMAIL = ""
    run_low()

    go_round()

    assert mail.outbox == []
    assert Notification.objects.get(kind="stock_ran_low").status == "recorded"


def test_there_is_one_mail_an_hour_and_each_notice_is_in_one(later):
    run_low("Emma")
    go_round()
    run_low("Persuasion")
    later(minutes=59)
    go_round()
    assert len(told()) == 1

    later(minutes=1)
    run_low("Sanditon")
    go_round()
    later(hours=2)
    go_round()

    first, second = told()
    assert [title in first for title in ("Emma", "Persuasion", "Sanditon")] == [True, False, False]
    assert [title in second for title in ("Emma", "Persuasion", "Sanditon")] == [False, True, True]


def test_while_one_can_not_be_sent_no_other_is_put_together(later, settings):
    settings.EMAIL_BACKEND = "nowhere.at.all"
    run_low("Emma")
    go_round()
    later(hours=3)
    run_low("Persuasion")
    go_round()
    assert Event.objects.filter(name="orders.staff_digest_composed").count() == 1

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    go_round()
    later(hours=1)
    go_round()

    assert ["Emma" in text for text in told()] == [True, False]
    assert ["Persuasion" in text for text in told()] == [False, True]


def test_a_dead_letter_is_told_once_and_again_if_it_dies_again(later):
    _, dead = die()
    go_round()
    later(hours=1)
    go_round()
    assert len(told()) == 1
    assert "inventory.notify_order_placed: gave up on orders.order_placed after 12 attempts" in told()[0]

    Delivery.objects.filter(pk=dead.pk).update(attempts=F("attempts") + 12)
    later(hours=1)
    go_round()

    assert "after 24 attempts" in told()[1]


def test_of_many_dead_letters_all_are_told_in_time(later, monkeypatch):
    monkeypatch.setattr(digest, "AT_ONCE", 2)
    for _ in range(5):
        die()

    for _ in range(4):
        go_round()
        later(hours=1)

    assert [text.count("gave up on") for text in told()] == [2, 2, 1]


def test_a_mail_that_failed_is_told():
    order = services.place_order(
        Contact(customer_name="Zoë", customer_email="zoe@example.com"), lines((a_book(copies=9), 1))
    )
    notification = Notification.objects.get(order_id=order.pk)
    notices.note_mailed(notification_id=notification.pk, outcome=notices.failed("550 no such mailbox"))
    notices.note_failure(notification_id=notification.pk, event_uid=notification.pk, about="Order X")

    go_round()

    assert "Order X: the mail “Order Placed” did not reach the customer" in told()[0]
    assert "zoe" not in told()[0].lower()


def test_of_very_many_the_digest_says_how_many_there_are(monkeypatch):
    monkeypatch.setattr(digest, "MOST_LISTED", 2)
    for title in ("Emma", "Persuasion", "Sanditon"):
        run_low(title)

    go_round()

    assert "* and 1 more" in told()[0]
    assert told()[0].count(" are left") == 2


def test_what_staff_ask_to_be_told_again_is_in_the_next_digest(later):
    run_low()
    go_round()
    notices.send_again(notification_id=Notification.objects.get(kind="stock_ran_low").pk)
    later(hours=1)

    go_round()

    assert ["Emma" in text for text in told()] == [True, True]


def test_a_title_is_no_markup():
    run_low("<b>Emma</b> & Co")

    go_round()

    html = next(html_of(sent) for sent in mail.outbox if "staff" in sent.to[0])
    assert "&lt;b&gt;Emma&lt;/b&gt; &amp; Co" in html
    assert "<b>Emma</b> & Co: 3 copies are left" in told()[0]


def test_the_relay_does_it():
    from bookshelf_site.events.duties import _duties

    assert _duties["orders.compose_digest"] is digest.compose_digest


def test_stock_that_comes_back_meanwhile_changes_nothing():
    book = run_low()
    inventory.receive_copies(book_id=book.pk, quantity=50)

    go_round()

    assert "Emma: 3 copies are left" in told()[0]
