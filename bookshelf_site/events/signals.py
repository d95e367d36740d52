"""Django's signal with one addition: a receiver with a `dispatch_uid` is owed every event exactly once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from uuid import UUID
from weakref import WeakSet

from django.dispatch import Signal
from django.utils.inspect import func_accepts_kwargs

if TYPE_CHECKING:
    from bookshelf_site.events.domain_event import DomainEvent


class ReceiverOptions(TypedDict, total=False):
    """How a durable receiver is run; each has its default in `DurableReceiver`."""

    external: bool
    ordered: bool
    batch: bool
    alone: bool
    repeatable: bool
    max_attempts: int
    lease: timedelta
    record: Callable[..., None] | None
    only_if: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DurableReceiver:
    """A receiver under its uid, the key by which deliveries name it.

    external: talks to the outside; runs in no request and no transaction, is at-least-once, and answers within
        half of its lease.
    ordered: hears the events of one stream in their order; a dead one blocks its stream.
    batch: is called with `events=[…]`, several at once, all of one class and one actor.
    alone: locks rows of others and so never shares a transaction.
    repeatable: may be replayed over what it has done.
    record: writes an external receiver's outcome, in the transaction that acknowledges it.
    only_if: a field, not personal, by which an event may say that it is nothing for this receiver: `False`, not owed.
    aliases: uids that it had before; what is owed under them is its own. They may go a release after they came.
    """

    uid: str
    function: Callable[..., Any]
    external: bool = False
    ordered: bool = False
    batch: bool = False
    alone: bool = False
    repeatable: bool = False
    max_attempts: int = 12
    lease: timedelta = timedelta(seconds=30)
    record: Callable[..., None] | None = None
    only_if: str = ""
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for what could not be kept, or not be kept to."""
        if wrong := [name for name in self.names if not 1 <= len(name) <= UID_LENGTH]:
            raise ValueError(f"{wrong[0]!r}: a dispatch_uid has 1 to {UID_LENGTH} characters")
        if inspect.iscoroutinefunction(self.function):
            raise ValueError(f"{self.uid}: a durable receiver can't be async, its effect shares a transaction")
        if not func_accepts_kwargs(self.function):
            raise ValueError(f"{self.uid}: a receiver accepts **kwargs, as Django's do")
        if self.record is not None and not self.external:
            raise ValueError(f"{self.uid}: only an external receiver has an outcome to record")
        # Django's dispatcher logs a receiver that raised by this name
        vars(self)["__qualname__"] = getattr(self.function, "__qualname__", self.uid)

    @property
    def names(self) -> tuple[str, ...]:
        """Under these its deliveries may stand: its uid, and what that was before."""
        return (self.uid, *self.aliases)

    @property
    def runs_inline(self) -> bool:
        """May it run in the process that has just committed? What talks outside or waits its turn may not."""
        return not (self.external or self.ordered)

    def hears(self, event: DomainEvent) -> bool:
        """Is it owed this one of the events of its signals?"""
        return not self.only_if or bool(getattr(event, self.only_if, True))

    def __call__(self, *, signal: Signal, sender: object, event: DomainEvent, **kwargs: object) -> object:
        """Heard as a plain Django receiver, unless the event is stored: then its delivery runs it."""
        if event.uid == _stored.get() or not self.hears(event):
            return None
        return self.run(sender=sender, events=[event], signal=signal, **kwargs)

    def run(self, *, sender: object, events: Sequence[DomainEvent], **kwargs: object) -> Any:
        if self.batch:
            return self.function(sender=sender, events=events, **kwargs)
        (event,) = events
        return self.function(sender=sender, event=event, **kwargs)


UID_LENGTH = 100

RECEIVERS: dict[str, DurableReceiver] = {}
"""Every durable receiver that this code knows, by uid, and by the uids that it had before."""

_stored: ContextVar[UUID | None] = ContextVar("bookshelf_stored_event", default=None)


@contextmanager
def announcing(uid: UUID) -> Iterator[None]:
    """Inside this block the event with this uid is known to be stored, so durable receivers stand back."""
    token = _stored.set(uid)
    try:
        yield
    finally:
        _stored.reset(token)


class DomainSignal(Signal):
    """The signal of one domain event."""

    def __init__(self) -> None:
        super().__init__()
        self.durable: dict[str, DurableReceiver] = {}
        self.undecided: WeakSet[Callable[..., Any]] = WeakSet()

    def connect(
        self,
        receiver: Callable[..., Any],
        sender: object | None = None,
        weak: bool = True,  # noqa: FBT001, FBT002  # Django's signature
        dispatch_uid: str | None = None,
        *,
        best_effort: bool = False,
        **options: Unpack[ReceiverOptions],
    ) -> None:
        """As Django's, and with a `dispatch_uid` durable: recorded, retried, dead-lettered.

        Whoever needs none of that says `best_effort=True`; a system check asks those who say neither. Raises ValueError
        for a uid that another function has, for `sender=` or `best_effort` with a uid, for options without one, and for
        an async receiver or one that lacks **kwargs.
        """
        if dispatch_uid is None:
            if options:
                raise ValueError(f"{receiver!r}: only a receiver with a dispatch_uid can be {', '.join(options)}")
            if not best_effort:
                self.undecided.add(_function(receiver))
            super().connect(receiver, sender=sender, weak=weak)
            return
        if best_effort:
            raise ValueError(f"{dispatch_uid}: a receiver with a dispatch_uid is durable, not best effort")
        durable = _registered(DurableReceiver(uid=dispatch_uid, function=receiver, **options), sender)
        self.durable[dispatch_uid] = durable
        super().connect(durable, weak=False, dispatch_uid=dispatch_uid)

    def disconnect(
        self,
        receiver: Callable[..., Any] | None = None,
        sender: object | None = None,
        dispatch_uid: str | None = None,
    ) -> bool:
        """As Django's; a uid that no signal holds any more is forgotten."""
        gone = super().disconnect(receiver=receiver, sender=sender, dispatch_uid=dispatch_uid)
        if gone and dispatch_uid is not None:
            del self.durable[dispatch_uid]
            _forget_if_unused(dispatch_uid)
        if gone and receiver is not None:
            self.undecided.discard(_function(receiver))
        return gone

    @property
    def has_best_effort_receivers(self) -> bool:
        return len(self.receivers) > len(self.durable)


def _function(receiver: Callable[..., Any]) -> Callable[..., Any]:
    """A bound method is gone as soon as it is looked at, its function stays."""
    function: Callable[..., Any] = getattr(receiver, "__func__", receiver)
    return function


def _registered(durable: DurableReceiver, sender: object | None) -> DurableReceiver:
    if sender is not None:
        raise ValueError(f"{durable.uid}: a durable receiver hears every sender; drop sender= or the dispatch_uid")
    for name in durable.names:
        known = RECEIVERS.get(name, durable)
        if known.function != durable.function:
            raise ValueError(f"{name}: taken by {known.function!r}; a uid names one receiver for ever")
        if known != durable:
            raise ValueError(f"{name}: its options are the same for every signal that it hears")
    RECEIVERS.update(dict.fromkeys(durable.names, durable))
    return RECEIVERS[durable.uid]


def _forget_if_unused(uid: str) -> None:
    if not any(uid in signal.durable for signal in SIGNALS):
        for name in RECEIVERS[uid].names:
            del RECEIVERS[name]


def durable_receivers() -> list[DurableReceiver]:
    """Each durable receiver that this code knows, once, by uid."""
    return [durable for name, durable in sorted(RECEIVERS.items()) if name == durable.uid]


SIGNALS: list[DomainSignal] = []
"""The signal of every domain event, in the order of their definition."""
