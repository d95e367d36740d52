"""The plugin `tests.plugins.nursery`: its children are processes like those that a shell starts."""

import signal

import pytest

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_child_ends_as_a_process_of_its_own_does(nursery):
    assert nursery().run("manage.py", "check_stock").returncode == 0

    refused = nursery().run("manage.py", "no_such_command")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Unknown command: 'no_such_command'" in refused.stderr


def test_a_child_that_is_killed_says_so_and_the_next_one_lives(nursery):
    child = nursery().start("tests.events.child", "relay", "wait")

    child.send_signal(signal.SIGKILL)

    assert child.wait(60) == -signal.SIGKILL
    assert nursery().run("manage.py", "check_stock").returncode == 0


def test_children_have_the_environment_that_was_asked_for(nursery):
    told = nursery(EVENTS_ENGINE="relay").run("manage.py", "diffsettings", "--output=unified")

    assert "EVENTS_ENGINE = 'relay'" in told.stdout
