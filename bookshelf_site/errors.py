"""What the shop refuses, in words for a person and a code for a program."""

from __future__ import annotations

import inspect
import re
import unicodedata
from dataclasses import dataclass
from typing import ClassVar, Final

NO_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
"""What no page can show and not every database keeps: control characters and lone surrogates."""

BREAKS: Final = re.compile("[\t\n\r\x85\u2028\u2029]")


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """One place of the input that is wrong: the path to it, a code, and what would be right."""

    field: str
    code: str
    detail: str


class DomainError(Exception):
    """The shop's rules forbid this."""

    code: ClassVar[str] = "domain_error"
    status: ClassVar[int] = 409
    retry_after: int | None = None
    """After how many seconds the same may be tried again, if waiting helps."""

    def __str__(self) -> str:
        """The class's docstring, filled with what the instance knows."""
        return inspect.cleandoc(type(self).__doc__ or "").format(**vars(self))

    @property
    def errors(self) -> list[FieldError]:
        """The places of the input that are to blame, if it is the input's fault."""
        return []

    @property
    def extra(self) -> dict[str, object]:
        """Further members of the problem that a program may act on."""
        return {}


class RefusedToStaff(DomainError):
    """What only people ask for, at the desk or in a terminal: no endpoint does, so no program reads the code."""


class InvalidValue(DomainError):
    """{field}: {reason}"""

    code = "validation_failed"
    status = 422

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return super().__str__() if self.field else self.reason

    @property
    def errors(self) -> list[FieldError]:
        return [FieldError(field=self.field, code="invalid", detail=self.reason)]


class VersionMismatch(DomainError):
    """It was changed by somebody else meanwhile (it is at version {current}, you have {expected}): read it again."""

    code = "version_mismatch"
    status = 412

    def __init__(self, *, expected: int, current: int) -> None:
        super().__init__(expected, current)
        self.expected = expected
        self.current = current


def checked_text(field: str, text: str, *, longest: int) -> str:
    """Text of any number of lines, as the shop keeps it: without the space around it, empty if nothing of it shows.

    Raises InvalidValue, naming the field.
    """
    text = text.strip()
    if strange := NO_TEXT.search(text):
        raise InvalidValue(field, f"must not contain U+{ord(strange[0]):04X}, which is no character to be read")
    if len(text) > longest:
        raise InvalidValue(field, f"has {len(text):,} characters, at most {longest:,} are kept")
    return text if any(unicodedata.category(character)[0] not in "ZC" for character in text) else ""


def checked_line(field: str, text: str, *, longest: int) -> str:
    """Text that is shown, printed and mailed in one line: a break in it could forge the line after it."""
    text = checked_text(field, text, longest=longest)
    if BREAKS.search(text):
        raise InvalidValue(field, "must be one line, without tabs")
    return text
