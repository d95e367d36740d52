"""From an event to a message that arrived: who gets it, how often, in which order, and what if nobody answers."""

import json
import re
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from bookshelf_site.event_feed.cloud_event import cloud_event
from bookshelf_site.events.models import Delivery, Event, Receiver
from bookshelf_site.events.relay import Relay
from bookshelf_site.events.testing import deliver_now
from bookshelf_site.webhooks import sending
from bookshelf_site.webhooks.delivering import ATTEMPTS, PAUSES
from bookshelf_site.webhooks.messages import Message, messages_to, with_last_attempt
from bookshelf_site.webhooks.models import FAN_OUT, SENDER, Attempt, Webhook
from bookshelf_site.webhooks.receivers import after_migrate
from bookshelf_site.webhooks.services import (
    add_webhook,
    change_webhook,
    disable_webhook,
    enable_webhook,
    owe,
    ping_webhook,
    remove_webhook,
    resend,
    rotate_secret,
    wake_for_webhooks,
)
from catalog.services import withdraw
from inventory.models import Notification
from orders.services import confirm_order, ship_order
from tests.given import a_book, an_order
from tests.webhooks.conftest import secret_of
from tests.webhooks.listening import answering, hangs, hangs_up

pytestmark = pytest.mark.django_db


def relay_comes_by():
    Relay().drain()


def log_of(webhook):
    """Newest first: what, and what came of it."""
    deliveries = with_last_attempt(messages_to(webhook.pk)).order_by("-id")
    return [(message.event.name, str(message.status), message.attempts) for message in Message.of(list(deliveries))]


def message(webhook, name):
    deliveries = with_last_attempt(messages_to(webhook.pk)).filter(event__name=name)
    return Message.of(list(deliveries))[0]


def uid_of(name):
    return Event.objects.get(name=name).uid


# Who gets what


def test_an_event_arrives_signed_as_a_cloud_event(listener, told):
    book = a_book("Brontë")

    relay_comes_by()

    (received,) = listener.received
    said = received.verified(secret_of(told))
    event = Event.objects.get(name="catalog.book_added")
    assert said == json.loads(json.dumps(cloud_event(event)))
    assert received.id == said["id"] == str(event.uid)
    assert (said["subject"], said["data"]["title"], said["position"]) == (str(book.pk), "Brontë", event.position)
    assert "Brontë".encode() in received.body
    assert log_of(told) == [("catalog.book_added", "delivered", 1)]


@pytest.mark.parametrize(
    ("types", "heard"),
    [
        (["*"], {"webhooks.webhook_added", "catalog.book_added", "catalog.book_withdrawn"}),
        (["catalog.*"], {"catalog.book_added", "catalog.book_withdrawn"}),
        (["catalog.book_withdrawn"], {"catalog.book_withdrawn"}),
        (["catalog.book_added", "catalog.*"], {"catalog.book_added", "catalog.book_withdrawn"}),
        (["orders.*"], set()),
    ],
)
def test_who_is_told_of_what(listener, types, heard):
    webhook = add_webhook(url=listener.url, event_types=types)
    withdraw(book_id=a_book().pk)

    relay_comes_by()

    assert {name for name, _, _ in log_of(webhook)} == heard
    assert len(listener.received) == len(heard)


def test_each_webhook_is_told_once(listener, listen):
    others = [listen() for _ in range(2)]
    for one in (listener, *others):
        add_webhook(url=one.url, event_types=["catalog.*"])
    a_book()

    relay_comes_by()
    relay_comes_by()

    assert [one.ids for one in (listener, *others)] == [[str(uid_of("catalog.book_added"))]] * 3


def test_what_happened_before_it_was_there_it_is_not_told(listener):
    a_book("before")
    webhook = add_webhook(url=listener.url, event_types=["catalog.*"])
    a_book("after")

    relay_comes_by()

    assert [json.loads(one.body)["data"]["title"] for one in listener.received] == ["after"]
    assert len(log_of(webhook)) == 1


def test_webhooks_cost_the_business_no_statement_of_their_own(listener, told):
    for number in range(3):
        add_webhook(url=f"{listener.url}/{number}", event_types=["*"])
    book = a_book()
    book.withdraw()

    with CaptureQueriesContext(connection) as asked, transaction.atomic():
        book.save()
        written = [query["sql"] for query in asked if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))]

    tables = [re.findall(r'^(?:INSERT INTO|UPDATE) "(\w+)"', statement) for statement in written]
    assert [table for found in tables for table in found] == ["catalog_book", "events_event", "events_delivery"]


def test_many_events_are_owed_in_as_few_statements_as_one(told, django_assert_num_queries):
    for number in range(20):
        a_book(f"volume {number}")
    events = [row.decoded for row in Event.objects.filter(name="catalog.book_added")]

    for some in (events[:1], events[1:]):
        with django_assert_num_queries(5), transaction.atomic():  # webhooks, events, deliveries; and the block itself
            owe(some)

    assert Delivery.objects.filter(receiver=SENDER).count() == 20


def test_an_event_that_is_owed_twice_arrives_once(listener, told):
    a_book()
    relay_comes_by()

    owe([Event.objects.get(name="catalog.book_added").decoded])
    relay_comes_by()

    assert len(listener.received) == 1


# In which order


def test_what_happens_to_one_thing_is_told_in_its_order(listener, told):
    change_webhook(webhook_id=told.pk, changes={"event_types": ["orders.*"]})
    order = an_order((a_book(copies=3), 1))
    listener.then(answering(500))
    confirm_order(order_id=order.pk)
    ship_order(order_id=order.pk)

    relay_comes_by()
    with_time_over()
    relay_comes_by()

    told_of = [json.loads(one.body) for one in listener.received]
    assert [one["type"].removeprefix("orders.") for one in told_of if one["subject"] == str(order.pk)] == [
        *("order_placed", "order_placed", "order_confirmed", "order_shipped")
    ]
    assert {status for _, status, _ in log_of(told)} == {"delivered"}


def with_time_over():
    """All leases, pauses and rests are over."""
    Delivery.objects.pending().update(due=timezone.now() - timedelta(seconds=1))
    for webhook in Webhook.objects.all():
        webhook.rest_no_more()
        webhook.save()


def to_fan_out():
    return list(Delivery.objects.filter(receiver=FAN_OUT).order_by("pk").values_list("event__name", flat=True))


def test_while_there_is_no_webhook_nothing_is_owed_for_their_sake(listener):
    a_book(copies=1)
    assert to_fan_out() == []

    webhook = add_webhook(url=listener.url, event_types=["*"])
    a_book(copies=1)
    assert to_fan_out() == ["webhooks.webhook_added", "catalog.book_added"]

    remove_webhook(webhook_id=webhook.pk)
    a_book(copies=1)
    assert to_fan_out()[2:] == ["webhooks.webhook_removed"]


def test_while_there_is_another_webhook_removing_one_changes_nothing(listener):
    webhook, _ = (add_webhook(url=listener.url, event_types=["*"]) for _ in range(2))
    remove_webhook(webhook_id=webhook.pk)

    a_book(copies=1)

    assert to_fan_out()[-1] == "catalog.book_added"


def test_the_migration_finds_out_whether_there_is_one(listener):
    Receiver.objects.filter(uid=FAN_OUT).update(asleep=False)

    after_migrate(using="default")

    assert Receiver.objects.get(uid=FAN_OUT).asleep
    add_webhook(url=listener.url, event_types=["*"])
    after_migrate(using="default")
    assert not Receiver.objects.get(uid=FAN_OUT).asleep


def test_a_relay_wakes_what_a_process_of_before_has_left_asleep(listener):
    add_webhook(url=listener.url, event_types=["*"])
    Receiver.objects.filter(uid=FAN_OUT).update(asleep=True)

    wake_for_webhooks()
    a_book(copies=1)

    assert to_fan_out()[-1] == "catalog.book_added"


def test_a_relay_wakes_nobody_while_there_is_no_webhook():
    after_migrate(using="default")

    wake_for_webhooks()

    assert Receiver.objects.get(uid=FAN_OUT).asleep


def test_nothing_is_owed_before_what_happened_to_the_same_thing_earlier(listener, told):
    order = an_order((a_book(copies=3), 1))
    confirm_order(order_id=order.pk)
    earlier = Delivery.objects.filter(receiver=FAN_OUT, event__name="orders.order_placed")
    earlier.update(attempts=1, due=timezone.now() + timedelta(minutes=1))  # another relay is at it

    relay_comes_by()

    assert not any("orders.order_confirmed" in str(one.body) for one in listener.received)
    with_time_over()
    relay_comes_by()
    assert any("orders.order_confirmed" in str(one.body) for one in listener.received)


def test_a_message_that_is_given_up_holds_back_what_follows_it_and_says_so(listener):
    webhook = add_webhook(url=listener.url, event_types=["catalog.*"])
    book = a_book("first")
    withdraw(book_id=book.pk)
    other = a_book("other")
    listener.then(*[answering(500)] * 1)
    relay_comes_by()
    added = Delivery.objects.get(
        event__name="catalog.book_added", event__stream__endswith=str(book.pk), receiver=SENDER
    )
    Delivery.objects.filter(pk=added.pk).update(status="dead")

    with_time_over()
    relay_comes_by()

    withdrawn = message(webhook, "catalog.book_withdrawn")
    assert (str(withdrawn.status), withdrawn.waits_for, withdrawn.next_attempt_at) == ("pending", added.event.uid, None)
    assert [json.loads(one.body)["subject"] for one in listener.received] == [str(book.pk), str(other.pk)]

    resend(webhook_id=webhook.pk, event_uid=added.event.uid)
    relay_comes_by()
    assert {status for _, status, _ in log_of(webhook)} == {"delivered"}


# When nobody answers


def test_it_is_tried_again_as_the_standard_proposes_and_then_given_up(listener, told, later):
    a_book()
    listener.then(*[answering(500)] * ATTEMPTS)
    due = []
    for _ in range(ATTEMPTS):
        relay_comes_by()
        (delivery,) = Delivery.objects.filter(receiver=SENDER)
        due.append((delivery.due - timezone.now()).total_seconds())
        later(seconds=max(due[-1], 0) + 1)

    for wait, pause in zip(due, PAUSES, strict=False):
        assert pause.total_seconds() * 0.99 - 1 <= wait <= min(pause.total_seconds() * 1.1, 86400)
    assert len(set(listener.ids)) == 1
    assert len(listener.ids) == ATTEMPTS == Attempt.objects.count()
    # for three days nothing got through
    webhook = Webhook.objects.get()
    assert (webhook.status, webhook.disabled_reason) == ("disabled", "failing")
    assert log_of(webhook) == [("catalog.book_added", "skipped", ATTEMPTS)]
    assert message(webhook, "catalog.book_added").why == "skipped: the webhook was disabled: failing"


def test_one_bad_message_is_given_up_and_the_webhook_lives(listener, told, later):
    listener.judge = lambda received: answering(422 if b'"bad"' in received.body else 200)
    a_book("bad")
    for _ in range(ATTEMPTS):
        relay_comes_by()
        later(days=1, minutes=1)
        a_book("good")

    relay_comes_by()

    assert Webhook.objects.get().is_enabled
    assert [one[1:] for one in log_of(told)] == [*[("delivered", 1)] * ATTEMPTS, ("failed", ATTEMPTS)]
    assert Delivery.objects.dead().get().receiver == SENDER


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_is_asked_for_is_kept_by_all_messages(listener, told, later, status):
    a_book("first")
    listener.then(answering(status, Retry_After="600"))
    relay_comes_by()
    first = Delivery.objects.get(receiver=SENDER)
    assert timedelta(seconds=598) <= first.due - timezone.now() <= timedelta(seconds=600)

    a_book("second")
    relay_comes_by()
    later(seconds=590)
    relay_comes_by()
    assert len(listener.received) == 1

    later(seconds=15)
    relay_comes_by()
    assert len(listener.received) == 3
    assert [one[1:] for one in log_of(told)] == [("delivered", 1), ("delivered", 2)]


def test_a_webhook_that_hangs_rests_and_costs_nobody_an_attempt(listener, told, later, monkeypatch):
    monkeypatch.setattr(sending, "SECONDS", 0.3)
    for number in range(5):
        a_book(f"volume {number}")
    listener.then(hangs)

    relay_comes_by()

    assert len(listener.received) == 1
    assert sorted(attempts for _, _, attempts in log_of(told)) == [0, 0, 0, 0, 1]
    left = [row.max_attempts - row.attempts for row in Delivery.objects.filter(receiver=SENDER)]
    assert sorted(left) == [ATTEMPTS - 1, ATTEMPTS, ATTEMPTS, ATTEMPTS, ATTEMPTS]

    later(seconds=10)
    relay_comes_by()
    assert len(listener.received) == 6
    webhook = Webhook.objects.get()
    assert (webhook.failures, webhook.failing_since, webhook.resting_until) == (0, None, None)


def test_it_rests_longer_each_time_and_at_most_a_quarter_of_an_hour(told):
    rests = []
    now = timezone.now()
    for _ in range(8):
        told.note_failure(now, asked_for=timedelta(0), is_gone=False)
        rests.append((told.resting_until - now).total_seconds())

    assert rests == [5, 20, 80, 320, 900, 900, 900, 900]


def test_who_answers_gone_is_told_nothing_more(listener, told):
    a_book("first")
    a_book("second")
    listener.then(answering(410))

    relay_comes_by()
    a_book("third")
    relay_comes_by()

    webhook = Webhook.objects.get()
    assert (webhook.status, webhook.disabled_reason) == ("disabled", "gone")
    assert len(listener.received) == 1
    assert [one[1:] for one in log_of(webhook)] == [("skipped", 0), ("skipped", 1)]
    (disabled,) = Event.objects.filter(name="webhooks.webhook_disabled")
    assert disabled.data == {"webhook_id": str(told.pk), "host": told.host, "reason": "gone"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (answering(302, Location="/elsewhere"), "a redirect is not followed"),
        (answering(500, b"oops"), "answered 500"),
        (hangs_up, "the connection broke off"),
    ],
)
def test_what_came_of_it_is_in_the_log(listener, told, answer, error):
    a_book()
    listener.then(answer)

    relay_comes_by()

    found = message(told, "catalog.book_added")
    assert (str(found.status), found.attempts) == ("pending", 1)
    assert error in found.why
    assert found.next_attempt_at > timezone.now()
    assert found.last.response_body == {500: "oops", 302: "thank you"}.get(found.last.response_status, "")
    assert Webhook.objects.get().failing_since == found.last.at


def test_a_name_that_leads_inside_by_now_is_not_followed(listener, names, settings):
    names["hooks.test"] = [["93.184.216.34"], ["127.0.0.1"]]
    settings.WEBHOOKS_ALLOW_PRIVATE = False
    webhook = add_webhook(url=f"https://hooks.test:{listener.server_port}/", event_types=["catalog.*"])
    a_book()

    relay_comes_by()

    assert "not on the public internet" in message(webhook, "catalog.book_added").why
    assert listener.received == []


def test_a_secret_that_was_lost_signs_nothing(listener, told, settings):
    settings.SECRET_KEY = "another shop's"
    a_book()

    relay_comes_by()

    assert listener.received == []
    assert "SECRET_KEY has changed" in message(told, "catalog.book_added").why


# What staff and programs may do


def test_both_secrets_sign_for_a_day(listener, told, later):
    old = secret_of(told)
    rotate_secret(webhook_id=told.pk)
    new = secret_of(told)
    assert new != old

    a_book()
    relay_comes_by()
    listener.received[0].verified(old)
    listener.received[0].verified(new)

    later(hours=24, seconds=1)
    a_book()
    relay_comes_by()
    listener.received[1].verified(new)
    with pytest.raises(Exception, match="No matching signature"):
        listener.received[1].verified(old)


def test_a_disabled_webhook_is_told_nothing_and_enabled_again_not_what_it_missed(listener, told):
    a_book("owed")
    disable_webhook(webhook_id=told.pk)
    a_book("missed")
    enable_webhook(webhook_id=told.pk)
    a_book("after")

    deliver_now()

    assert [json.loads(one.body)["data"]["title"] for one in listener.received] == ["after"]


def test_what_was_owed_when_it_was_disabled_is_skipped(listener, told):
    a_book("owed")
    listener.then(answering(500))
    relay_comes_by()

    disable_webhook(webhook_id=told.pk)

    assert log_of(told) == [("catalog.book_added", "skipped", 1)]
    assert message(told, "catalog.book_added").why == "skipped: disabled by the shop"
    assert not Delivery.objects.filter(receiver=SENDER).exclude(status="done").exists()


def test_what_a_removed_webhook_was_owed_is_skipped(listener, told):
    a_book()
    listener.then(answering(500))
    relay_comes_by()

    remove_webhook(webhook_id=told.pk)
    with_time_over()
    relay_comes_by()

    assert len(listener.received) == 1
    assert not Webhook.objects.exists()
    assert not Delivery.objects.filter(receiver=SENDER).exclude(status="done").exists()
    assert Event.objects.filter(name="webhooks.webhook_removed").exists()


def test_what_is_owed_to_one_that_went_at_the_same_moment_is_skipped(listener, told):
    a_book()
    relay_comes_by()
    remove_webhook(webhook_id=told.pk)
    Delivery.objects.filter(receiver=SENDER).update(status="pending", done_at=None, due=timezone.now())

    relay_comes_by()

    delivery = Delivery.objects.get(receiver=SENDER)
    assert (delivery.status, delivery.last_error) == ("done", "skipped: the webhook was removed")
    assert len(listener.received) == 1


def test_a_message_is_sent_again_with_its_id(listener, told):
    a_book()
    relay_comes_by()

    resend(webhook_id=told.pk, event_uid=uid_of("catalog.book_added"))
    relay_comes_by()

    assert listener.ids == [str(uid_of("catalog.book_added"))] * 2
    assert log_of(told) == [("catalog.book_added", "delivered", 2)]


def test_a_message_that_waits_for_hours_is_sent_at_once_if_somebody_asks(listener, told):
    a_book()
    listener.then(answering(503, Retry_After="7200"))
    relay_comes_by()

    resend(webhook_id=told.pk, event_uid=uid_of("catalog.book_added"))
    relay_comes_by()

    assert log_of(told) == [("catalog.book_added", "delivered", 2)]


@pytest.mark.parametrize("is_enabled", [True, False])
def test_a_ping_is_for_one_webhook_alone(listener, listen, told, is_enabled):
    other = listen()
    add_webhook(url=other.url, event_types=["*"])
    relay_comes_by()
    other.received.clear()
    if not is_enabled:
        disable_webhook(webhook_id=told.pk)
        relay_comes_by()
        other.received.clear()

    ping_webhook(webhook_id=told.pk)
    relay_comes_by()

    (received,) = listener.received
    assert received.verified(secret_of(told))["type"] == "bookshelf.ping"
    assert received.verified(secret_of(told))["data"] == {"webhook_id": str(told.pk)}
    assert other.received == []
    assert log_of(told) == [("bookshelf.ping", "delivered", 1)]


def test_a_ping_that_fails_is_not_repeated_and_does_no_harm(listener, told):
    listener.then(answering(500), answering(429))
    ping_webhook(webhook_id=told.pk)
    ping_webhook(webhook_id=told.pk)

    relay_comes_by()

    assert len(listener.received) == 2
    assert [one[1:] for one in log_of(told)] == [("failed", 1), ("failed", 1)]
    assert not Delivery.objects.dead().exists()
    assert Webhook.objects.get().is_enabled


def test_a_ping_too_may_be_told_that_the_address_is_gone(listener, told):
    a_book()
    listener.then(answering(503, Retry_After="7200"), answering(410))
    relay_comes_by()

    ping_webhook(webhook_id=told.pk)
    relay_comes_by()

    webhook = Webhook.objects.get()
    assert (webhook.is_enabled, webhook.disabled_reason) == (False, "gone")
    assert [one[:2] for one in log_of(told)] == [("bookshelf.ping", "failed"), ("catalog.book_added", "skipped")]


def test_a_ping_that_gets_through_ends_the_rest(listener, told):
    a_book()
    listener.then(answering(503, Retry_After="7200"))
    relay_comes_by()

    ping_webhook(webhook_id=told.pk)
    relay_comes_by()

    webhook = Webhook.objects.get()
    assert (webhook.failing_since, webhook.resting_until) == (None, None)


def test_a_new_address_is_tried_without_waiting(listener, listen, told):
    a_book()
    listener.then(answering(503, Retry_After="7200"))
    relay_comes_by()
    moved = listen()

    change_webhook(webhook_id=told.pk, changes={"url": moved.url})
    a_book()
    relay_comes_by()

    assert len(moved.received) == 1


@pytest.mark.parametrize(
    ("disable", "told_staff"),
    [
        (lambda webhook: webhook.disable(Webhook.Reason.GONE), "it answered “410 Gone”"),
        (lambda webhook: webhook.disable(Webhook.Reason.FAILING), "nothing got through to it for three days"),
        (lambda webhook: webhook.disable(Webhook.Reason.BY_HAND), None),
    ],
)
def test_the_staff_hears_of_a_webhook_that_was_lost(told, disable, told_staff):
    disable(told)
    told.save()

    notices = Notification.objects.filter(kind="webhook_disabled", audience="staff").values_list("message", flat=True)
    assert list(notices) == ([f"Webhook {told.host} is disabled: {told_staff}"] if told_staff else [])
