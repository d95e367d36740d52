"""What a mail says and how it is doing, for those who ask whether the customer has got it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bookshelf_site.events.models import Delivery
from inventory import notices
from orders.mail.letters import Letter
from orders.mail.notifications import letter_of
from orders.models import Order


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A mail that did not go out yet though it was tried; `due` is None if it is a dead letter."""

    tries: int
    reason: str
    due: datetime | None


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A customer's mail. Nothing of it is stored: it is written anew, from the order as it is."""

    letter: Letter
    attempt: Attempt | None


def preview(notification_id: UUID) -> Preview | None:
    """None for what the staff is told, in its digest."""
    notice = notices.notice(notification_id)
    if notice.is_for_staff or notice.order_id is None:
        return None
    order = Order.objects.get(pk=notice.order_id)
    return Preview(letter=letter_of(notice, order), attempt=_attempt(notification_id, notice.order_id))


def _attempt(notification_id: UUID, order_id: UUID) -> Attempt | None:
    delivery = (
        Delivery.objects.exclude(status=Delivery.Status.DONE)
        .exclude(last_error="")
        .filter(
            receiver="orders.mail_notification",
            stream=f"inventory.notification:{order_id}",
            event__data__notification_id=str(notification_id),
        )
        .first()
    )
    if delivery is None:
        return None
    # the last line of a traceback: the error's class, and what it says
    reason = delivery.last_error.strip().splitlines()[-1].partition(": ")[2]
    is_dead = delivery.status == Delivery.Status.DEAD
    return Attempt(tries=delivery.attempts, reason=reason, due=None if is_dead else delivery.due)
