"""The plugin `tests.plugins.effort`: what a person's run leaves to the other database."""

from types import SimpleNamespace

import pytest

from tests.plugins.effort import parted


def item(*marks, fixtures=("db",)):
    found = {mark.name: mark for mark in marks}
    return SimpleNamespace(get_closest_marker=found.get, fixturenames=fixtures)


DB = pytest.mark.django_db.mark
LIGHT = item()
COMMITS = item(pytest.mark.heavy("sqlite", "postgresql").mark, DB)
MARKED = item(DB, fixtures=())
HEAVY = item(pytest.mark.heavy("postgresql").mark)
LOOKS = item(pytest.mark.browser.mark, DB)
SENDS = item(pytest.mark.broker.mark, pytest.mark.heavy("sqlite").mark)
RULE = item(fixtures=("monkeypatch",))
ALL = [LIGHT, COMMITS, MARKED, HEAVY, LOOKS, SENDS, RULE]


@pytest.mark.parametrize(
    ("database", "here", "elsewhere"),
    [
        ("sqlite", [LIGHT, COMMITS, MARKED, LOOKS, SENDS, RULE], [HEAVY]),
        ("postgresql", [LIGHT, COMMITS, MARKED, HEAVY], [LOOKS, SENDS, RULE]),
    ],
)
def test_each_test_is_run_somewhere_and_one_that_says_the_same_on_both_on_one_database(database, here, elsewhere):
    assert parted(ALL, database) == (here, elsewhere)
