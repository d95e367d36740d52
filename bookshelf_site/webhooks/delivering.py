"""One message to one webhook: made, signed, sent, and what comes of it written down.

Tried as Standard Webhooks proposes, for three days. Between attempts the webhook rests, so that nothing else runs into
the same wall and a webhook that hangs doesn't hold up the others.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F, Max
from django.utils import timezone

from bookshelf_site.event_feed.cloud_event import cloud_event
from bookshelf_site.events import DomainEvent, RetryAfter, unit_of_work
from bookshelf_site.events.failures import LONGEST_PAUSE, Superseded
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.sequencer import sequence
from bookshelf_site.webhooks import sending, signing
from bookshelf_site.webhooks.events import Pinged
from bookshelf_site.webhooks.messages import SKIPPED
from bookshelf_site.webhooks.models import SENDER, Attempt, Webhook
from bookshelf_site.webhooks.sending import Answer
from bookshelf_site.webhooks.services import skip_owed

PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
"""After each attempt but the last; the first is made at once."""
ATTEMPTS: Final = len(PAUSES) + 1
JITTER: Final = 0.1
PAUSE_STATUSES: Final = {429, 503}
GONE: Final = 410


@dataclass(frozen=True, kw_only=True)
class Sent:
    """An attempt that was made, not yet written down."""

    webhook: Webhook
    delivery: Delivery
    at: datetime
    answer: Answer


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """No attempt was made, nor will be."""

    why: str


def deliver(event: DomainEvent, target: str) -> Sent | Skipped:
    """Send the event to the webhook. Raises RetryAfter if it has to be sent again, Superseded if it rests meanwhile."""
    delivery = Delivery.objects.select_related("event").get(event__uid=event.uid, receiver=SENDER, target=target)
    webhook = Webhook.objects.filter(pk=target).first()
    is_ping = isinstance(event, Pinged)
    if webhook is None or not (webhook.is_enabled or is_ping):
        return Skipped(why="the webhook is disabled" if webhook else "the webhook was removed")
    if webhook.rests_at(timezone.now()) and not is_ping:
        _put_off(delivery, webhook)
    sent = _sent(webhook, delivery)
    if sent.answer.is_success or is_ping:
        return sent
    pause = _pause(delivery, sent.answer)
    note_failure(sent, pause)
    raise RetryAfter(pause.total_seconds(), f"{webhook.host} {sent.answer.summary}")


def record(event: DomainEvent, target: str, outcome: Sent | Skipped) -> None:
    """Write down what came of it, in the transaction that settles the delivery."""
    if isinstance(outcome, Skipped):
        theirs = Delivery.objects.filter(event__uid=event.uid, receiver=SENDER, target=target)
        theirs.update(last_error=f"{SKIPPED}: {outcome.why}")
        return
    webhook = Webhook.objects.locked().filter(pk=target).first()
    if webhook is None:
        return
    _attempt(outcome).save()
    if outcome.answer.is_success and webhook.note_success(outcome.at):
        webhook.save()
    if outcome.answer.status == GONE and webhook.is_enabled:  # a ping: whatever else fails is sent again
        webhook.disable(Webhook.Reason.GONE)
        _save_disabled(webhook)


@unit_of_work
def note_failure(sent: Sent, pause: timedelta) -> None:
    """Write it down; the webhook rests, or is disabled and told nothing any more."""
    webhook = Webhook.objects.locked().filter(pk=sent.webhook.pk).first()
    if webhook is None:
        return
    _attempt(sent).save()
    asked_for = pause if _asked_for(sent.answer) else timedelta(0)
    webhook.note_failure(sent.at, asked_for=asked_for, is_gone=sent.answer.status == GONE)
    if webhook.is_enabled:
        webhook.save()
    else:
        _save_disabled(webhook)


def _save_disabled(webhook: Webhook) -> None:
    webhook.save()
    skip_owed(webhook, why=f"the webhook was disabled: {webhook.get_disabled_reason_display().lower()}")


def _sent(webhook: Webhook, delivery: Delivery) -> Sent:
    at = timezone.now()
    try:
        secrets = [one.secret for one in webhook.secrets.good(at)]
    except signing.SecretIsLost as lost:
        return Sent(webhook=webhook, delivery=delivery, at=at, answer=Answer(error=str(lost)))
    body = _body(delivery.event)
    message_id, timestamp = str(delivery.event.uid), int(at.timestamp())
    headers = signing.signed_headers(message_id=message_id, timestamp=timestamp, body=body, with_secrets=secrets)
    return Sent(webhook=webhook, delivery=delivery, at=at, answer=sending.post(webhook.url, body=body, headers=headers))


def _body(event: Event) -> bytes:
    """The CloudEvent, as `GET /events` tells it; these bytes are signed, and these are sent."""
    if event.position is None:
        sequence()
        event.refresh_from_db(fields=["position"])
    return json.dumps(cloud_event(event), ensure_ascii=False, separators=(",", ":")).encode()


def _put_off(delivery: Delivery, webhook: Webhook) -> None:
    """Until the webhook has rested; nothing was tried, so the attempt that was counted is added on top."""
    mine = Delivery.objects.filter(pk=delivery.pk).held(attempts=delivery.attempts)
    mine.update(due=webhook.resting_until, max_attempts=F("max_attempts") + 1)
    raise Superseded


def _pause(delivery: Delivery, answer: Answer) -> timedelta:
    """What the schedule says, and a little more, so that not all come back at once; longer if that is asked for."""
    made = ATTEMPTS - (delivery.max_attempts - delivery.attempts)
    scheduled = PAUSES[min(max(made, 1), len(PAUSES)) - 1] * random.uniform(1, 1 + JITTER)  # noqa: S311  # not a secret
    return min(max(scheduled, timedelta(seconds=_asked_for(answer))), LONGEST_PAUSE)


def _asked_for(answer: Answer) -> float:
    """`Retry-After`, which means something with these two alone (RFC 9110, RFC 6585)."""
    return answer.retry_after or 0.0 if answer.status in PAUSE_STATUSES else 0.0


def _attempt(sent: Sent) -> Attempt:
    made = Attempt.objects.filter(delivery=sent.delivery).aggregate(last=Max("number"))["last"] or 0
    return Attempt(
        webhook=sent.webhook,
        delivery=sent.delivery,
        number=made + 1,
        at=sent.at,
        duration_ms=sent.answer.duration_ms,
        response_status=sent.answer.status,
        response_body=sent.answer.excerpt,
        error=sent.answer.error[:300],
        is_success=sent.answer.is_success,
    )
