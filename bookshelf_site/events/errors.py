"""What the event core refuses."""

from __future__ import annotations

from bookshelf_site.errors import RefusedToStaff


class NotDead(RefusedToStaff):
    """Delivery {delivery_id} is {current}: only a dead letter can be retried or skipped."""

    code = "not_dead"

    def __init__(self, *, delivery_id: int, current: str) -> None:
        super().__init__(delivery_id, current)
        self.delivery_id = delivery_id
        self.current = current


class UnheardOf(RefusedToStaff):
    """No durable receiver is called {receiver!r} here; there are {known}."""

    code = "unheard_of"

    def __init__(self, *, receiver: str, known: str) -> None:
        super().__init__(receiver, known)
        self.receiver = receiver
        self.known = known


class NotHeard(RefusedToStaff):
    """{receiver} doesn't hear {event}."""

    code = "not_heard"

    def __init__(self, *, receiver: str, event: str) -> None:
        super().__init__(receiver, event)
        self.receiver = receiver
        self.event = event


class TooOld(RefusedToStaff):
    """{receiver} may have heard this and its record is gone, or it was not there yet: it can't be owed it any more."""

    code = "too_old"

    def __init__(self, *, receiver: str) -> None:
        super().__init__(receiver)
        self.receiver = receiver


class NotRepeatable(RefusedToStaff):
    """{receiver} has had its effect, and is not declared repeatable=True: heard again, it would have it twice."""

    code = "not_repeatable"

    def __init__(self, *, receiver: str) -> None:
        super().__init__(receiver)
        self.receiver = receiver


class AlreadyOwed(RefusedToStaff):
    """To {receiver} it is {current}: what is pending comes, what is dead can be retried."""

    code = "already_owed"

    def __init__(self, *, receiver: str, current: str) -> None:
        super().__init__(receiver, current)
        self.receiver = receiver
        self.current = current
