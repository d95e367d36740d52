"""Tests marked `browser` need Chromium, tests marked `broker` a message broker; where there is none they are skipped.

The run says so in one line, and with CI=true it refuses to start without them.
"""

import functools
import os
import shutil
from collections.abc import Iterable

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@functools.cache
def chromium() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@functools.cache
def broker() -> str | None:
    """The address of a broker that answers: CELERY_BROKER_URL, or RabbitMQ as it is installed."""
    from kombu import exceptions
    from kombu.connection import Connection

    url = os.environ.get("CELERY_BROKER_URL") or "amqp://guest:guest@127.0.0.1:5672//"
    try:
        with Connection(url, connect_timeout=2) as connection:
            connection.connect()
    except (OSError, exceptions.KombuError):
        return None
    return url


FACILITIES = {"browser": ("Chromium", chromium), "broker": ("message broker", broker)}


def pytest_configure(config: pytest.Config) -> None:
    for marker, (what, _) in FACILITIES.items():
        config.addinivalue_line("markers", f"{marker}: needs a {what}; skipped where there is none")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = [what for marker, (what, find) in FACILITIES.items() if _is_wanted(marker, items) and not find()]
    if missing and os.environ.get("CI", "").lower() == "true":
        raise pytest.UsageError(f"CI=true, but there is no {' and no '.join(missing)} here.")
    for item in items:
        for marker, (what, _) in FACILITIES.items():
            if what in missing and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=f"there is no {what} here"))
    config.stash[_missing_key] = missing


_missing_key = pytest.StashKey[list[str]]()


def _is_wanted(marker: str, items: Iterable[pytest.Item]) -> bool:
    return any(item.get_closest_marker(marker) for item in items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    missing = config.stash.get(_missing_key, [])
    if missing:
        terminalreporter.write_line(
            f"There is no {' and no '.join(missing)} here: the tests that need it were not run."
        )


@pytest.fixture(scope="session")
def broker_url() -> str:
    url = broker()
    assert url, "mark the test `broker`"
    return url
