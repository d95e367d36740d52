"""The embedded relay: a thread in each web process, so that a shop on one machine needs nothing else."""

from __future__ import annotations

import threading
from typing import Final

from bookshelf_site.events.relay import Relay

BREATH: Final = 0.2
"""Requests share the process, and what waits for this relay is nothing that one of them waits for."""

_embedded: Relay | None = None
_thread: threading.Thread | None = None


def start() -> None:
    """Run a relay as a thread of this process, once: call it when the application is loaded, after the fork."""
    global _embedded, _thread  # noqa: PLW0603  # one relay a process is what this module stands for
    if _thread is not None and _thread.is_alive():
        return
    _embedded = Relay(breath=BREATH)
    _thread = threading.Thread(target=_embedded.run, name="bookshelf-relay", daemon=True)
    _thread.start()


def stop() -> None:
    """Let the thread finish the group in hand, and wait for it."""
    if _embedded is not None and _thread is not None:
        _embedded.stop()
        _embedded.woken.set()
        _thread.join(timeout=10)


def wake() -> None:
    """Something is owed that this process doesn't run itself: tell the embedded relay, if there is one."""
    if _embedded is not None:
        _embedded.woken.set()
