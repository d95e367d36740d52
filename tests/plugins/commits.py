"""A block of `transaction.atomic()` entered at a test's own level counts as outermost, as in production.

Django runs each ordinary test in one transaction that it rolls back, so that nothing ever commits in it: `on_commit`
stays silent, and a refused service with `savepoint=False` leaves its half-done work behind. Here such a block rolls
back to where it began if it fails, and runs the commit hooks if it doesn't, outside the block, in order, a hook's own
hooks before its successors'. Tests marked `transaction=True` commit for real and are left alone.
"""

import logging
from types import TracebackType
from typing import Any

import pytest
from django.db.transaction import Atomic, get_connection

_enter = Atomic.__enter__
_exit = Atomic.__exit__
log = logging.getLogger("django.db.backends.base")


def _is_the_tests_own(blocks: list[Any]) -> bool:
    return bool(blocks) and blocks[-1]._from_testcase


def enter(block: Any) -> None:
    connection: Any = get_connection(block.using)
    outermost = _is_the_tests_own(connection.atomic_blocks) and not block._from_testcase
    _enter(block)
    # Never by setting block.savepoint: a decorator's block is shared by all calls and threads.
    if outermost and connection.savepoint_ids[-1] is None and not connection.needs_rollback:
        connection.savepoint_ids[-1] = connection.savepoint()


def leave(
    block: Any,
    error_type: type[BaseException] | None,
    error: BaseException | None,
    traceback: TracebackType | None,
) -> None:
    connection: Any = get_connection(block.using)
    outermost = _is_the_tests_own(connection.atomic_blocks[:-1]) and not block._from_testcase
    commits = outermost and error_type is None and not connection.needs_rollback
    _exit(block, error_type, error, traceback)
    if commits:
        run_commit_hooks(connection)


def run_commit_hooks(connection: Any) -> None:
    """Django's own `run_and_clear_commit_hooks`, without its check that no block is open."""
    hooks, connection.run_on_commit = connection.run_on_commit, []
    while hooks:
        _, hook, robust = hooks.pop(0)
        try:
            hook()
        except Exception:
            if not robust:
                raise
            log.exception("Error calling %s in on_commit()", getattr(hook, "__qualname__", hook))


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    Atomic.__enter__ = enter  # type: ignore[method-assign]
    Atomic.__exit__ = leave  # type: ignore[method-assign]
