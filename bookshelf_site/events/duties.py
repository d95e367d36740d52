"""Duties: what a shop does from time to time without being asked. The relay, which runs anyway, does them."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import structlog

SECONDS = 60.0

log = structlog.get_logger(__name__)

_duties: dict[str, Callable[[], object]] = {}


def every_minute(name: str, duty: Callable[[], object]) -> None:
    """Have this done about once a minute by each relay; it must bear to be done by several at once."""
    _duties[name] = duty


class Rounds:
    """The duties of one relay, and when it does them again."""

    def __init__(self) -> None:
        self.next = monotonic() + SECONDS

    def make(self) -> None:
        """Do what is to be done, if it is time; one that fails keeps no other from being done."""
        if monotonic() < self.next:
            return
        self.next = monotonic() + SECONDS
        for name, duty in _duties.items():
            try:
                duty()
            except Exception:
                log.exception("a duty failed and is tried again in its turn", duty=name)
