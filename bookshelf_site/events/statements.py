"""The statements that every order runs, compiled once: the ORM takes longer to compile one than a database to run it.

They write and read whole rows by their keys, on the default database and without Django's signals of models; whoever
wants more asks the ORM. What they write is what the fields of the models make of it, as there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Final, Generic, NamedTuple, TypeAlias, TypeVar, cast
from uuid import UUID, uuid4

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import ServerBindingCursor  # type: ignore[attr-defined]
from django.db.models import BooleanField, CharField, Field, Model, QuerySet, TextField
from django.db.models.query import get_related_populators  # type: ignore[attr-defined]  # the stubs lack it

M = TypeVar("M", bound=Model)
Fields: TypeAlias = "tuple[Field[Any, Any], ...]"
Key = UUID | str

MOST_PLACES = 20
"""So many rows at once are written with a place in the statement for each value."""

MOST_KEYS = 20
"""What is asked for more keys at once is compiled each time: each number of keys is a statement of its own."""


class Write(NamedTuple):
    """Rows that are still to be written: new ones with keys of their own, or these fields of locked ones."""

    rows: Sequence[Model]
    names: tuple[str, ...] = ()

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
    beside = _unsent(rows, beside)
    for some in _batches(rows):
        [answer, *_] = _insert_returning(some, f"{_returning(type(some[0]))}, ({question})", beside)[0]
        beside = ()
    return _saved(rows), answer


def _unsent(rows: Sequence[Model], beside: Sequence[Write]) -> Sequence[Write]:
    """What can go with these rows in one statement; what can't is sent."""
    beside = [write for write in beside if write.rows]
    if beside and rows and connection.vendor == "postgresql" and rows[0]._meta.auto_field is not None:
        return beside
    for write in beside:
        write.send()
    return ()


def _insert_returning(rows: Sequence[M], returning: str, beside: Sequence[Write]) -> list[list[Any]]:
    """What it returns of each row behind its key."""
    statement = _insertion(type(rows[0]), len(rows)) + returning
    values = [value for write in beside for value in write.values] + _new_values(rows)
    returned = _fetched(_together(beside, statement) if beside else statement, values)
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
        keys |= {model._meta.pk.to_python(key) for (key,) in _fetched(statement, _new_values(some))}
    return _saved([row for row in rows if row.pk in keys])


def update(rows: Sequence[Model], names: Iterable[str]) -> None:
    """Write these fields of locked rows, as `save(update_fields=…)` does. Raises DatabaseError if one is gone."""
    names = tuple(names)
    for some in _batches(rows):
        model = type(some[0])
        if execute(_change(model, names, len(some)), _changed_values(some, names)) != len(some):
            raise _gone(model)


def among(keys: Sequence[int]) -> tuple[str, list[Any]]:
    """That a key is one of these, for a statement that is written by hand: to PostgreSQL one, however many they are."""
    if len(keys) == 1:
        # PostgreSQL takes no array for one key, and would plan the statement each time
        return "= %s", [*keys]
    if connection.vendor == "postgresql":
        return "= ANY(%s::bigint[])", [list(keys)]
    return f"IN ({', '.join(['%s'] * len(keys))})", list(keys)


class Compiled(Generic[M]):
    """A query for whole rows by keys, as `query(keys)` says it, with all that it adds; fresh rows at each call.

    A stand-in is a key that no row has: it shows where the keys are to go in the statement.
    """

    def __init__(self, query: Callable[[list[Any]], QuerySet[M]], stand_in: Callable[[], Key] = uuid4) -> None:
        self.query = query
        self.stand_in = stand_in
        self.plans: dict[int, _Plan] = {}

    def __call__(self, keys: Iterable[Key]) -> list[M]:
        """Raises RuntimeError if rows are to be locked and no transaction is open, which would lock nothing."""
        asked = list(dict.fromkeys(keys))
        if not 1 <= len(asked) <= MOST_KEYS:
            return list(self.query(asked)) if asked else []
        plan = self.plans.get(len(asked)) or self._compile(len(asked))
        if plan.locks and not connection.in_atomic_block:
            raise RuntimeError("a row is locked inside a unit of work only")
        params = [param if place is None else _key(asked[place]) for place, param in plan.params]
        returned = _fetched(plan.statement, params)
        rows = plan.compiler.apply_converters(returned, plan.converters) if plan.converters else returned
        return [plan.row(values) for values in rows]

    def _compile(self, size: int) -> _Plan:
        stand_ins = [self.stand_in() for _ in range(size)]
        places = {_key(key): place for place, key in enumerate(stand_ins)}
        query = self.query(stand_ins)
        compiler = query.query.get_compiler(using=DEFAULT_DB_ALIAS)
        statement, params = compiler.as_sql()
        columns = [column for column, _, _ in compiler.select]
        own = compiler.klass_info["select_fields"]
        self.plans[size] = _Plan(
            statement=statement,
            params=[(places.get(param), param) for param in params],
            locks=query.query.select_for_update,
            model=query.model,
            names=[columns[place].target.attname for place in own],
            related=get_related_populators(compiler.klass_info, compiler.select, DEFAULT_DB_ALIAS),
            annotations=compiler.annotation_col_map or {},
            compiler=compiler,
            converters=compiler.get_converters(columns),
        )
        return self.plans[size]


class _Plan(NamedTuple):
    """A compiled query: which of the keys, or what else, is a parameter; and how a row becomes an instance."""

    statement: str
    params: list[tuple[int | None, Any]]
    locks: bool
    model: Any
    names: list[str]
    related: list[Any]
    annotations: dict[str, int]
    compiler: Any
    converters: dict[int, Any]

    def row(self, values: Sequence[Any]) -> Any:
        row = self.model.from_db(DEFAULT_DB_ALIAS, self.names, values[: len(self.names)])
        for populator in self.related:
            populator.populate(values, row)
        for name, place in self.annotations.items():
            setattr(row, name, values[place])
        return row


def _key(key: Key) -> Key:
    return key.hex if isinstance(key, UUID) and not connection.features.has_native_uuid_field else key


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
    return rows > MOST_PLACES and connection.vendor == "postgresql"


def _values(rows: Sequence[Model], fields: Fields, *, is_new: bool) -> list[Any]:
    """What is written: row by row, or, of many, column by column."""
    # the connection itself: the proxy for it would look for it at each value
    here = connections[DEFAULT_DB_ALIAS]
    if _are_many(len(rows)):
        return [[_value(field, row, here, is_new=is_new) for row in rows] for field in fields]
    return [_value(field, row, here, is_new=is_new) for row in rows for field in fields]


def _value(field: Field[Any, Any], row: Model, here: BaseDatabaseWrapper, *, is_new: bool) -> Any:
    """As the database takes it: the field is asked only where it would change one."""
    value = field.pre_save(row, is_new)
    if value is None or type(value) is _AS_THEY_ARE.get(type(field)):
        return value
    return field.get_db_prep_save(value, here)


_AS_THEY_ARE: Final = {CharField: str, TextField: str, BooleanField: bool}


def _new_values(rows: Sequence[Model]) -> list[Any]:
    return _values(rows, _written(type(rows[0])), is_new=True)


def _changed_values(rows: Sequence[Model], names: tuple[str, ...]) -> list[Any]:
    model = type(rows[0])
    return _values(rows, (*_named(model, names), model._meta.pk), is_new=False)


def _gone(model: type[Model]) -> DatabaseError:
    return DatabaseError(f"a row of {model._meta.label} that was to be changed is gone")


def _saved(rows: Sequence[M]) -> list[M]:
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS  # noqa: SLF001  # as Django documents for from_db
    return list(rows)


class _Planned(ServerBindingCursor):  # type: ignore[misc]  # the stubs lack it
    """Lets PostgreSQL plan a statement once for each connection, which takes it longer than to run it.

    Django's own cursor binds the values itself, and so sends a statement that is new each time.
    """

    @classmethod
    def of(cls, link: Any) -> _Planned:
        """The one of this connection, which keeps it: to make one is a good part of what a statement costs."""
        if not hasattr(link, "bookshelf_planned"):
            link.bookshelf_planned = cls(link)
        return cast("_Planned", link.bookshelf_planned)

    def _convert_query(self, *statement: Any) -> Any:
        # Django's log of queries looks here, where psycopg leaves only what it has not prepared
        self._query = super()._convert_query(*statement)
        return self._query


def _cursor() -> Any:
    """Whoever asks by it fetches what it has found before anybody asks again, and leaves it open."""
    # the connection itself: the proxy for it would look for it at each step
    here = connections[DEFAULT_DB_ALIAS]
    if here.vendor != "postgresql":
        return here.cursor()
    here.ensure_connection()
    return here._prepare_cursor(_Planned.of(here.connection))  # type: ignore[attr-defined]  # noqa: SLF001


def execute(statement: str, values: Sequence[Any]) -> int:
    """A statement that is written by hand; how many rows it met."""
    cursor = _cursor()
    cursor.execute(statement, values)
    return int(cursor.rowcount)


def _fetched(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    cursor = _cursor()
    cursor.execute(statement, values)
    return list(cursor.fetchall())


def _quoted(name: str | None) -> str:
    return str(connection.ops.quote_name(name or ""))


@cache
def _named(model: type[Model], names: tuple[str, ...]) -> Fields:
    return tuple(cast("Field[Any, Any]", model._meta.get_field(name)) for name in names)


@cache
def _written(model: type[Model]) -> Fields:
    """All columns but the key that the database gives."""
    return tuple(field for field in model._meta.concrete_fields if field is not model._meta.auto_field)


def _insertion(model: type[Model], rows: int) -> str:
    return f"{_insertion_into(model)} {_table_of_values(_written(model), rows)}"


@cache
def _insertion_into(model: type[Model]) -> str:
    columns = ", ".join(_quoted(field.column) for field in _written(model))
    return f"INSERT INTO {_quoted(model._meta.db_table)} ({columns})"


def _table_of_values(fields: Fields, rows: int) -> str:
    if _are_many(rows):
        return _table_of_columns(fields)
    return "VALUES " + ", ".join([f"({', '.join(['%s'] * len(fields))})"] * rows)


@cache
def _table_of_columns(fields: Fields) -> str:
    arrays = ", ".join(f"%s::{_type(field)}[]" for field in fields)
    names = ", ".join(f"column{number}" for number in range(1, len(fields) + 1))
    return f"SELECT * FROM UNNEST({arrays}) AS given ({names})"  # noqa: S608  # names of ours


@cache
def _returning(model: type[Model]) -> str:
    return f" RETURNING {_quoted(model._meta.pk.column)}"


def _change(model: type[Model], names: tuple[str, ...], rows: int) -> str:
    if rows == 1:
        return _change_of_one(model, names)
    start, end = _change_of_many(model, names)
    return start + _table_of_values((*_named(model, names), model._meta.pk), rows) + end


@cache
def _change_of_one(model: type[Model], names: tuple[str, ...]) -> str:
    changes = ", ".join(f"{_quoted(field.column)} = %s" for field in _named(model, names))
    table, key = _quoted(model._meta.db_table), _quoted(model._meta.pk.column)
    return f"UPDATE {table} SET {changes} WHERE {key} = %s"  # noqa: S608  # names of ours


@cache
def _change_of_many(model: type[Model], names: tuple[str, ...]) -> tuple[str, str]:
    """Joined to a table of the new values; both databases call its columns column1, column2 and so on."""
    table, key = _quoted(model._meta.db_table), model._meta.pk
    fields = [*_named(model, names), key]
    new = [_typed(f"new.column{number}", field) for number, field in enumerate(fields, 1)]
    changes = ", ".join(f"{_quoted(field.column)} = {value}" for field, value in zip(fields[:-1], new, strict=False))
    return (
        f"UPDATE {table} SET {changes} FROM (",  # noqa: S608  # names of ours
        f") AS new WHERE {table}.{_quoted(key.column)} = {new[-1]}",
    )


def _typed(value: str, field: Field[Any, Any]) -> str:
    """PostgreSQL is told the types of a table of values."""
    return f"{value}::{_type(field)}" if connection.vendor == "postgresql" else value


def _type(field: Field[Any, Any]) -> str:
    """Without a length, or PostgreSQL would cut off what is too long."""
    return (field.db_type(connection) or "text").partition("(")[0]
