"""What can be asked of the webhooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from bookshelf_site.events import DomainEvent, current_actor, embedded, unit_of_work
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.signals import RECEIVERS
from bookshelf_site.events.upkeep import put_to_sleep, wake_up
from bookshelf_site.webhooks import addresses
from bookshelf_site.webhooks.errors import WebhookIsDisabled
from bookshelf_site.webhooks.events import Pinged
from bookshelf_site.webhooks.messages import SKIPPED, messages_to
from bookshelf_site.webhooks.models import FAN_OUT, SENDER, SigningSecret, Webhook


class WebhookChanges(TypedDict, total=False):
    """What is to change; what is left out stays as it is."""

    url: str
    event_types: Sequence[str]
    description: str


def add_webhook(*, url: str, event_types: Sequence[str], description: str = "") -> Webhook:
    """Tell another program of what happens from here on. Raises InvalidValue for an address that can't be one."""
    addresses.check(url)
    with unit_of_work:
        wake_up(FAN_OUT)
        webhook = Webhook()
        webhook.add(url=url, event_types=event_types, description=description, owed_after=_last_event())
        webhook.save()
        SigningSecret.drawn(webhook).save()
    return webhook


def change_webhook(*, webhook_id: UUID, changes: WebhookChanges, status: str | None = None) -> Webhook:
    """Tell it elsewhere or of something else, enable or disable it. Raises InvalidValue."""
    if "url" in changes:
        addresses.check(changes["url"])
    with unit_of_work:
        webhook = _change(webhook_id=webhook_id, changes=changes)
        if status == Webhook.Status.ENABLED:
            webhook = enable_webhook(webhook_id=webhook_id)
        elif status == Webhook.Status.DISABLED:
            webhook = disable_webhook(webhook_id=webhook_id)
    return webhook


@unit_of_work
def enable_webhook(*, webhook_id: UUID) -> Webhook:
    """Tell it again, of what happens from here on."""
    webhook = Webhook.lock(webhook_id)
    webhook.enable(owed_after=_last_event())
    webhook.save()
    return webhook


@unit_of_work
def disable_webhook(*, webhook_id: UUID) -> Webhook:
    """Tell it nothing any more; what is still owed to it is skipped."""
    webhook = Webhook.lock(webhook_id)
    webhook.disable(Webhook.Reason.BY_HAND)
    webhook.save()
    skip_owed(webhook, why=f"disabled by {current_actor() or 'the shop'}")
    return webhook


@unit_of_work
def remove_webhook(*, webhook_id: UUID) -> None:
    """Forget it, with its secret and its log; what is still owed to it is skipped."""
    webhook = Webhook.lock(webhook_id)
    skip_owed(webhook, why=f"removed by {current_actor() or 'the shop'}")
    emit(webhook.removed())
    webhook.delete()
    rest_without_webhooks()


def rest_without_webhooks() -> None:
    """While there is no webhook, nothing is owed to those that there might be."""
    put_to_sleep(FAN_OUT, when=lambda: not Webhook.objects.exists())


def wake_for_webhooks() -> None:
    """A first webhook that was added by a process of before it slept, in a rolling deploy, has woken nobody."""
    if Webhook.objects.exists():
        wake_up(FAN_OUT)


@unit_of_work
def rotate_secret(*, webhook_id: UUID) -> Webhook:
    """Give it a new secret; for a day each message is signed with the old one too."""
    webhook = Webhook.lock(webhook_id)
    now = timezone.now()
    for old in webhook.secrets.filter(expires_at__isnull=True):
        old.end_soon(now)
        old.save()
    webhook.secrets.filter(expires_at__lte=now).delete()
    SigningSecret.drawn(webhook).save()
    emit(webhook.rotated())
    return webhook


@unit_of_work
def ping_webhook(*, webhook_id: UUID) -> Delivery:
    """Send it a `bookshelf.ping`, and nobody else; once, even if it is disabled or rests."""
    webhook = Webhook.objects.get(pk=webhook_id)
    ping = Pinged(webhook_id=webhook.pk, stream=webhook.own_stream)
    emit(ping)
    # in no line: it waits for nothing, and nothing waits for it
    delivery = owed(webhook, event_id=Event.objects.get(uid=ping.uid).pk, stream="")
    delivery.save()
    transaction.on_commit(embedded.wake, robust=True)
    return delivery


@unit_of_work
def resend(*, webhook_id: UUID, event_uid: UUID) -> Delivery:
    """Send a message again, now, whatever came of it before. Raises WebhookIsDisabled."""
    webhook = Webhook.lock(webhook_id)
    if not webhook.is_enabled:
        raise WebhookIsDisabled
    theirs = messages_to(webhook_id).select_related("event").select_for_update(of=("self",), no_key=True)
    delivery = theirs.get(event__uid=event_uid)
    delivery.retry()
    delivery.save()
    webhook.rest_no_more()
    webhook.save(update_fields=["resting_until"])
    transaction.on_commit(embedded.wake, robust=True)
    return delivery


@unit_of_work
def owe(events: Sequence[DomainEvent]) -> None:
    """Owe each event to every webhook that wants it: once, for the unique key takes no second."""
    webhooks = list(Webhook.objects.enabled())
    wanted = {event.uid: [webhook for webhook in webhooks if webhook.wants(event)] for event in events}
    rows = Event.objects.filter(uid__in=[uid for uid, theirs in wanted.items() if theirs])
    deliveries = [
        owed(webhook, event_id=pk, stream=stream)
        for pk, uid, stream in rows.values_list("pk", "uid", "stream")
        for webhook in wanted[uid]
        if pk > webhook.owed_after
    ]
    if deliveries:
        Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)
        transaction.on_commit(embedded.wake, robust=True)


def owed(webhook: Webhook, *, event_id: int, stream: str) -> Delivery:
    return Delivery(
        event_id=event_id,
        receiver=SENDER,
        target=webhook.target,
        stream=stream,
        max_attempts=RECEIVERS[SENDER].max_attempts,
        due=timezone.now(),
    )


def skip_owed(webhook: Webhook, *, why: str) -> None:
    """Settle what is not delivered. What is just being acknowledged is passed over, for it waits for the webhook."""
    unsettled = messages_to(webhook.pk).exclude(status=Delivery.Status.DONE)
    free = unsettled.select_for_update(skip_locked=True, of=("self",), no_key=True)
    Delivery.objects.filter(pk__in=list(free.values_list("pk", flat=True))).update(
        status=Delivery.Status.DONE, done_at=timezone.now(), last_error=f"{SKIPPED}: {why}"
    )


@unit_of_work
def _change(*, webhook_id: UUID, changes: WebhookChanges) -> Webhook:
    webhook = Webhook.lock(webhook_id)
    webhook.change(
        url=changes.get("url", webhook.url),
        event_types=changes.get("event_types", webhook.event_types),
        description=changes.get("description", webhook.description),
    )
    webhook.save()
    return webhook


def _last_event() -> int:
    """Whatever begins to happen after this transaction has a higher id."""
    last: int | None = Event.objects.aggregate(last=Max("pk"))["last"]
    return last or 0
