"""The event log's door for programs: /api/v1/events."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field

from bookshelf_site.access.auth import needs
from bookshelf_site.errors import InvalidValue
from bookshelf_site.event_feed.cloud_event import CloudEvent, cloud_event
from bookshelf_site.event_feed.log import is_known, read_log
from bookshelf_site.pages import LIMIT, MAX_LIMIT, Page
from bookshelf_site.schemas import Number, Parameters

MAX_POSITION: Final = 2**63 - 1

router = Router()


class EventParameters(Parameters):
    after: Number = Field(
        0, ge=0, le=MAX_POSITION, description="the `after` of the last answer; without it, from the first event on"
    )
    type: list[str] = Field(
        default_factory=list,
        description="`orders.order_placed`, `orders.*` for a family, or `*`; several with commas, or repeated",
    )
    limit: Number = Field(LIMIT, ge=1, le=MAX_LIMIT, description="how many results a page has")

    @property
    def patterns(self) -> list[str]:
        """Raises InvalidValue for one that no event can match."""
        patterns = sorted({pattern.strip() for given in self.type for pattern in given.split(",")})
        if unknown := [pattern for pattern in patterns if not is_known(pattern)]:
            raise InvalidValue("query/type", f"no event is of the type {', '.join(unknown)[:200]}")
        return patterns


class EventPage(Page[CloudEvent]):
    """A part of the log, in the order that never changes."""

    after: int = Field(description="where this answer ends: ask again with it, now or later; never null")


@router.get("", operation_id="list_events", auth=needs("events.view_event"), response=EventPage)
def list_events(request: HttpRequest, parameters: Query[EventParameters]) -> EventPage:
    """All that happened in the shop, oldest first, to be followed by asking again and again.

    Keep the `after` of each answer, together with what you made of its results, and send it with the next request.
    `next` is the address for that as long as there is more to be had at once, and null when you have caught up. Nothing
    ever appears behind an `after` that you were given, no event comes twice, and none before the one that caused it.
    """
    found = read_log(after=parameters.after, patterns=parameters.patterns, limit=parameters.limit)
    return EventPage(
        results=[cloud_event(event) for event in found.events],
        next=_address(request, after=found.end) if found.has_more else None,
        previous=None,
        after=found.end,
    )


def _address(request: HttpRequest, *, after: int) -> str:
    query = request.GET.copy()
    query["after"] = str(after)
    return f"{settings.PUBLIC_URL}{request.path}?{query.urlencode()}"
