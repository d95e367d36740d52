"""The plugin `tests.plugins.commits`: an ordinary test sees commits as production does."""

import logging

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

pytestmark = pytest.mark.django_db
heard: list[str] = []


@pytest.fixture(autouse=True)
def fresh_ears():
    heard.clear()


def hear(word):
    return lambda: heard.append(word)


def test_the_run_is_on_the_database_that_was_meant(pytestconfig):
    assert connection.vendor == pytestconfig.getoption("database")


def test_a_hook_runs_when_its_block_is_left():
    with transaction.atomic():
        transaction.on_commit(hear("hook"))
        assert heard == []

    assert heard == ["hook"]


def test_a_hook_of_an_inner_block_waits_for_the_outer_one():
    with transaction.atomic():
        with transaction.atomic():
            transaction.on_commit(hear("hook"))
        assert heard == []

    assert heard == ["hook"]


def test_a_block_that_fails_drops_its_hooks():
    with pytest.raises(LookupError), transaction.atomic():
        transaction.on_commit(hear("hook"))
        raise LookupError

    with transaction.atomic():
        pass
    assert heard == []


def test_a_block_that_is_marked_for_rollback_drops_its_hooks():
    with transaction.atomic():
        transaction.on_commit(hear("hook"))
        transaction.set_rollback(True)

    assert heard == []


def test_a_hooks_own_hooks_run_before_its_successors():
    def first():
        heard.append("first")
        with transaction.atomic():
            transaction.on_commit(hear("of the first"))

    with transaction.atomic():
        transaction.on_commit(first)
        transaction.on_commit(hear("second"))

    assert heard == ["first", "of the first", "second"]


def test_hooks_run_outside_the_block():
    depths = []
    at_test_level = len(connection.atomic_blocks)

    with transaction.atomic():
        transaction.on_commit(lambda: depths.append(len(connection.atomic_blocks)))

    assert depths == [at_test_level]


def test_a_robust_hook_that_raises_stops_no_other(caplog):
    def broken():
        raise LookupError("no such thing")

    with caplog.at_level(logging.ERROR), transaction.atomic():
        transaction.on_commit(broken, robust=True)
        transaction.on_commit(hear("next"))

    assert heard == ["next"]
    assert "Error calling" in caplog.text
    assert "no such thing" in caplog.text


def test_a_hook_that_raises_is_the_callers_business():
    def broken():
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"), transaction.atomic():
        transaction.on_commit(broken)


def test_a_refused_block_without_a_savepoint_leaves_nothing_behind():
    with pytest.raises(LookupError), transaction.atomic(savepoint=False):
        Group.objects.create(name="half done")
        raise LookupError

    assert not Group.objects.filter(name="half done").exists()


def test_a_refused_block_takes_what_was_done_inside_inner_blocks_along():
    with pytest.raises(LookupError), transaction.atomic(savepoint=False):
        with transaction.atomic(savepoint=False):
            Group.objects.create(name="half done")
        raise LookupError

    assert not Group.objects.filter(name="half done").exists()


def test_only_the_outermost_use_of_a_shared_block_gets_a_savepoint():
    savepoints = []

    @transaction.atomic(savepoint=False)
    def dive(depth):
        savepoints.append(connection.savepoint_ids[-1])
        if depth:
            dive(depth - 1)

    dive(2)

    assert savepoints[0] is not None
    assert savepoints[1:] == [None, None]


def test_a_block_that_is_durable_may_be_entered():
    with transaction.atomic(durable=True):
        Group.objects.create(name="durable")

    assert Group.objects.filter(name="durable").exists()


@pytest.mark.django_db(transaction=True)
def test_a_test_that_commits_is_left_alone():
    with transaction.atomic():
        assert connection.savepoint_ids == []
        transaction.on_commit(hear("hook"))

    assert heard == ["hook"]
    assert not connection.in_atomic_block
