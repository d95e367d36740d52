"""Tests that say the same on both databases: a person's run has each of them on one of the two.

Those are marked `heavy("sqlite")`, because they take long or look at pages, or need a browser or a broker, or ask no
database at all. The run says so in one line. CI=true and HEAVY=true run them on both, and whoever names a test or its
file gets it.
"""

from collections.abc import Iterable
from typing import Final

import pytest

from tests.effort import IS_THOROUGH

FACILITIES: Final = {"browser": "sqlite", "broker": "postgresql"}
DATABASES: Final = {"sqlite", "postgresql"}
DATABASE_FIXTURES: Final = {"db", "transactional_db", "django_db_setup"}
_elsewhere_key = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "heavy(*databases): in a person's run of the whole suite on those alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if IS_THOROUGH or config.args_source is pytest.Config.ArgsSource.ARGS:
        return
    items[:], elsewhere = parted(items, config.getoption("database"))
    config.hook.pytest_deselected(items=elsewhere)
    config.stash[_elsewhere_key] = len(elsewhere)


def parted(items: Iterable[pytest.Item], database: str) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Those that are run on this database, and those that are run on the other one alone."""
    here: list[pytest.Item] = []
    elsewhere: list[pytest.Item] = []
    for item in items:
        (here if database in databases_of(item) else elsewhere).append(item)
    return here, elsewhere


def databases_of(item: pytest.Item) -> set[str]:
    if marker := item.get_closest_marker("heavy"):
        assert set(marker.args) <= DATABASES
        return set(marker.args)
    if needed := {database for marker, database in FACILITIES.items() if item.get_closest_marker(marker)}:
        return needed
    return DATABASES if asks_a_database(item) else {"sqlite"}


def asks_a_database(item: pytest.Item) -> bool:
    fixtures: Iterable[str] = getattr(item, "fixturenames", DATABASE_FIXTURES)
    return item.get_closest_marker("django_db") is not None or not DATABASE_FIXTURES.isdisjoint(fixtures)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if count := config.stash.get(_elsewhere_key, 0):
        (other,) = DATABASES - {config.getoption("database")}
        terminalreporter.write_line(
            f"{count} tests are run on {other} alone; with CI=true or HEAVY=true all are run on both databases."
        )
