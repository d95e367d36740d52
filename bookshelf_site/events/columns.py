"""The columns of a model as statements name, type and fill them; read from its fields once."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias, cast
from uuid import UUID

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, CharField, EmailField, Field, ForeignKey, Model, TextField, UUIDField

from bookshelf_site.events.planned import has_uuids, is_postgresql


class Column(NamedTuple):
    """A field as it is written."""

    field: Field[Any, Any]
    attribute: str
    quoted: str
    sql_type: str
    """Without a length, or PostgreSQL would cut off what is too long."""
    decides: bool
    """Does the field say what is written, as with `auto_now`, and not the row?"""
    as_it_is: type[object] | None
    """What the database takes as it is, so that the field needn't be asked."""

    @classmethod
    def of(cls, field: Field[Any, Any]) -> Column:
        return cls(
            field=field,
            attribute=field.attname,
            quoted=quoted(field.column),
            sql_type=(field.db_type(connection) or "text").partition("(")[0],
            decides=type(field).pre_save is not Field.pre_save,
            as_it_is=_taken_as_it_is(field),
        )

    def value(self, row: Model, here: BaseDatabaseWrapper, *, is_new: bool) -> Any:
        """What the row has, as the database takes it."""
        value = self.field.pre_save(row, is_new) if self.decides else getattr(row, self.attribute)
        if value is None or type(value) is self.as_it_is:
            return value
        return self.field.get_db_prep_save(value, here)

    def typed(self, value: str) -> str:
        """PostgreSQL is told the types of a table of values."""
        return f"{value}::{self.sql_type}" if is_postgresql() else value


Columns: TypeAlias = tuple[Column, ...]

_TAKEN: Final = {CharField: str, EmailField: str, TextField: str, BooleanField: bool, UUIDField: UUID}


@cache
def new_columns(model: type[Model]) -> Columns:
    """Those of a new row: all but the key that the database gives."""
    return tuple(Column.of(field) for field in model._meta.concrete_fields if field is not model._meta.auto_field)


@cache
def changed_columns(model: type[Model], names: tuple[str, ...]) -> Columns:
    """Those of the fields that are changed, and last the key."""
    fields = [cast("Field[Any, Any]", model._meta.get_field(name)) for name in names]
    return tuple(Column.of(field) for field in (*fields, model._meta.pk))


def quoted(name: str | None) -> str:
    return str(connection.ops.quote_name(name or ""))


def _taken_as_it_is(field: Field[Any, Any]) -> type[object] | None:
    while isinstance(field, ForeignKey):
        field = field.target_field
    if isinstance(field, UUIDField) and not has_uuids():
        return None
    return _TAKEN.get(type(field))
