"""Many rows in one request: a result for each, or, with `atomic`, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, Literal, TypeVar

from django.db import transaction
from django.http import HttpResponse
from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, WrapValidator

from bookshelf_site import problems
from bookshelf_site.errors import DomainError, FieldError
from bookshelf_site.problems import Problem
from bookshelf_site.rows import Outcome, Outcomes, mistakes_of_row, refuse_any
from bookshelf_site.schemas import Input

MOST_ROWS: Final = 500

T = TypeVar("T")
R = TypeVar("R")


class InvalidRow(DomainError):
    """The row is wrong in {places}."""

    code = "validation_failed"
    status = 422

    def __init__(self, mistakes: Sequence[FieldError]) -> None:
        super().__init__(mistakes)
        self.mistakes = mistakes
        self.places = "1 place" if len(mistakes) == 1 else f"{len(mistakes)} places"

    @property
    def errors(self) -> list[FieldError]:
        return list(self.mistakes)


def _or_why_not(given: Any, read: ModelWrapValidatorHandler[Any]) -> Any:
    try:
        return read(given)
    except ValidationError as refused:
        found = refused.errors(include_url=False)
        return InvalidRow([problems.field_error({**one, "loc": ("body", "body", *one["loc"])}) for one in found])


READ_ALONE: Final = WrapValidator(_or_why_not)
"""`Annotated[RowIn, READ_ALONE]`: a row that is wrong becomes an InvalidRow, and spoils none of the others."""


class Rows(Input, Generic[T]):
    """Up to 500 rows."""

    rows: list[T] = Field(min_length=1, max_length=MOST_ROWS)
    atomic: bool = Field(default=False, strict=True, description="take over all rows, or none if one of them is wrong")

    def taken_over(self, meaning: Callable[[T], R], take_over: Callable[[dict[int, R]], Outcomes]) -> list[Any]:
        """The results, as JSON. Raises RowsRefused if it is `atomic` and a row is wrong; then nothing has changed."""
        read: dict[int, R] = {}
        outcomes: Outcomes = {}
        for place, row in enumerate(self.rows):
            try:
                read[place] = meaning(_readable(row))
            except DomainError as refusal:
                outcomes[place] = refusal
        with transaction.atomic():
            outcomes |= take_over(read)
            if self.atomic:
                refuse_any(outcomes)
        return [_result(place, outcome) for place, outcome in sorted(outcomes.items())]


class ResultOut(BaseModel):
    """What became of a row."""

    row: int = Field(description="its place among the rows, from 0")
    status: Literal["added", "updated", "unchanged", "refused"]
    id: str | None = Field(description="of what it made or changed; null if that is nothing")
    problem: Problem | None = Field(description="why it was refused")


class ResultsOut(BaseModel):
    """A result for each row, in their order, as they were when the request was first answered."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "results": [
                        {
                            "row": 0,
                            "status": "added",
                            "id": "0199c8f0-7d2a-7c3e-9f43-8b7c1c9b2f10",
                            "problem": None,
                        }
                    ]
                }
            ]
        }
    )

    results: list[ResultOut]


def as_it_was(made: list[dict[str, object]], response: HttpResponse) -> dict[str, object]:
    return {"results": made}


def _readable(row: T) -> T:
    if isinstance(row, DomainError):
        raise row
    return row


def _result(row: int, outcome: Outcome | DomainError) -> dict[str, object]:
    if isinstance(outcome, DomainError):
        errors = mistakes_of_row(row, outcome)
        problem = problems.members(outcome.code, str(outcome), errors=errors, extra=outcome.extra)
        return {"row": row, "status": "refused", "id": None, "problem": problem}
    made = None if outcome.id is None else str(outcome.id)
    return {"row": row, "status": outcome.status, "id": made, "problem": None}
