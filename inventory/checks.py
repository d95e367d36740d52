"""The ledger is append-only: made so after each migration, and checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import connections

from bookshelf_site.events.triggers import make_append_only, missing_triggers
from inventory.models import StockMovement


def make_ledger_append_only(*, using: str, **kwargs: object) -> None:
    make_append_only(StockMovement, using=using)


def register() -> None:
    checks.register(check_ledger_triggers, checks.Tags.database)


def check_ledger_triggers(
    app_configs: object, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    return [
        checks.Warning(
            f"the trigger {name} is missing: the ledger could be changed", hint="run migrate", id="inventory.W001"
        )
        for alias in databases or ()
        if StockMovement._meta.db_table in connections[alias].introspection.table_names()
        for name in missing_triggers(StockMovement, using=alias)
    ]
