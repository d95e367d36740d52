"""What may go wrong with a delivery, and how each is treated."""

from __future__ import annotations

from datetime import timedelta

LONGEST_PAUSE = timedelta(days=1)


class PermanentFailure(Exception):
    """Trying again can't help: the delivery is a dead letter at once."""


class RetryAfter(Exception):
    """The other side asks for a pause: try again after so many seconds, a day at most."""

    def __init__(self, seconds: float, reason: str = "") -> None:
        super().__init__(reason or f"asked to come back in {seconds:g} s")
        self.seconds = min(max(0.0, seconds), LONGEST_PAUSE.total_seconds())


class Undecodable(Exception):
    """This code can't read the stored event."""


class BrokenPayload(Undecodable, PermanentFailure):
    """A field is not what it was: only another release of this code can read the event."""


class UnknownToThisCode(Undecodable):
    """The event's name or version belongs to newer code, which a rolling deploy will bring: tried again."""


class UnknownReceiver(Exception):
    """The delivery is for a receiver that only other code knows: left to it."""


class Superseded(Exception):
    """Somebody else holds this delivery now, or has settled it: left to them."""


class SwallowedDatabaseError(Exception):
    """A receiver hid a database error: its transaction is broken and would be rolled back without a word."""
