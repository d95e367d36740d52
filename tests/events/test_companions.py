import threading

import pytest

from bookshelf_site.events import companions as module
from bookshelf_site.events.companions import alongside, companions

PATIENCE = 60


@pytest.fixture(autouse=True)
def _nobody_else(monkeypatch):
    monkeypatch.setattr(module, "_works", {})
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)


def running():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("bookshelf-test")]


def test_each_work_has_a_thread_of_its_own_as_long_as_the_relay_runs():
    met = threading.Barrier(3)
    for name in ("test-one", "test-two"):
        alongside(name, lambda stop: met.wait(PATIENCE))

    with companions(lambda: False):
        met.wait(PATIENCE)
        during = sorted(running())
        met.abort()

    assert during == ["bookshelf-test-one", "bookshelf-test-two"]
    assert running() == []


def test_work_that_fails_is_tried_again():
    tries, again = [], threading.Event()

    def work(stop):
        tries.append(1)
        if len(tries) == 1:
            raise ZeroDivisionError
        again.set()

    alongside("test", work)

    with companions(lambda: False):
        assert again.wait(PATIENCE)


def test_long_work_hears_that_the_relay_is_told_to_stop():
    begun, stopped = threading.Event(), threading.Event()

    def work(stop):
        begun.set()
        while not stop():
            stopped.wait(0.01)

    alongside("test", work)

    with companions(stopped.is_set):
        assert begun.wait(PATIENCE)
        stopped.set()

    assert running() == []


def test_it_hears_too_that_the_relay_has_ended():
    begun = threading.Event()

    def work(stop):
        begun.set()
        while not stop():
            threading.Event().wait(0.01)

    alongside("test", work)

    with companions(lambda: False):
        assert begun.wait(PATIENCE)

    assert running() == []
