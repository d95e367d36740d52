"""Keyset pages on (key, id): a row that doesn't change meanwhile appears once, whatever comes and goes around it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, Literal, NamedTuple, TypedDict, TypeVar

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from pydantic import BaseModel, Field

from bookshelf_site import words
from bookshelf_site.errors import InvalidValue
from bookshelf_site.schemas import Line, Number, Parameters

LIMIT: Final = 50
MAX_LIMIT: Final = 200
SETTLED_AFTER: Final = timedelta(seconds=60)
"""Longer than any transaction may last: what was changed before that is visible, or never will be."""

Direction = Literal["next", "previous"]
BACK: Final[dict[Direction, Direction]] = {"next": "previous", "previous": "next"}

M = TypeVar("M", bound=Model)
Rows = TypeVar("Rows", bound=QuerySet[Any])
T = TypeVar("T")


class PageParameters(Parameters):
    limit: Number = Field(LIMIT, ge=1, le=MAX_LIMIT, description="how many results a page has")
    cursor: Line | None = Field(None, description="from `next` or `previous` of a page")


class Page(BaseModel, Generic[T]):
    """A part of a list, and where it goes on."""

    results: list[T]
    next: str | None = Field(description="the address of the next page; null on the last")
    previous: str | None = Field(description="the address of the page before; null on the first")


@dataclass(frozen=True, kw_only=True)
class Ordering:
    """By a column or annotation that is never NULL, ties by id."""

    key: str
    descending: bool = False


NEWEST_FIRST: Final = Ordering(key="id", descending=True)
AS_CHANGED: Final = Ordering(key="updated_at")


class Links(TypedDict):
    next: str | None
    previous: str | None


@dataclass(frozen=True)
class Found(Generic[M]):
    """The rows of a page, and the links to those around it."""

    rows: list[M]
    links: Links


class Cursor(NamedTuple):
    """From which row to go in which direction, and whether the row itself belongs to the page."""

    towards: Direction
    inclusive: bool
    key: str
    pk: str

    def turned(self) -> Cursor:
        """The way back, from the same place."""
        return Cursor(BACK[self.towards], not self.inclusive, self.key, self.pk)


def settled_since(rows: Rows, since: datetime) -> Rows:
    """Rows changed since then, at least once each: up to the moment before which no transaction is still open."""
    return rows.filter(updated_at__gte=since, updated_at__lt=timezone.now() - SETTLED_AFTER)


def paged(request: HttpRequest, rows: QuerySet[M], ordering: Ordering, parameters: PageParameters) -> Found[M]:
    """One page of the rows, in one query. Raises InvalidValue if the cursor is of another list, or made up."""
    signer = Signer(salt=f"page:{request.path}:{ordering}")
    cursor = None if parameters.cursor is None else _read(signer, parameters.cursor)
    backwards = cursor is not None and cursor.towards == "previous"
    descending = ordering.descending != backwards
    if cursor:
        rows = rows.filter(_beyond(cursor, ordering.key, "lt" if descending else "gt"))
    sign = "-" if descending else ""
    fetched = list(words.first(rows.order_by(f"{sign}{ordering.key}", f"{sign}pk"), parameters.limit + 1))
    page = fetched[: parameters.limit]
    if backwards:
        page.reverse()
    onward, back = _onward_and_back(page, ordering.key, cursor, has_more=len(fetched) > len(page))
    following, preceding = (back, onward) if backwards else (onward, back)
    return Found(page, {"next": _url(request, signer, following), "previous": _url(request, signer, preceding)})


def _beyond(cursor: Cursor, key: str, compared: str) -> Q:
    # The first condition alone decides where an index scan begins; the second settles ties.
    or_equal = "e" if cursor.inclusive else ""
    return Q(**{f"{key}__{compared}e": cursor.key}) & (
        Q(**{f"{key}__{compared}": cursor.key}) | Q(**{f"pk__{compared}{or_equal}": cursor.pk})
    )


def _onward_and_back(
    page: list[M], key: str, cursor: Cursor | None, *, has_more: bool
) -> tuple[Cursor | None, Cursor | None]:
    """Where to go on in the direction of travel, if there is more, and back, if one has come from somewhere."""
    if not page:
        return None, cursor.turned() if cursor else None
    towards = cursor.towards if cursor else "next"
    nearest, farthest = (page[-1], page[0]) if towards == "previous" else (page[0], page[-1])
    onward = _past(farthest, key, towards) if has_more else None
    back = _past(nearest, key, BACK[towards]) if cursor else None
    return onward, back


def _past(row: Model, key: str, towards: Direction) -> Cursor:
    return Cursor(towards, inclusive=False, key=str(getattr(row, key)), pk=str(row.pk))


def _read(signer: Signer, text: str) -> Cursor:
    try:
        return Cursor(*signer.unsign_object(text))
    except BadSignature:
        raise InvalidValue(
            "query/cursor", "is no cursor of this list and order: take it from `next` or `previous`"
        ) from None


def _url(request: HttpRequest, signer: Signer, cursor: Cursor | None) -> str | None:
    if cursor is None:
        return None
    query = request.GET.copy()
    query["cursor"] = signer.sign_object(cursor, compress=True)
    return f"{settings.PUBLIC_URL}{request.path}?{query.urlencode()}"
