from __future__ import annotations

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate

from bookshelf_site.events.triggers import add_erasing_function


class EventsConfig(AppConfig):
    name = "bookshelf_site.events"
    label = "events"
    verbose_name = "Events"

    def ready(self) -> None:
        from bookshelf_site.events import checks, events, metrics, upkeep  # noqa: F401  # its own events are to be decoded too

        connection_created.connect(add_erasing_function, dispatch_uid="events.add_erasing_function")
        post_migrate.connect(upkeep.after_migrate, sender=self, dispatch_uid="events.after_migrate")
        checks.register()
        metrics.register()
