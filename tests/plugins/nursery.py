"""The fixture `nursery`: processes of the shop on the test's database, without the second that each takes to begin.

`nursery().start("manage.py", "relay")` is what `python -W error manage.py relay` is, `start("tests.events.child")` what
`python -W error -m tests.events.child` is; how, says `tests/nursery.py`. Those that a test leaves behind are killed.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
MOST: Final = 4
"""So many are kept for the next test: each holds a hundred megabytes."""
Environment = frozenset[tuple[str, str]]


class Child:
    """A process that was forked off the nursery, with what a test needs of a `Popen`."""

    def __init__(self, news: IO[str]) -> None:
        self.news = news
        self.pid = int(news.readline())
        self.returncode: int | None = None
        self.streams: list[IO[str]] = [news]

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self.news], [], [], 0)[0]:
            self.returncode = int(self.news.readline())
        return self.returncode

    def wait(self, seconds: float) -> int:
        if self.returncode is None and not select.select([self.news], [], [], seconds)[0]:
            raise subprocess.TimeoutExpired(f"process {self.pid}", seconds)
        ended = self.poll()
        assert ended is not None
        return ended

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def end(self) -> None:
        self.send_signal(signal.SIGKILL)
        self.wait(60)
        for stream in self.streams:
            stream.close()


class TalkingChild(Child):
    """One whose input and output are the test's."""

    def __init__(self, news: IO[str], stdin: IO[str], stdout: IO[str]) -> None:
        super().__init__(news)
        self.stdin, self.stdout = stdin, stdout
        self.streams += [stdin, stdout]


class Nursery:
    def __init__(self, environment: Environment) -> None:
        self.orders, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.nursery", str(theirs.fileno())],
            cwd=ROOT,
            env=dict(environment),
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        self.children: list[Child] = []

    def start(self, *command: str, errors: IO[Any] | None = None) -> TalkingChild:
        """What it complains of goes to the file `errors`, if there is one."""
        stdin, write = os.pipe()
        read, stdout = os.pipe()
        news = self._order(command, stdin, stdout, os.dup(errors.fileno() if errors else 2))
        child = TalkingChild(news, os.fdopen(write, "w"), os.fdopen(read))
        self.children.append(child)
        return child

    def run(self, *command: str, seconds: float = 180) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            nothing = os.open(os.devnull, os.O_RDONLY)
            child = Child(self._order(command, nothing, os.dup(output.fileno()), os.dup(errors.fileno())))
            self.children.append(child)
            ended = child.wait(seconds)
            output.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(command, ended, output.read(), errors.read())

    def _order(self, command: tuple[str, ...], *standard: int) -> IO[str]:
        """Where its minder tells of the child; the descriptors are given away."""
        news, told = os.pipe()
        socket.send_fds(self.orders, [json.dumps(command).encode()], [*standard, told])
        for descriptor in (*standard, told):
            os.close(descriptor)
        return os.fdopen(news)

    def clear(self) -> None:
        for child in self.children:
            child.end()
        self.children.clear()

    def close(self) -> None:
        self.orders.close()
        self.process.wait(60)


@pytest.fixture(scope="session")
def _nurseries() -> Iterator[dict[Environment, Nursery]]:
    nurseries: dict[Environment, Nursery] = {}
    yield nurseries
    for one in nurseries.values():
        one.close()


@pytest.fixture
def nursery(
    child_environment: dict[str, str], _nurseries: dict[Environment, Nursery]
) -> Iterator[Callable[..., Nursery]]:
    """`nursery(EVENTS_ENGINE="relay")`: the one whose children have this in their environment too."""

    def for_children_with(**environment: str) -> Nursery:
        wanted = child_environment | environment
        wanted.pop("PYTEST_CURRENT_TEST", None)
        key = frozenset(wanted.items())
        _nurseries[key] = _nurseries.pop(key) if key in _nurseries else Nursery(key)
        return _nurseries[key]

    yield for_children_with
    for one in _nurseries.values():
        one.clear()
    while len(_nurseries) > MOST:
        _nurseries.pop(next(iter(_nurseries))).close()
