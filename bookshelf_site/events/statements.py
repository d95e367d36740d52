"""Whole rows, written by their keys, by statements that are compiled once: the ORM takes longer to compile one than a
database to run it.

They write on the default database and without Django's signals of models; whoever wants more asks the ORM. What they
write is what the fields of the models make of it, as there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.db.models import Model

from bookshelf_site.events.columns import Columns, changed_columns, new_columns, quoted
from bookshelf_site.events.planned import execute, fetched, is_postgresql

M = TypeVar("M", bound=Model)

MOST_PLACES = 20
"""So many rows at once are written with a place in the statement for each value."""


class Write(NamedTuple):
    """Rows that are still to be written: new ones with keys of their own, or these fields of locked ones.

    once: one new row, which a unique key may keep out, and with it the one row beside which it alone is written.
    """

    rows: Sequence[Model]
    names: tuple[str, ...] = ()
    once: bool = False

    def send(self) -> None:
        if self.names:
            update(self.rows, self.names)
        else:
            insert(self.rows)

    @property
    def statement(self) -> str:
        model, rows = type(self.rows[0]), len(self.rows)
        return f"{_change(model, self.names, rows) if self.names else _insertion(model, rows)} RETURNING 1"

    @property
    def values(self) -> list[Any]:
        return _changed_values(self.rows, self.names) if self.names else _new_values(self.rows)

    def check(self, written: int) -> None:
        if written != len(self.rows):
            raise _gone(type(self.rows[0]))
        _saved(self.rows)


def insert(rows: Sequence[M], beside: Sequence[Write] = ()) -> list[M]:
    """Write new rows, as `bulk_create` does; they know then which keys the database gave them.

    What is written beside those to which the database gives keys costs PostgreSQL no statement more.
    """
    beside = _unsent(rows, beside)
    for some in _batches(rows):
        model = type(some[0])
        if model._meta.auto_field is None:
            execute(_insertion(model, len(some)), _new_values(some))
        else:
            _insert_returning(some, _returning(model), beside)
            beside = ()
    return _saved(rows)


def insert_asking(rows: Sequence[M], question: str, beside: Sequence[Write] = ()) -> tuple[list[M], Any]:
    """`insert`, for rows whose keys the database gives, and the answer of one SELECT to which it costs no statement."""
    answer = None
    if any(write.once for write in beside):
        [alone] = beside
        return _insert_if_new(alone.rows, rows, question)
    beside = _unsent(rows, beside)
    for some in _batches(rows):
        [answer, *_] = _insert_returning(some, f"{_returning(type(some[0]))}, ({question})", beside)[0]
        beside = ()
    return _saved(rows), answer


def _insert_if_new(new: Sequence[Model], rows: Sequence[M], question: str) -> tuple[list[M], Any]:
    """Both or none: the new row as a unique key keeps it to one, and the row that tells of it."""
    if not is_postgresql():
        return insert_asking(rows if insert_missing(new) else [], question)
    [told], [telling] = new, rows
    model = type(telling)
    places = ", ".join(["%s"] * len(new_columns(model)))
    returned = fetched(
        f"WITH told AS ({_insertion(type(told), 1)} ON CONFLICT DO NOTHING RETURNING 1) {_insertion_into(model)} "  # noqa: S608  # names of ours
        f"SELECT {places} WHERE EXISTS (SELECT FROM told){_returning(model)}, ({question})",
        _new_values(new) + _new_values(rows),
    )
    if not returned:
        return [], None
    _saved(new)
    [(telling.pk, answer)] = returned
    return _saved(rows), answer


def _unsent(rows: Sequence[Model], beside: Sequence[Write]) -> Sequence[Write]:
    """What can go with these rows in one statement; what can't is sent."""
    beside = [write for write in beside if write.rows]
    if beside and rows and is_postgresql() and rows[0]._meta.auto_field is not None:
        return beside
    for write in beside:
        write.send()
    return ()


def _insert_returning(rows: Sequence[M], returning: str, beside: Sequence[Write]) -> list[list[Any]]:
    """What it returns of each row behind its key."""
    statement = _insertion(type(rows[0]), len(rows)) + returning
    values = [value for write in beside for value in write.values] + _new_values(rows)
    returned = fetched(_together(beside, statement) if beside else statement, values)
    counts = returned[0][len(returned[0]) - len(beside) :]
    for write, count in zip(beside, counts, strict=True):
        write.check(count)
    for row, (key, *_) in zip(rows, returned, strict=True):
        row.pk = key
    return [more for _, *more in returned]


def _together(beside: Sequence[Write], statement: str) -> str:
    """All of them in one, which returns last how many rows were written beside."""
    names = [f"beside{number}" for number in range(len(beside))]
    written = [f"{name} AS ({write.statement})" for name, write in zip(names, beside, strict=True)]
    counts = [f"(SELECT COUNT(*) FROM {name})" for name in names]  # noqa: S608  # names of ours
    return f"WITH {', '.join(written)} {', '.join([statement, *counts])}"


def insert_missing(rows: Sequence[M]) -> list[M]:
    """Write those of the rows, whose keys are their own, that no unique key keeps out; which they were."""
    keys: set[object] = set()
    for some in _batches(rows):
        model = type(some[0])
        statement = f"{_insertion(model, len(some))} ON CONFLICT DO NOTHING{_returning(model)}"
        keys |= {model._meta.pk.to_python(key) for (key,) in fetched(statement, _new_values(some))}
    return _saved([row for row in rows if row.pk in keys])


def update(rows: Sequence[Model], names: Iterable[str]) -> None:
    """Write these fields of locked rows, as `save(update_fields=…)` does. Raises DatabaseError if one is gone."""
    names = tuple(names)
    for some in _batches(rows):
        model = type(some[0])
        if execute(_change(model, names, len(some)), _changed_values(some, names)) != len(some):
            raise _gone(model)


def _batches(rows: Sequence[M]) -> Iterator[Sequence[M]]:
    """As many rows at once as the database takes parameters for; a few it always takes."""
    if len(rows) <= MOST_PLACES:
        yield from [rows] if rows else []
        return
    size = connection.ops.bulk_batch_size([*rows[0]._meta.concrete_fields], rows)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _are_many(rows: int) -> bool:
    """Many go to PostgreSQL as an array for each column: to the driver a place for each value costs more than it."""
    return rows > MOST_PLACES and is_postgresql()


def _values(rows: Sequence[Model], columns: Columns, *, is_new: bool) -> list[Any]:
    """What is written: row by row, or, of many, column by column."""
    # the connection itself: the proxy for it would look for it at each value
    here = connections[DEFAULT_DB_ALIAS]
    if _are_many(len(rows)):
        return [[column.value(row, here, is_new=is_new) for row in rows] for column in columns]
    return [column.value(row, here, is_new=is_new) for row in rows for column in columns]


def _new_values(rows: Sequence[Model]) -> list[Any]:
    return _values(rows, new_columns(type(rows[0])), is_new=True)


def _changed_values(rows: Sequence[Model], names: tuple[str, ...]) -> list[Any]:
    return _values(rows, changed_columns(type(rows[0]), names), is_new=False)


def _gone(model: type[Model]) -> DatabaseError:
    return DatabaseError(f"a row of {model._meta.label} that was to be changed is gone")


def _saved(rows: Sequence[M]) -> list[M]:
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS  # noqa: SLF001  # as Django documents for from_db
    return list(rows)


def _insertion(model: type[Model], rows: int) -> str:
    return f"{_insertion_into(model)} {_table_of_values(new_columns(model), rows)}"


@cache
def _insertion_into(model: type[Model]) -> str:
    columns = ", ".join(column.quoted for column in new_columns(model))
    return f"INSERT INTO {quoted(model._meta.db_table)} ({columns})"


def _table_of_values(columns: Columns, rows: int) -> str:
    if _are_many(rows):
        return _table_of_columns(columns)
    return "VALUES " + ", ".join([f"({', '.join(['%s'] * len(columns))})"] * rows)


@cache
def _table_of_columns(columns: Columns) -> str:
    arrays = ", ".join(f"%s::{column.sql_type}[]" for column in columns)
    names = ", ".join(f"column{number}" for number in range(1, len(columns) + 1))
    return f"SELECT * FROM UNNEST({arrays}) AS given ({names})"  # noqa: S608  # names of ours


@cache
def _returning(model: type[Model]) -> str:
    return f" RETURNING {quoted(model._meta.pk.column)}"


def _change(model: type[Model], names: tuple[str, ...], rows: int) -> str:
    if rows == 1:
        return _change_of_one(model, names)
    start, end = _change_of_many(model, names)
    return start + _table_of_values(changed_columns(model, names), rows) + end


@cache
def _change_of_one(model: type[Model], names: tuple[str, ...]) -> str:
    *columns, key = changed_columns(model, names)
    changes = ", ".join(f"{column.quoted} = %s" for column in columns)
    return f"UPDATE {quoted(model._meta.db_table)} SET {changes} WHERE {key.quoted} = %s"  # noqa: S608  # names of ours


@cache
def _change_of_many(model: type[Model], names: tuple[str, ...]) -> tuple[str, str]:
    """Joined to a table of the new values; both databases call its columns column1, column2 and so on."""
    *columns, key = changed_columns(model, names)
    table = quoted(model._meta.db_table)
    changes = ", ".join(
        f"{column.quoted} = {column.typed(f'new.column{number}')}" for number, column in enumerate(columns, 1)
    )
    return (
        f"UPDATE {table} SET {changes} FROM (",  # noqa: S608  # names of ours
        f") AS new WHERE {table}.{key.quoted} = {key.typed(f'new.column{len(columns) + 1}')}",
    )
