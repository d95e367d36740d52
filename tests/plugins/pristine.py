"""After a test that committed the database holds what it held before the first test, and nothing else.

Django empties every table after such a test and makes groups, rights and receivers anew, as after a migration: that
takes longer than most of the tests. Here only what a test wrote to is emptied, and only rows that it touched come back.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.management.color import no_style
from django.db import connection, transaction
from django.test import TransactionTestCase

Rows = list[tuple[Any, ...]]


@dataclass
class Pristine:
    """What the tables held before the first test; an empty one is left out."""

    tables: list[str] = field(default_factory=list)
    rows: dict[str, Rows] = field(default_factory=dict)

    def remember(self) -> None:
        self.tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
        self.rows = {table: found for table in self.tables if (found := read(table))}

    def restore(self) -> None:
        """Must be called inside `erasing()`, for the triggers of some tables refuse to let them be emptied."""
        if touched := [*self._no_longer_empty(), *self._changed()]:
            empty(touched)
        for table in self._changed():  # on PostgreSQL also those whose rows refer to one that was emptied
            insert(table, self.rows[table])

    def _no_longer_empty(self) -> list[str]:
        quote = connection.ops.quote_name
        empty_before = [table for table in self.tables if table not in self.rows]
        looks = [
            f"SELECT {place} WHERE EXISTS (SELECT * FROM {quote(table)})" for place, table in enumerate(empty_before)
        ]
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(looks))
            return [empty_before[place] for (place,) in cursor.fetchall()]

    def _changed(self) -> list[str]:
        return [table for table, rows in self.rows.items() if read(table) != rows]


def read(table: str) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)} ORDER BY 1")
        return list(cursor.fetchall())


def empty(tables: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for statement in connection.ops.sql_flush(no_style(), list(tables), allow_cascade=True):
            cursor.execute(statement)


def insert(table: str, rows: Rows) -> None:
    values = ", ".join(["%s"] * len(rows[0]))
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {connection.ops.quote_name(table)} VALUES ({values})", rows)


pristine = Pristine()


def teardown(test: TransactionTestCase) -> None:
    from bookshelf_site.events import erasing

    with transaction.atomic(), erasing():
        pristine.restore()


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    TransactionTestCase._fixture_teardown = teardown  # type: ignore[attr-defined]
