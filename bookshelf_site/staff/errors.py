"""What is refused to those who work here."""

from __future__ import annotations

from bookshelf_site.errors import RefusedToStaff


class WrongCode(RefusedToStaff):
    """This code does not fit. Each code is good for one time only, one of the app for half a minute."""

    code = "wrong_code"


class TooManyCodes(RefusedToStaff):
    """Too many wrong codes: try again in {seconds} s."""

    code = "too_many_codes"

    def __init__(self, *, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = self.retry_after = seconds


class NothingToConfirm(RefusedToStaff):
    """Two-factor login is set up already, or was never begun: open its page again."""

    code = "nothing_to_confirm"


class NoManagerLeft(RefusedToStaff):
    """Nobody could look after users and groups any more: make somebody else a manager first."""

    code = "no_manager_left"
