"""Personal data leaves the log on request; what happened stays."""

from __future__ import annotations

from typing import Final

from django.db.models import F, QuerySet

from bookshelf_site.events import unit_of_work
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.triggers import erasing

ERASED: Final = "(erased)"
"""What people read where something was erased."""


@unit_of_work
def erase_personal(events: QuerySet[Event]) -> int:
    """Erase the personal fields of these events, and what their receivers' failures quoted; how many events had any.

    What is still owed of them is fenced off: a process that has read an event before can't acknowledge it any more, and
    whoever runs it later reads what is left. What was acknowledged before has had its effect when this returns.
    """
    deliveries = Delivery.objects.filter(event__in=events)
    deliveries.exclude(status=Delivery.Status.DONE).update(
        attempts=F("attempts") + 1, max_attempts=F("max_attempts") + 1
    )
    deliveries.exclude(last_error="").update(last_error=ERASED)
    with erasing():
        return events.filter(personal__isnull=False).update(personal=None)
