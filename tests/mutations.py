"""Takes away the safeguards of the event core, one at a time, and demands that a test notices.

    make mutations                                   all of them
    .venv/bin/python -m tests.mutations fence        those whose name has "fence" in it

Each is an exact change of the text, made in a copy of the tree; where the text has changed, it fails and says so.
Without DATABASE_URL each run has a PostgreSQL of its own. Exits with 1 if one is noticed by nobody.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

ROOT: Final = Path(__file__).resolve().parent.parent
LEFT_OUT: Final = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", ".*_cache")
DATABASES: Final = ("sqlite", "postgresql")
POSTGRESQL_ONLY: Final = ("postgresql",)
PASSED, FAILED = 0, 1
"""How pytest ends; all else is a mistake and no test that went red."""


class Changed(Exception):
    """The code that a mutation changes is not what it was."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """In this file this text, there once, becomes that."""

    path: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        file = root / self.path
        text = file.read_text()
        if text.count(self.old) != 1:
            raise Changed(f"{self.path} has {self.old!r} {text.count(self.old)} times, not once: adapt the mutation")
        file.write_text(text.replace(self.old, self.new))


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """What is taken away, how, and the tests that guard it."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    databases: tuple[str, ...] = DATABASES


CORE: Final = "bookshelf_site/events/"
MUTATIONS: Final = (
    Mutation(
        name="the fence: an acknowledgement asks for no attempt's number",
        edits=(
            Edit(
                path=f"{CORE}models.py",
                old="AND attempts = %s AND id {among}",
                new="AND %s IS NOT NULL AND id {among}",
            ),
        ),
        tests=("tests/events/test_delivery.py",),
    ),
    Mutation(
        name="acknowledge first: it is acknowledged after the effect",
        edits=(
            Edit(
                path=f"{CORE}delivery.py",
                old="_acknowledge(group)\n        for together in _calls(group):\n            _call(together)",
                new="for together in _calls(group):\n            _call(together)\n        _acknowledge(group)",
            ),
        ),
        tests=("tests/events/test_delivery.py", "tests/events/test_relay.py"),
    ),
    Mutation(
        name="robust=True: our hook may break those of others",
        edits=(
            Edit(
                path=f"{CORE}outbox.py",
                old="transaction.on_commit(news.announce, robust=True)",
                new="transaction.on_commit(news.announce)",
            ),
        ),
        tests=("tests/events/test_outbox.py",),
    ),
    Mutation(
        name="the unique key: an event may be owed twice to a receiver",
        edits=(
            Edit(
                path=f"{CORE}models.py",
                old='models.UniqueConstraint(fields=["event", "receiver", "target"], name="delivery_once"),',
                new="",
            ),
            Edit(
                path=f"{CORE}migrations/0001_initial.py",
                old='models.UniqueConstraint(fields=("event", "receiver", "target"), name="delivery_once"),',
                new="",
            ),
        ),
        tests=("tests/events/test_models.py",),
    ),
    Mutation(
        name="SKIP LOCKED: a relay waits for what another has locked",
        edits=(
            Edit(
                path=f"{CORE}relay.py",
                old='select_for_update(skip_locked=True, of=("self",), no_key=True)',
                new='select_for_update(of=("self",), no_key=True)',
            ),
        ),
        tests=("tests/events/test_relay.py",),
        databases=POSTGRESQL_ONLY,
    ),
    Mutation(
        name="first in, first out: what a receiver raises is heard at once",
        edits=(
            Edit(
                path=f"{CORE}outbox.py",
                old="if not _line.is_running and not _line.expected:",
                new="if not _line.expected:",
            ),
        ),
        tests=("tests/events/test_outbox.py",),
    ),
    Mutation(
        name="the count at the claim: only what ends is counted",
        edits=(
            Edit(
                path=f"{CORE}relay.py",
                old='update(attempts=F("attempts") + 1, due=until)',
                new="update(due=until)",
            ),
            Edit(path=f"{CORE}relay.py", old="        row.attempts += 1\n", new="        pass\n"),
        ),
        tests=("tests/events/test_relay.py",),
    ),
    Mutation(
        name="the compare-and-set of a failure: it is written whoever holds the delivery",
        edits=(
            Edit(
                path=f"{CORE}delivery.py",
                old="Delivery.objects.filter(pk=delivery.pk).held(attempts=delivery.attempts)",
                new="Delivery.objects.filter(pk=delivery.pk)",
            ),
        ),
        tests=("tests/events/test_delivery.py",),
    ),
    Mutation(
        name="the look at a broken transaction: a receiver that hid a database error is believed",
        edits=(
            Edit(
                path=f"{CORE}delivery.py",
                old="    if connection.needs_rollback or _is_aborted():\n",
                new="    if False:\n",
            ),
        ),
        tests=("tests/events/test_delivery.py",),
    ),
    Mutation(
        name="only known receivers: old code takes what only new code can deliver",
        edits=(
            Edit(
                path=f"{CORE}models.py",
                old="self.overdue(now).filter(receiver__in=receivers).first_in_line()",
                new="self.overdue(now).first_in_line()",
            ),
        ),
        tests=("tests/events/test_delivery.py",),
    ),
    Mutation(
        name="the line of an ordered receiver: each stream's events in any order",
        edits=(
            Edit(
                path=f"{CORE}models.py",
                old="filter(receiver__in=receivers).first_in_line().order_by",
                new="filter(receiver__in=receivers).order_by",
            ),
        ),
        tests=("tests/events/test_relay.py",),
    ),
    Mutation(
        name="the wait of whoever wakes a receiver: what is just being emitted is owed to nobody",
        edits=(
            Edit(
                path=f"{CORE}upkeep.py",
                old="last = _last_event(DEFAULT_DB_ALIAS)",
                new='last = Event.objects.aggregate(last=Max("pk"))["last"] or 0',
            ),
        ),
        tests=("tests/events/test_sleep.py",),
        databases=POSTGRESQL_ONLY,
    ),
)


def main(wanted: list[str]) -> int:
    chosen = [mutation for mutation in MUTATIONS if not wanted or any(word in mutation.name for word in wanted)]
    refuse_red_tests(chosen)
    survived = 0
    print("| taken away | database | tests that went red |\n|---|---|---|")
    for mutation in chosen:
        for database in mutation.databases:
            with mutated(mutation) as root:
                red = tests_that_fail(root, database, mutation.tests)
            survived += not red
            print(f"| {mutation.name} | {database} | {shown(red)} |", flush=True)
    print(f"{survived} of them nobody has noticed." if survived else "Each was noticed.")
    return 1 if survived else 0


def refuse_red_tests(chosen: list[Mutation]) -> None:
    """What is red anyway would prove nothing."""
    for database in DATABASES:
        files = {test for mutation in chosen if database in mutation.databases for test in mutation.tests}
        with copy() as root:
            if files and (red := tests_that_fail(root, database, tuple(sorted(files)))):
                sys.exit(f"On {database} these are red before anything is taken away: {', '.join(red)}")


@contextmanager
def mutated(mutation: Mutation) -> Iterator[Path]:
    with copy() as root:
        for edit in mutation.edits:
            edit.apply(root)
        yield root


@contextmanager
def copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bookshelf-mutation-") as folder:
        root = Path(folder) / "shop"
        shutil.copytree(ROOT, root, ignore=LEFT_OUT)
        yield root


def tests_that_fail(root: Path, database: str, files: tuple[str, ...]) -> list[str]:
    report = root / "report.xml"
    command = [sys.executable, "-m", "pytest", f"--database={database}", "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [*command, f"--junit-xml={report}", *files], cwd=root, env=environment, capture_output=True, text=True
    )
    if ran.returncode not in {PASSED, FAILED}:
        sys.exit(f"The tests could not be run:\n{ran.stdout[-3000:]}{ran.stderr[-3000:]}")
    cases = ET.parse(report).iter("testcase")
    return [case.attrib["name"] for case in cases if case.find("failure") is not None or case.find("error") is not None]


def shown(red: list[str]) -> str:
    """The first three, and how many more."""
    names = [f"`{name}`" for name in sorted({name.partition("[")[0] for name in red})]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more if names else "**none**"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
