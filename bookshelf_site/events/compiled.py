"""Queries for rows by their keys, compiled once: the ORM takes longer to compile one than a database to run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar
from uuid import UUID, uuid4

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators  # type: ignore[attr-defined]  # the stubs lack it

from bookshelf_site.events.planned import fetched, has_uuids

M = TypeVar("M", bound=Model)
Key: TypeAlias = UUID | str

MOST_KEYS = 20
"""What is asked for more keys at once is compiled each time: each number of keys is a statement of its own."""


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
        returned = fetched(plan.statement, params)
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
    return key.hex if isinstance(key, UUID) and not has_uuids() else key
