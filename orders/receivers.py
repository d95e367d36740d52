"""Whom the orders hear, and what they do then."""

from __future__ import annotations

from django.dispatch import receiver

from inventory.events import CopiesReturned
from orders import services


@receiver(CopiesReturned.signal, dispatch_uid="orders.note_return", alone=True)
def note_return(sender: object, event: CopiesReturned, **kwargs: object) -> None:
    """What came back stands in the order's timeline too."""
    services.note_return(
        order_id=event.order_id, line_id=event.line_id, quantity=event.quantity, is_damaged=event.is_damaged
    )
