"""How a statement gets to the default database: by the shortest way, and planned by PostgreSQL once a connection.

Django's own layers stand between only where somebody listens there: to its log of queries, or by `execute_wrapper`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import ServerBindingCursor  # type: ignore[attr-defined]
from psycopg.types.datetime import TimestamptzLoader


def execute(statement: str, values: Sequence[Any]) -> int:
    """A statement that is written by hand; how many rows it met."""
    # the connection itself: the proxy for it would look for it at each step
    here = connections[DEFAULT_DB_ALIAS]
    cursor = _cursor(here)
    with here.wrap_database_errors:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def fetched(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """All rows that a statement returns."""
    here = connections[DEFAULT_DB_ALIAS]
    cursor = _cursor(here)
    with here.wrap_database_errors:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def among(keys: Sequence[int]) -> tuple[str, list[Any]]:
    """That a key is one of these, for a statement that is written by hand: to PostgreSQL one, however many they are."""
    if len(keys) == 1:
        # PostgreSQL takes no array for one key, and would plan the statement each time
        return "= %s", [*keys]
    if is_postgresql():
        return "= ANY(%s::bigint[])", [list(keys)]
    return f"IN ({', '.join(['%s'] * len(keys))})", list(keys)


@cache
def is_postgresql() -> bool:
    return connection.vendor == "postgresql"


@cache
def has_uuids() -> bool:
    """Does the database know what a UUID is? Else it is text to it."""
    return connection.features.has_native_uuid_field


def _cursor(here: BaseDatabaseWrapper) -> Any:
    if here.vendor != "postgresql":
        return here.cursor()
    here.ensure_connection()
    cursor = _Planned.of(here.connection)
    if here.queries_logged or here.execute_wrappers:
        return here._prepare_cursor(cursor)  # type: ignore[attr-defined]  # noqa: SLF001
    here.validate_thread_sharing()
    here.validate_no_broken_transaction()
    return cursor


class _Planned(ServerBindingCursor):  # type: ignore[misc]  # the stubs lack it
    """Lets PostgreSQL plan a statement once for each connection, which takes it longer than to run it.

    Django's own cursor binds the values itself, and so sends a statement that is new each time.
    """

    def __init__(self, link: Any) -> None:
        super().__init__(link)
        # psycopg's own in C: Django's, in Python, gives the same in UTC, in which it has all connections speak
        self.adapters.register_loader("timestamptz", TimestamptzLoader)

    @classmethod
    def of(cls, link: Any) -> _Planned:
        """The one of this connection, which keeps it: to make one is a good part of what a statement costs.

        Whoever asks by it fetches what it has found before anybody asks again, and leaves it open.
        """
        if not hasattr(link, "bookshelf_planned"):
            link.bookshelf_planned = cls(link)
        return cast("_Planned", link.bookshelf_planned)

    def _convert_query(self, *statement: Any) -> Any:
        # Django's log of queries looks here, where psycopg leaves only what it has not prepared
        self._query = super()._convert_query(*statement)
        return self._query
