"""The log as it is read from outside: forwards from a position, in the one order that the sequencer gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Q

from bookshelf_site.events.domain_event import EVENTS
from bookshelf_site.events.models import Event
from bookshelf_site.events.sequencer import AT_ONCE, last_position, sequence

EVERYTHING: Final = "*"
ALL_OF: Final = ".*"


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Events in their order; all that were asked for, up to the position `end`, are among them."""

    events: list[Event]
    end: int
    has_more: bool


def read_log(*, after: int, patterns: Sequence[str], limit: int) -> Stretch:
    """The events behind a position, of all types or those that match; numbers first what is not numbered yet."""
    is_behind = sequence() >= AT_ONCE
    # what is numbered while we read is for the next time, or `end` would pass over it
    last = last_position()
    wanted = Event.objects.filter(of_types(patterns), position__gt=after, position__lte=last)
    found = list(wanted.defer("personal").order_by("position")[: limit + 1]) if last > after else []
    if len(found) <= limit:
        return Stretch(events=found, end=last, has_more=is_behind)
    return Stretch(events=found[:limit], end=found[limit - 1].position or 0, has_more=True)


def of_types(patterns: Sequence[str]) -> Q:
    """Events of these names and families (`orders.*`); without any, or with `*`, all events.

    A family is asked for by its beginning and not by the names that this code knows: newer code may write others.
    """
    condition = Q()
    for pattern in () if EVERYTHING in patterns else patterns:
        family = pattern.removesuffix("*")
        condition |= Q(name__in=_names_of(pattern)) if family == pattern else Q(name__startswith=family)
    return condition


def _names_of(name: str) -> set[str]:
    """The names under which this event was ever stored."""
    return {name} | {known for known, event in EVENTS.items() if event is EVENTS.get(name)}


def is_known(pattern: str) -> bool:
    """Does this code know an event that the pattern is about? A misspelt one would wait for ever."""
    if pattern == EVERYTHING:
        return True
    if pattern.endswith(ALL_OF):
        return any(name.startswith(pattern.removesuffix("*")) for name in EVENTS)
    return pattern in EVENTS
