"""Many rows of one request: what became of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bookshelf_site.errors import DomainError, FieldError


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a row (added, updated, unchanged), and the id of what it has made or changed."""

    status: str
    id: object = None


Outcomes = dict[int, Outcome | DomainError]
"""By the row's place in the request; a row that was refused spoils none of the others."""


class RowsRefused(DomainError):
    """{count} of the rows can't be taken over, so none was."""

    code = "rows_refused"
    status = 422

    def __init__(self, refusals: Mapping[int, DomainError]) -> None:
        super().__init__(refusals)
        self.refusals = refusals
        self.count = len(refusals)

    @property
    def errors(self) -> list[FieldError]:
        return [mistake for row, error in self.refusals.items() for mistake in mistakes_of_row(row, error)]


def mistakes_of_row(row: int, error: DomainError) -> list[FieldError]:
    """What is wrong with one of many rows, named by its place in the whole request."""
    own = error.errors or [FieldError(field="", code=error.code, detail=str(error))]
    return [replace(mistake, field=f"rows/{row}/{mistake.field}".rstrip("/")) for mistake in own]


def refuse_any(outcomes: Outcomes) -> None:
    """All rows or none. Raises RowsRefused."""
    if refusals := {row: outcome for row, outcome in sorted(outcomes.items()) if isinstance(outcome, DomainError)}:
        raise RowsRefused(refusals)
