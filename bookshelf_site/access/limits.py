"""API_RATE_LIMIT: how many requests a key may make in a second, a minute, an hour or a day, whatever process they meet.

The requests of a window are handed out in blocks from the key's row, so that a request costs no write: each process
draws a block and counts it down by itself. Blocks get smaller as the window runs out, down to a single request. A
window never gives more than the limit; it gives less by what idle processes have left of their blocks.
"""

from __future__ import annotations

import math
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from django.conf import settings

from bookshelf_site.access import services
from bookshelf_site.access.models import ApiKey
from bookshelf_site.errors import DomainError

SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600}


class RateLimited(DomainError):
    """This API key may make {limit} requests in {seconds} seconds: wait {retry_after} seconds."""

    code = "rate_limited"
    status = 429

    def __init__(self, *, limit: int, seconds: int, retry_after: int) -> None:
        super().__init__(limit, seconds, retry_after)
        self.limit = limit
        self.seconds = seconds
        self.retry_after = retry_after


@dataclass
class Purse:
    """What this process has left of the requests that it has drawn for a key."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    window: int = -1
    left: float = 0
    is_last: bool = False

    def take(self, key: ApiKey) -> None:
        """Take one request out. Raises RateLimited."""
        limit, seconds = _rate()
        now = time.time()
        began = int(now - now % seconds)
        with self.lock:  # one thread draws, the others wait for its block
            self._open(began)
            if self.left < 1 and not self.is_last:
                self._draw(key, limit)
            if self.left < 1:
                raise RateLimited(limit=limit or 0, seconds=seconds, retry_after=math.ceil(began + seconds - now))
            self.left -= 1

    def _open(self, window: int) -> None:
        if window > self.window:
            self.window, self.left, self.is_last = window, 0, False

    def _draw(self, key: ApiKey, limit: int | None) -> None:
        drawn = services.draw_requests(key_id=key.pk, limit=limit, window=self.window)
        self.left = math.inf if drawn is None else drawn
        self.is_last = drawn == 0


_purses: defaultdict[str, Purse] = defaultdict(Purse)


def admit(key: ApiKey) -> None:
    """Count a request of the key. Raises RateLimited.

    The first of each block writes, to draw it, and notes when the key was used; without a limit a block lasts an hour.
    """
    _purses[key.hash].take(key)


def _rate() -> tuple[int | None, int]:
    """The limit, if there is one, and the seconds of its window."""
    limit, _, unit = settings.API_RATE_LIMIT.partition("/")
    return (int(limit), SECONDS[unit]) if limit else (None, SECONDS["h"])
