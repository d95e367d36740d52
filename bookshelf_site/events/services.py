"""What staff may do about a dead letter; who did it, when and why is itself an event."""

from __future__ import annotations

from django.db import transaction

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events import embedded, unit_of_work
from bookshelf_site.events.errors import NotDead
from bookshelf_site.events.events import DeliveryRetried, DeliverySkipped
from bookshelf_site.events.models import Delivery
from bookshelf_site.events.outbox import emit

REASON_LENGTH = 500


@unit_of_work
def retry_delivery(*, delivery_id: int) -> Delivery:
    """Owe a dead letter again, now, with its full number of attempts on top. Raises NotDead."""
    delivery = _dead(delivery_id)
    delivery.retry()
    delivery.save()
    emit(
        DeliveryRetried(
            stream=delivery.own_stream,
            event_uid=delivery.event.uid,
            receiver=delivery.receiver,
            target=delivery.target,
            attempts=delivery.attempts,
        )
    )
    transaction.on_commit(embedded.wake, robust=True)
    return delivery


@unit_of_work
def skip_delivery(*, delivery_id: int, reason: str) -> Delivery:
    """Give a dead letter up: it counts as settled, and the line behind it moves on. Raises NotDead, InvalidValue."""
    reason = reason.strip()
    if not reason or len(reason) > REASON_LENGTH:
        raise InvalidValue(
            "reason", f"say why in 1 to {REASON_LENGTH} characters: nobody will hear this event any more"
        )
    delivery = _dead(delivery_id)
    delivery.skip(reason=reason)
    delivery.save()
    emit(
        DeliverySkipped(
            stream=delivery.own_stream,
            event_uid=delivery.event.uid,
            receiver=delivery.receiver,
            target=delivery.target,
            attempts=delivery.attempts,
            reason=reason,
        )
    )
    transaction.on_commit(embedded.wake, robust=True)
    return delivery


def _dead(delivery_id: int) -> Delivery:
    locked = Delivery.objects.select_related("event").select_for_update(of=("self",), no_key=True)
    delivery = locked.get(pk=delivery_id)
    if delivery.status != Delivery.Status.DEAD:
        raise NotDead(delivery_id=delivery.pk, current=delivery.status)
    return delivery
