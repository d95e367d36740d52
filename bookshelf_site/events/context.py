"""Who acts, and on whose request: carried along to every event that is raised meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from uuid import UUID

ACTOR_LENGTH = 150


@dataclass(frozen=True, kw_only=True)
class Context:
    """The actor's label (kept when the user is deleted), the request's id, and the event that caused this."""

    actor: str = ""
    correlation_id: str = ""
    causation_id: UUID | None = None


_NOBODY = Context()
_context: ContextVar[Context] = ContextVar("bookshelf_context", default=_NOBODY)


def current_context() -> Context:
    """What every event raised here and now is stamped with."""
    return _context.get()


def current_actor() -> str:
    """Who acts: `user:alice`, `key:web shop`, `` for the system itself."""
    return _context.get().actor


@contextmanager
def within(context: Context) -> Iterator[Context]:
    """Inside this block exactly this context holds."""
    token = _context.set(context)
    try:
        yield context
    finally:
        _context.reset(token)


@contextmanager
def acting(
    *, actor: str | None = None, correlation_id: str | None = None, causation_id: UUID | None = None
) -> Iterator[Context]:
    """Inside this block the given parts of the context hold; what isn't given stays."""
    now = _context.get()
    context = replace(
        now,
        # a user's name alone may fill the column, and no change may fail for who made it
        actor=now.actor if actor is None else actor[:ACTOR_LENGTH],
        correlation_id=now.correlation_id if correlation_id is None else correlation_id,
        causation_id=now.causation_id if causation_id is None else causation_id,
    )
    with within(context):
        yield context
