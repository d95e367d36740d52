"""Django system checks of the event core."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import connections

from bookshelf_site.events.domain_event import EVENTS
from bookshelf_site.events.engines import ENGINES
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.signals import RECEIVERS
from bookshelf_site.events.triggers import missing_triggers

NEEDS = {"celery": "celery"}
"""The package without which an engine does not run."""


def register() -> None:
    checks.register(check_engine)
    checks.register(check_engine_is_installed)
    checks.register(check_sqlite_is_immediate)
    checks.register(check_receivers_are_durable_or_say_that_they_are_not)
    checks.register(check_triggers, checks.Tags.database)
    checks.register(check_rows_are_known, checks.Tags.database)


def check_engine(app_configs: object, **kwargs: Any) -> list[checks.CheckMessage]:
    if settings.EVENTS_ENGINE in ENGINES:
        return []
    return [
        checks.Error(
            f"EVENTS_ENGINE is {settings.EVENTS_ENGINE!r}", hint=f"one of {', '.join(ENGINES)}", id="events.E001"
        )
    ]


def check_engine_is_installed(app_configs: object, **kwargs: Any) -> list[checks.CheckMessage]:
    package = NEEDS.get(settings.EVENTS_ENGINE)
    if package is None or find_spec(package):
        return []
    return [
        checks.Error(
            f"EVENTS_ENGINE is {settings.EVENTS_ENGINE!r}, but {package} is not installed",
            hint=f"pip install '.[{settings.EVENTS_ENGINE}]', or choose another engine",
            id="events.E003",
        )
    ]


def check_receivers_are_durable_or_say_that_they_are_not(
    app_configs: object, **kwargs: Any
) -> list[checks.CheckMessage]:
    return [
        checks.Warning(
            f"{name} hears {event} without a dispatch_uid: what a crash or a failure keeps from it is lost",
            hint='@receiver(…, dispatch_uid="app.name") makes it durable; if it needn\'t be, say best_effort=True',
            id="events.W002",
        )
        for name, event in sorted(_undecided())
    ]


def _undecided() -> Iterator[tuple[str, str]]:
    for event in set(EVENTS.values()):
        for function in event.signal.undecided:
            module = getattr(function, "__module__", "")
            if apps.get_containing_app_config(module):
                yield f"{module}.{getattr(function, '__qualname__', function)}", event.name


def check_sqlite_is_immediate(app_configs: object, **kwargs: Any) -> list[checks.CheckMessage]:
    return [
        checks.Error(
            f"the SQLite database {alias!r} doesn't begin its transactions IMMEDIATE",
            hint='set OPTIONS["transaction_mode"] = "IMMEDIATE": upgrading a read lock fails at once under load',
            id="events.E002",
        )
        for alias, database in settings.DATABASES.items()
        if database["ENGINE"].endswith("sqlite3") and database.get("OPTIONS", {}).get("transaction_mode") != "IMMEDIATE"
    ]


def check_triggers(
    app_configs: object, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    return [
        checks.Warning(
            f"the trigger {name} is missing: rows of the log could be changed", hint="run migrate", id="events.W001"
        )
        for alias in databases or ()
        for name in missing_triggers(Event, using=alias, write_once=["position"])
    ]


def check_rows_are_known(
    app_configs: object, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Warnings only: while a new release is rolled out, old code sees rows of receivers and events that it lacks."""
    return [found for alias in databases or () if _is_migrated(alias) for found in _unknown(alias)]


def _is_migrated(alias: str) -> bool:
    tables = connections[alias].introspection.table_names()
    return {Event._meta.db_table, Delivery._meta.db_table} <= set(tables)


def _unknown(alias: str) -> Iterator[checks.CheckMessage]:
    unsettled = Delivery.objects.using(alias).exclude(status=Delivery.Status.DONE).order_by("receiver")
    for uid in unsettled.exclude(receiver__in=list(RECEIVERS)).values_list("receiver", flat=True).distinct():
        yield checks.Warning(
            f"deliveries are owed to {uid!r}, which no receiver is called in this code",
            hint="deploy the code that has it; if it has a new dispatch_uid, connect it with the old one in aliases=",
            id="events.W003",
        )
    for name in _names_in_the_log(alias):
        if name not in EVENTS:
            yield checks.Warning(
                f"the log has events called {name!r}, which this code can't read",
                hint="deploy the code that has it; if the event has a new name, give the old one in aliases=",
                id="events.W004",
            )


def _names_in_the_log(alias: str) -> Iterator[str]:
    """A look into the index for each name, however many events there are."""
    name = ""
    names = Event.objects.using(alias).order_by("name").values_list("name", flat=True)
    while following := names.filter(name__gt=name).first():
        yield following
        name = following
