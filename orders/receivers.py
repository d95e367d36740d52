"""Whom the orders hear, and what they do then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.dispatch import receiver

from inventory.events import (
    CopiesReturned,
    NotificationRecorded,
    ResendRequested,
    WaitingFilled,
    WaitingPartlyFilled,
)
from orders import services
from orders.events import StaffDigestComposed
from orders.mail import digest, notifications
from orders.mail.post import TRIES

LEASE = timedelta(seconds=50)
"""A mail server may be slow at each of its answers; shorter than `relay --once` is patient."""


@receiver(CopiesReturned.signal, dispatch_uid="orders.note_return", alone=True)
def note_return(sender: object, event: CopiesReturned, **kwargs: object) -> None:
    """What came back stands in the order's timeline too."""
    services.note_return(
        order_id=event.order_id, line_id=event.line_id, quantity=event.quantity, is_damaged=event.is_damaged
    )


# a uid each, or one transaction would lock the orders of the one and then those of the other, by no ascending key
@receiver(WaitingFilled.signal, dispatch_uid="orders.note_filled_lines", batch=True)
@receiver(WaitingPartlyFilled.signal, dispatch_uid="orders.note_partly_filled_lines", batch=True)
def note_filled_lines(sender: object, events: Sequence[WaitingFilled | WaitingPartlyFilled], **kwargs: object) -> None:
    """An order that shows other copies has changed; who gave them to it held the lock of the stock alone."""
    services.note_filled_lines(order_ids={event.order_id for event in events})


@receiver(
    [NotificationRecorded.signal, ResendRequested.signal],
    dispatch_uid="orders.mail_notification",
    external=True,
    ordered=True,
    only_if="by_mail",
    max_attempts=TRIES,
    lease=LEASE,
    record=notifications.record_mail,
)
def mail_notification(sender: object, event: NotificationRecorded | ResendRequested, **kwargs: object) -> object:
    """What is to be told to an order's customer goes out as a mail, one after the other."""
    return notifications.mail_notification(event)


@receiver(
    StaffDigestComposed.signal,
    dispatch_uid=digest.RECEIVER,
    external=True,
    max_attempts=TRIES,
    lease=LEASE,
    record=digest.record_digest,
)
def mail_staff_digest(sender: object, event: StaffDigestComposed, **kwargs: object) -> object:
    """What the staff should know goes out in one mail."""
    return digest.mail_digest(event)
