"""The plugin `tests.plugins.effort`: what a person's run leaves to the other database."""

from types import SimpleNamespace

import pytest

from tests.plugins.effort import parted


def item(*marks):
    found = {mark.name: mark for mark in marks}
    return SimpleNamespace(get_closest_marker=found.get)


LIGHT = item()
HEAVY = item(pytest.mark.heavy("postgresql").mark)
LOOKS = item(pytest.mark.browser.mark)
BOTH = item(pytest.mark.broker.mark, pytest.mark.heavy("sqlite").mark)


@pytest.mark.parametrize(
    ("database", "here", "elsewhere"),
    [("sqlite", [LIGHT, LOOKS, BOTH], [HEAVY]), ("postgresql", [LIGHT, HEAVY], [LOOKS, BOTH])],
)
def test_each_test_is_run_somewhere_and_a_heavy_one_on_one_database(database, here, elsewhere):
    assert parted([LIGHT, HEAVY, LOOKS, BOTH], database) == (here, elsewhere)
