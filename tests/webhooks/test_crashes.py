"""Senders in processes of their own, killed while a message is on its way, or several at once."""

import signal

import pytest
from django.utils import timezone

from bookshelf_site.events.models import Delivery
from bookshelf_site.events.relay import Relay
from bookshelf_site.webhooks.models import SENDER, Attempt, Webhook
from bookshelf_site.webhooks.services import add_webhook
from tests.given import a_book
from tests.racing import race
from tests.webhooks.conftest import secret_of
from tests.webhooks.listening import hangs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def start_relay(nursery):
    return lambda *options: nursery(WEBHOOKS_ALLOW_PRIVATE="1").start("manage.py", "relay", *options)


def test_killed_while_a_message_is_on_its_way_it_comes_again_with_its_id(listener, start_relay):
    webhook = add_webhook(url=listener.url, event_types=["catalog.*"])
    a_book()
    listener.then(hangs)
    relay = start_relay()
    assert listener.asked.wait(60)

    relay.send_signal(signal.SIGKILL)
    assert relay.wait(60) == -signal.SIGKILL
    assert Delivery.objects.get(receiver=SENDER).status == "pending"
    Delivery.objects.filter(receiver=SENDER).update(due=timezone.now())  # its lease is over

    assert start_relay("--once").wait(60) == 0
    first, second = listener.received
    assert first.id == second.id
    assert first.verified(secret_of(webhook)) == second.verified(secret_of(webhook))
    assert Delivery.objects.get(receiver=SENDER).status == "done"
    assert Attempt.objects.get().is_success


def test_with_several_relays_each_webhook_is_told_each_event_once(listener, listen):
    listeners = [listener, listen(), listen()]
    for one in listeners:
        add_webhook(url=one.url, event_types=["catalog.*"])
    for number in range(10):
        a_book(f"volume {number}")

    relays = [Relay(batch=3), Relay(batch=3)]
    assert [error for error in race(relay.drain for relay in relays) if error] == []
    Relay().drain()

    assert [(len(one.ids), len(set(one.ids))) for one in listeners] == [(10, 10)] * 3
    assert not Delivery.objects.exclude(status="done").exists()
    assert Webhook.objects.filter(failures=0).count() == 3
