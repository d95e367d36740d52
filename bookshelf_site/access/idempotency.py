"""`Idempotency-Key`: a POST that is sent again takes effect once, and is answered as it was the first time.

What the operation has made is kept in the transaction of its effect: both commit or neither. So whatever dies after
the commit, a retry finds it done; and a request that was refused or failed has left nothing, and may be tried again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, NamedTuple, TypeVar

from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse

from bookshelf_site.access.models import IDEMPOTENCY_KEY_LENGTH, ApiKey, KeptAnswer
from bookshelf_site.errors import DomainError, InvalidValue
from bookshelf_site.events import unit_of_work

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
SECONDS_THE_FIRST_IS_WAITED_FOR: Final = 5

Operation = TypeVar("Operation", bound=Callable[..., Any])


class IdempotencyInProgress(DomainError):
    """The first request with this Idempotency-Key is still running: send it again in a moment."""

    code = "idempotency_in_progress"
    status = 409
    retry_after = 1


class IdempotencyKeyReused(DomainError):
    """This Idempotency-Key was sent with another body: a new request takes a new key."""

    code = "idempotency_key_reused"
    status = 422


class AlreadyCreated(DomainError):
    """The first request with this Idempotency-Key has made {existing_id}; its secret was shown once, in that answer."""

    code = "already_created"
    status = 409

    def __init__(self, existing_id: object) -> None:
        super().__init__(existing_id)
        self.existing_id = existing_id

    @property
    def extra(self) -> dict[str, object]:
        return {"existing_id": self.existing_id}


class Made(NamedTuple):
    """What an operation has made, by its id, and as it has it in hand: the first answer needn't read it again."""

    id: object
    in_hand: Any


class Answering(NamedTuple):
    """How the answer of an operation is read, by what it has made; and what a repeated request is told."""

    read: Callable[[Any, HttpResponse], Any]
    read_again: Callable[[Any, HttpResponse], Any]


def answered_by(read: Callable[[Any, HttpResponse], Any]) -> Callable[[Operation], Operation]:
    """The operation returns what it has made: an id, or other JSON. `read` makes the answer of it, after the commit.

    So the answer tells what receivers have moved, and a repeated request is answered by `read` alone. Where they move
    nothing that it tells, the operation may return `Made`: the first time `read` is called with that.
    """
    return _answering(Answering(read, read))


def answered_once_by(read: Callable[[Any, HttpResponse], Any]) -> Callable[[Operation], Operation]:
    """As `answered_by`, but the answer holds a secret that is shown once: a repeated request is told the id alone."""
    return _answering(Answering(read, _already_created))


def answering(operation: Callable[..., Any]) -> Answering | None:
    return getattr(operation, "answering", None)


def refusals(operation: Callable[..., Any]) -> set[str]:
    """The codes of what the header may be refused with."""
    codes = {IdempotencyInProgress.code, IdempotencyKeyReused.code}
    how = answering(operation)
    return codes | {AlreadyCreated.code} if how and how.read_again is _already_created else codes


def once(request: HttpRequest, key: ApiKey, act: Callable[[], Any]) -> tuple[Any, bool]:
    """What the operation has made, and whether it was now; without the header it simply acts.

    Raises IdempotencyInProgress, IdempotencyKeyReused, InvalidValue.
    """
    given = request.headers.get(HEADER)
    if given is None:
        return act(), True
    claim = _claim(request, key, given)
    with _claimed(claim) as kept:
        if kept.pk == claim.pk:
            made = act()
            kept.made = made.id if isinstance(made, Made) else made
            kept.save(update_fields=["made"])
            return made, True
    if kept.body_hash != claim.body_hash:
        raise IdempotencyKeyReused
    return kept.made, False


def _answering(how: Answering) -> Callable[[Operation], Operation]:
    def mark(operation: Operation) -> Operation:
        operation.answering = how  # type: ignore[attr-defined]  # a function takes any attribute
        return operation

    return mark


def _already_created(made: Any, response: HttpResponse) -> Any:
    raise AlreadyCreated(made)


def _claim(request: HttpRequest, key: ApiKey, given: str) -> KeptAnswer:
    if not re.fullmatch(rf"[!-~]{{1,{IDEMPOTENCY_KEY_LENGTH}}}", given):
        raise InvalidValue(
            f"header/{HEADER}", f"1 to {IDEMPOTENCY_KEY_LENGTH} visible characters of ASCII, such as a UUID"
        )
    return KeptAnswer(
        key=key,
        request=f"{request.method} {request.path}",
        idempotency_key=given,
        body_hash=hashlib.sha256(request.META.get("QUERY_STRING", "").encode() + b"\0" + request.body).hexdigest(),
    )


@contextmanager
def _claimed(claim: KeptAnswer) -> Iterator[KeptAnswer]:
    """A transaction that holds the claim, or what is kept of the first."""
    with ExitStack() as stack:
        try:
            kept = _enter(stack, claim)
        except OperationalError as error:
            if _was_waiting(error):
                raise IdempotencyInProgress from error
            raise
        yield kept


def _enter(stack: ExitStack, claim: KeptAnswer) -> KeptAnswer:
    if connection.vendor == "sqlite":
        # there is one writer: whoever begins a transaction waits for it, be it the first request or another
        _run(f"PRAGMA busy_timeout = {SECONDS_THE_FIRST_IS_WAITED_FOR * 1000}")
        try:
            stack.enter_context(unit_of_work)
        finally:
            _run(f"PRAGMA busy_timeout = {int(connection.settings_dict['OPTIONS'].get('timeout', 5)) * 1000}")
        return KeptAnswer.objects.claimed(claim)
    stack.enter_context(unit_of_work)
    _run(f"SET LOCAL lock_timeout = '{SECONDS_THE_FIRST_IS_WAITED_FOR}s'")
    kept = KeptAnswer.objects.claimed(claim)
    _run("SET LOCAL lock_timeout TO DEFAULT")
    return kept


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _was_waiting(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlstate", "") == "55P03" or "locked" in str(error)
