"""The clock of all measurements."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter


def rate(times: int, work: Callable[[], object]) -> float:
    """How often a second `work` did what it did `times` times."""
    started = perf_counter()
    work()
    return times / (perf_counter() - started)
