from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from time_machine import TimeMachineFixture

from bookshelf_site.events import DomainEvent
from bookshelf_site.events.signals import SIGNALS
from tests.events import happenings

Connect = Callable[..., Callable[..., Any]]


@pytest.fixture(scope="session")
def _ledger_tables(django_db_setup: None, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock():
        happenings.make_ledger()


@pytest.fixture
def ledger(_ledger_tables: None, request: pytest.FixtureRequest) -> Iterator[None]:
    commits = any(marker.kwargs.get("transaction") for marker in request.node.iter_markers("django_db"))
    request.getfixturevalue("transactional_db" if commits else "db")
    yield
    if commits:
        happenings.empty_ledger()


@pytest.fixture
def connect() -> Iterator[Connect]:
    """`connect(Event, uid, function, **options)`: as `signal.connect`, undone when the test ends."""
    connected: list[tuple[type[DomainEvent], str]] = []

    def connect_until_the_end(
        event: type[DomainEvent], uid: str, function: Callable[..., Any] | None = None, **options: Any
    ) -> Callable[..., Any]:
        def note_it(sender: object, event: Any, **kwargs: object) -> None:
            happenings.note(uid, event.number)

        receiver = function or note_it
        event.signal.connect(receiver, dispatch_uid=uid, **options)
        connected.append((event, uid))
        return receiver

    yield connect_until_the_end
    for event, uid in connected:
        event.signal.disconnect(dispatch_uid=uid)


@pytest.fixture
def listen() -> Iterator[Callable[..., None]]:
    """`listen(Event, function)`: a best-effort receiver for the time of the test."""
    heard: list[tuple[type[DomainEvent], Callable[..., Any]]] = []

    def listen_until_the_end(event: type[DomainEvent], function: Callable[..., Any]) -> None:
        event.signal.connect(function, weak=False)
        heard.append((event, function))

    yield listen_until_the_end
    for event, function in heard:
        event.signal.disconnect(function)


@pytest.fixture
def later(time_machine: TimeMachineFixture) -> Callable[..., None]:
    """`later(seconds=60)`: so much time has passed."""
    time_machine.move_to(datetime.now(UTC))
    return lambda **span: time_machine.shift(timedelta(**span))


@pytest.fixture(autouse=True)
def no_receiver_is_left() -> Iterator[None]:
    before = [list(signal.durable) for signal in SIGNALS]
    yield
    assert [list(signal.durable) for signal in SIGNALS[: len(before)]] == before
