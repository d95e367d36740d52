"""Append-only tables: the database itself refuses to change or delete what happened.

The triggers are made after each migration, because SQLite drops them when a migration remakes the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import DEFAULT_DB_ALIAS, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

_erasing: ContextVar[bool] = ContextVar("bookshelf_erasing", default=False)


@contextmanager
def erasing(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Inside this block, and its transaction, append-only rows may be changed: for erasing personal data.

    Raises RuntimeError outside a transaction.
    """
    connection = connections[using]
    if not connection.in_atomic_block:
        raise RuntimeError("erasing() works inside a transaction only")
    if _erasing.get():
        yield
        return
    token = _erasing.set(True)
    try:
        _switch(connection, "on")
        yield
    finally:
        _erasing.reset(token)
        # in a broken transaction nothing can be switched off, nor need be: the setting is rolled back with the rest
        if not connection.needs_rollback and connection.is_usable():
            _switch(connection, "off")


def _switch(connection: BaseDatabaseWrapper, state: str) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('bookshelf.erasing', %s, true)", [state])


def add_erasing_function(connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    """Tell each new SQLite connection whether this thread is erasing; its triggers ask."""
    if connection.vendor == "sqlite":
        connection.connection.create_function("bookshelf_erasing", 0, lambda: int(_erasing.get()))


def make_append_only(model: type[models.Model], *, using: str, write_once: Sequence[str] = ()) -> None:
    """Make the triggers that refuse UPDATE and DELETE on the model's table, if it is there.

    A column in `write_once` may be written a single time, while it is NULL.
    """
    connection = connections[using]
    table = model._meta.db_table
    if table not in connection.introspection.table_names():
        return
    make = _postgresql if connection.vendor == "postgresql" else _sqlite
    # in one transaction, so that at no moment the table stands open
    with transaction.atomic(using=using), connection.cursor() as cursor:
        for name, event, condition in _triggers(model, connection, write_once):
            for statement in make(name, table, event, condition):
                cursor.execute(statement)


def missing_triggers(model: type[models.Model], *, using: str, write_once: Sequence[str] = ()) -> list[str]:
    """The names of the model's triggers that the database lacks; none if it lacks the table too."""
    connection = connections[using]
    catalogue = {
        "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'",
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    }[connection.vendor]
    if model._meta.db_table not in connection.introspection.table_names():
        return []
    with connection.cursor() as cursor:
        cursor.execute(catalogue)
        there = {row[0] for row in cursor.fetchall()}
    return [name for name, _, _ in _triggers(model, connection, write_once) if name not in there]


def _triggers(
    model: type[models.Model], connection: BaseDatabaseWrapper, write_once: Sequence[str]
) -> Iterator[tuple[str, str, str]]:
    """Name, event and condition of each trigger of the model's table."""
    prefix = f"{model._meta.db_table}_append_only"
    frozen = ", ".join(f'"{f.column}"' for f in model._meta.concrete_fields if f.name not in write_once)
    yield f"{prefix}_delete", "DELETE", "TRUE"
    yield f"{prefix}_update", f"UPDATE OF {frozen}", "TRUE"
    for column in write_once:
        yield f"{prefix}_{column}", f'UPDATE OF "{column}"', f'OLD."{column}" IS NOT NULL'
    if connection.vendor == "postgresql":
        yield f"{prefix}_truncate", "TRUNCATE", "TRUE"


def _sqlite(trigger: str, table: str, event: str, condition: str) -> list[str]:
    return [
        f"DROP TRIGGER IF EXISTS {trigger}",
        f"""
        CREATE TRIGGER {trigger} BEFORE {event} ON "{table}" FOR EACH ROW
        WHEN bookshelf_erasing() = 0 AND {condition} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END
        """,
    ]


def _postgresql(trigger: str, table: str, event: str, condition: str) -> list[str]:
    every = "STATEMENT" if event == "TRUNCATE" else f"ROW WHEN ({condition})"
    return [
        _REFUSAL,
        f"""
        CREATE OR REPLACE TRIGGER {trigger} BEFORE {event} ON "{table}" FOR EACH {every}
        EXECUTE FUNCTION bookshelf_append_only()
        """,
    ]


_REFUSAL = """
    CREATE OR REPLACE FUNCTION bookshelf_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF current_setting('bookshelf.erasing', true) = 'on' THEN
            IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
            RETURN NEW;
        END IF;
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
    END $$
"""
