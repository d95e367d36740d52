"""The causal chain of an event: what led to it, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from bookshelf_site.events.models import Event

MOST_LEVELS: Final = 12
"""So many up and so many down; each costs one query."""
MOST_EFFECTS: Final = 100


@dataclass
class Link:
    """An event with those of its effects that are shown."""

    event: Event
    effects: list[Link] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """From the first cause down: of the causes only the way to the event, of the event all that came of it."""

    first: Link
    is_cut_above: bool
    is_cut_below: bool


def chain_of(event: Event) -> Chain:
    own = Link(event)
    is_cut_below = _grow(own)
    first, levels = own, 0
    while (cause := _cause(first.event)) is not None and levels < MOST_LEVELS:
        first, levels = Link(cause, [first]), levels + 1
    return Chain(first=first, is_cut_above=cause is not None, is_cut_below=is_cut_below)


def _cause(event: Event) -> Event | None:
    return Event.objects.defer("personal").filter(uid=event.causation_id).first() if event.causation_id else None


def _grow(root: Link) -> bool:
    """Hang the effects below; True if there are more than are shown."""
    leaves, room = {root.event.uid: root}, MOST_EFFECTS
    for _ in range(MOST_LEVELS):
        effects = Event.objects.defer("personal").filter(causation_id__in=leaves).order_by("id")
        found = list(effects[: room + 1])
        grown = {}
        for effect in found[:room]:
            grown[effect.uid] = Link(effect)
            leaves[effect.causation_id].effects.append(grown[effect.uid])  # type: ignore[index]  # it was asked for
        if len(found) > room or not grown:
            return len(found) > room
        leaves, room = grown, room - len(grown)
    return Event.objects.filter(causation_id__in=leaves).exists()
