"""What the mail asks of a notification, and what it says came of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from django.utils import timezone

from bookshelf_site.events import unit_of_work
from bookshelf_site.events.compiled import Compiled
from bookshelf_site.events.models import Delivery
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.statements import update
from inventory.errors import NotYetTried
from inventory.models import Notification
from inventory.services import record_notification, record_notifications

Status = Notification.Status
Kind = Notification.Kind
STAFF: Final = Notification.Audience.STAFF
OUTCOME: Final = ("status", "sent_at", "error")
MAILED: Final = (*OUTCOME, "digest")


@dataclass(frozen=True, kw_only=True)
class Mailed:
    """What came of a mail; an error says why it failed, and nothing about a person."""

    status: Notification.Status
    error: str = ""

    @property
    def is_failure(self) -> bool:
        return self.status == Status.FAILED


SENT: Final = Mailed(status=Status.SENT)
PRINTED: Final = Mailed(status=Status.PRINTED)
NO_ADDRESS: Final = Mailed(status=Status.NO_ADDRESS)
WITHHELD: Final = Mailed(status=Status.WITHHELD)


def failed(reason: str) -> Mailed:
    return Mailed(status=Status.FAILED, error=reason)


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A notification as whoever writes the mail needs it."""

    id: UUID
    kind: str
    event_uid: UUID
    order_id: UUID | None
    book_id: UUID | None
    message: str
    is_for_staff: bool
    is_waiting: bool
    """Its mail is still to be sent."""


def notice(notification_id: UUID) -> Notice:
    for notification in _READ([notification_id]):
        return _as_notice(notification)
    raise Notification.DoesNotExist


_READ: Final = Compiled(lambda keys: Notification.objects.filter(pk__in=keys))


@unit_of_work
def note_mailed(*, notification_id: UUID, outcome: Mailed) -> None:
    """Write down what came of a customer's mail."""
    # whoever sends it holds its delivery, and nobody else says what came of it: it needn't be read
    notification = Notification(pk=notification_id)
    notification.note_mailed(outcome.status, outcome.error)
    update([notification], OUTCOME)


@unit_of_work
def note_failure(*, notification_id: UUID, event_uid: UUID, about: str) -> None:
    """Note that the staff is to be told of a customer's mail that failed."""
    notification = Notification.objects.get(pk=notification_id)
    record_notification(
        event_uid=event_uid,
        kind=Kind.MAIL_FAILED,
        audience=STAFF,
        message=f"{about}: the mail “{notification.get_kind_display()}” did not reach the customer",
        order_id=notification.order_id,
    )


@unit_of_work
def send_again(*, notification_id: UUID) -> Notification:
    """Have the mail of a notification sent once more: to the customer at once, to staff with the next digest.

    Raises NotYetTried for one whose first is still on its way.
    """
    notification = Notification.objects.locked().get(pk=notification_id)
    if notification.status == Status.RECORDED:
        raise NotYetTried
    notification.open_again()
    notification.save(update_fields=MAILED)
    emit(notification.resend_requested())
    return notification


@unit_of_work
def forget_errors(*, order_id: UUID) -> None:
    """What mail servers said about the customer of an order is gone."""
    Notification.objects.of_order(order_id).exclude(error="").update(error="")


def is_any_untold() -> bool:
    """Is there something that no digest has told the staff yet?"""
    return Notification.objects.untold().exists()


@unit_of_work
def take_untold(*, digest: UUID) -> int:
    """Put all that the staff wasn't told yet into this digest; of two that take at once each notice is in one."""
    return Notification.objects.untold().update(digest=digest)


def told_in(digest: UUID) -> list[Notice]:
    """What a digest tells, oldest first."""
    return [_as_notice(one) for one in Notification.objects.filter(digest=digest).order_by("created_at", "id")]


@unit_of_work
def note_told(*, digest: UUID, outcome: Mailed) -> None:
    """Write down what came of a digest."""
    sent_at = timezone.now() if outcome.status == Status.SENT else None
    Notification.objects.filter(digest=digest).update(status=outcome.status, error=outcome.error, sent_at=sent_at)


@unit_of_work
def note_dead_letters(deliveries: Iterable[Delivery]) -> int:
    """Note for the staff each time that a delivery has died, once; how many are new."""
    by_uid = {_uid_of_death(delivery): delivery for delivery in deliveries}
    known = set(
        Notification.objects.filter(event_uid__in=by_uid, kind=Kind.DELIVERY_DIED).values_list("event_uid", flat=True)
    )
    new = {uid: delivery for uid, delivery in by_uid.items() if uid not in known}
    record_notifications([_of_death(uid, delivery) for uid, delivery in new.items()])
    return len(new)


def _of_death(uid: UUID, delivery: Delivery) -> Notification:
    what = f"{delivery.receiver} → {delivery.target}" if delivery.target else delivery.receiver
    return Notification(
        event_uid=uid,
        kind=Kind.DELIVERY_DIED,
        audience=STAFF,
        message=f"{what}: gave up on {delivery.event.name} after {delivery.attempts} attempts",
    )


def _uid_of_death(delivery: Delivery) -> UUID:
    """Of one delivery that dies again after it was retried, each death is news; attempts only ever grow."""
    return uuid5(delivery.event.uid, f"{delivery.receiver} {delivery.target} {delivery.attempts}")


def _as_notice(notification: Notification) -> Notice:
    return Notice(
        id=notification.pk,
        kind=notification.kind,
        event_uid=notification.event_uid,
        order_id=notification.order_id,
        book_id=notification.book_id,
        message=notification.message,
        is_for_staff=notification.audience == STAFF,
        is_waiting=notification.status == Status.RECORDED,
    )
