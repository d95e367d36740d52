"""DomainEvent: something that happened, as a frozen dataclass that a database can keep for ever."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Self, dataclass_transform, get_args, get_type_hints
from uuid import UUID

from django.utils import timezone
from pydantic import TypeAdapter, ValidationError

from bookshelf_site.events.failures import BrokenPayload, UnknownToThisCode
from bookshelf_site.events.signals import SIGNALS, DomainSignal
from bookshelf_site.events.uid import uuid7

NAME_LENGTH = 100


def personal() -> Any:
    """A field about a person: kept apart from the rest, so that it can be erased; the event then decodes without it."""
    return field(metadata={"personal": True})


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field, personal))
@dataclass(frozen=True, kw_only=True)
class DomainEvent:
    """One fact, in the past tense.

        class OrderConfirmed(DomainEvent, name="orders.order_confirmed", version=1):
            order_id: UUID

    Fields are plain values: str, int, bool, Decimal, UUID, date, datetime, Money, None, and tuples or frozen
    dataclasses of these. `name` is a key in the database and in other people's programs: written by hand; if it has
    to change, `aliases` keeps the old ones, for the log does too. `version` goes up with any change of the fields, and
    `@upcasts` makes the new ones of the old. `uid`, `occurred_at` and `stream` (`app.model:id`) are columns of their
    own and take no part in equality.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    aliases: ClassVar[tuple[str, ...]]
    signal: ClassVar[DomainSignal]
    empties: ClassVar[dict[str, str | None]]
    adapter: ClassVar[TypeAdapter[Any]]

    uid: UUID = field(default_factory=uuid7, compare=False, repr=False)
    occurred_at: datetime = field(default_factory=timezone.now, compare=False, repr=False)
    stream: str = field(default="", compare=False, repr=False)

    def __init_subclass__(cls, *, name: str, version: int = 1, aliases: tuple[str, ...] = ()) -> None:
        """Raises ValueError for a name that is taken or too long, and for a field that can't be one."""
        super().__init_subclass__()
        for one in (name, *aliases):
            if one in EVENTS or len(one) > NAME_LENGTH:
                raise ValueError(f"an event's name is its own, of at most {NAME_LENGTH} characters: {one!r}")
        dataclass(frozen=True, kw_only=True)(cls)
        fields = {declared.name: declared for declared in dataclasses.fields(cls)}
        if taken := RESERVED & fields.keys():
            raise ValueError(f"{name}: no field can be called {', '.join(sorted(taken))}")
        hints = get_type_hints(cls)
        cls.name, cls.version, cls.aliases = name, version, aliases
        cls.signal, cls.adapter = DomainSignal(), TypeAdapter(cls)
        cls.empties = {key: _empty(name, hints[key]) for key in fields if fields[key].metadata.get("personal")}
        EVENTS.update(dict.fromkeys((name, *aliases), cls))
        SIGNALS.append(cls.signal)

    def encoded(self) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """What is stored: (data, personal), both of JSON's own types; `personal` is None where none is declared."""
        values = self.adapter.dump_python(self, mode="json")
        public = {key: value for key, value in values.items() if key not in ENVELOPE | self.empties.keys()}
        return public, {key: values[key] for key in self.empties} or None

    @classmethod
    def decoded(cls, values: dict[str, Any]) -> Self:
        """The event from what was stored. Unknown fields are ignored, erased personal ones come back empty.

        Raises BrokenPayload, which names the fields and quotes nothing of them.
        """
        try:
            event: Self = cls.adapter.validate_python(cls.empties | values)
        except ValidationError as error:
            wrong = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
            raise BrokenPayload(f"{cls.name} v{cls.version}: {'; '.join(wrong)}") from None
        return event


ENVELOPE = frozenset({"uid", "occurred_at", "stream"})
"""The fields of every event that are columns of their own."""

RESERVED = frozenset({"name", "version", "aliases", "signal", "empties", "adapter", "encoded", "decoded"})
"""What belongs to the class, so that no field may hide it."""

EVENTS: dict[str, type[DomainEvent]] = {}
"""Every event that this code knows, by name, and by the names that it had before."""

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""What makes the values of a version into those of the next, by the event's name and the version."""


def upcasts(name: str, *, version: int) -> Callable[[Upcaster], Upcaster]:
    """The function makes the stored values of this version into those of the next one.

        @upcasts("orders.order_shipped", version=1)
        def with_carrier(values):
            return values | {"carrier": "unknown"}

    A version without one was only added to, by fields with a default. Personal fields may be missing: they are erased
    on request. Raises ValueError if another function does it already.
    """

    def register(upcaster: Upcaster) -> Upcaster:
        if UPCASTERS.setdefault((name, version), upcaster) is not upcaster:
            raise ValueError(f"{name} v{version} is upcast by {UPCASTERS[name, version]!r} already")
        return upcaster

    return register


def decode(*, name: str, version: int, values: dict[str, Any]) -> DomainEvent:
    """A stored event as its class. Raises UnknownToThisCode for a name or a version of newer code, BrokenPayload."""
    known = EVENTS.get(name)
    if known is None:
        raise UnknownToThisCode(f"no event is called {name!r} in this code")
    if version > known.version:
        raise UnknownToThisCode(f"{name} v{version} was written by newer code; this code knows v{known.version}")
    return known.decoded(_upcast(known, version, values))


def _upcast(kind: type[DomainEvent], version: int, values: dict[str, Any]) -> dict[str, Any]:
    for old in range(version, kind.version):
        upcaster = UPCASTERS.get((kind.name, old), dict)
        try:
            values = upcaster(dict(values))
        except Exception as error:
            # of the error only its class: its text may quote somebody's data
            raise BrokenPayload(f"{kind.name} v{old}: {upcaster!r} raised {type(error).__name__}") from None
    return values


def _empty(event: str, hint: object) -> str | None:
    """What stands where a personal field was erased: None where it may be None, else the empty text."""
    if type(None) in get_args(hint):
        return None
    if hint is str:
        return ""
    raise ValueError(f"{event}: a personal field is a str or may be None, so that there is something to erase it to")
