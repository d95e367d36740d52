"""Tests that take long and say the same on both databases: a person's run has each of them on one of the two.

Those are marked `heavy("sqlite")`, and all that need a browser or a broker. The run says so in one line. CI=true and
HEAVY=true run them on both, and whoever names a test or its file gets it.
"""

from collections.abc import Iterable
from typing import Final

import pytest

from tests.effort import IS_THOROUGH

FACILITIES: Final = {"browser": "sqlite", "broker": "postgresql"}
DATABASES: Final = ("sqlite", "postgresql")
_elsewhere_key = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "heavy(database): in a person's run of the whole suite on that database alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if IS_THOROUGH or config.args_source is pytest.Config.ArgsSource.ARGS:
        return
    items[:], elsewhere = parted(items, config.getoption("database"))
    config.hook.pytest_deselected(items=elsewhere)
    config.stash[_elsewhere_key] = len(elsewhere)


def parted(items: Iterable[pytest.Item], database: str) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Those that are run on this database, and those that are heavy and run on the other one."""
    here: list[pytest.Item] = []
    elsewhere: list[pytest.Item] = []
    for item in items:
        (here if alone_on(item) in {None, database} else elsewhere).append(item)
    return here, elsewhere


def alone_on(item: pytest.Item) -> str | None:
    if marker := item.get_closest_marker("heavy"):
        (database,) = marker.args
        assert database in DATABASES
        return str(database)
    return next((database for marker, database in FACILITIES.items() if item.get_closest_marker(marker)), None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if count := config.stash.get(_elsewhere_key, 0):
        (other,) = set(DATABASES) - {config.getoption("database")}
        terminalreporter.write_line(
            f"{count} heavy tests are run on {other} alone; with CI=true or HEAVY=true they are run on both."
        )
