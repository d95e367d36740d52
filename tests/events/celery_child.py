"""A worker in a process of its own: `celery -A tests.events.celery_child worker`; a relay: `python -m` it.

Both keep to the queue of one test; the worker dies where the test says it should, as `tests.events.child` does.
"""

import os
from typing import Any

from django.core.management import execute_from_command_line
from django.db import connection

from bookshelf_site.events import celery_engine
from tests.events import child
from tests.events.happenings import Rang, note

app = celery_engine.app
celery_engine.QUEUE = os.environ["TESTS_QUEUE"]  # type: ignore[misc]  # final, but in tests
app.conf.task_default_queue = celery_engine.QUEUE
app.conf.worker_enable_remote_control = False  # two suites may run on one machine, whose workers go by one name
child.WHERE = os.environ.get("TESTS_DIES_WHERE", "")
child.connect_receivers()


def hear_in_line(sender: object, event: Rang, **kwargs: object) -> None:
    note("tests.ordered", event.number)


def call_out(sender: object, event: Rang, **kwargs: object) -> int:
    assert not connection.in_atomic_block
    return event.number


def write_down(event: Rang, outcome: int, **kwargs: Any) -> None:
    note("tests.external", outcome)


Rang.signal.connect(hear_in_line, dispatch_uid="tests.ordered", ordered=True, max_attempts=3)
Rang.signal.connect(call_out, dispatch_uid="tests.external", external=True, record=write_down, max_attempts=3)

if __name__ == "__main__":
    execute_from_command_line(["manage.py", "relay"])
