from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class WebhooksConfig(AppConfig):
    name = "bookshelf_site.webhooks"
    label = "webhooks"
    verbose_name = "Webhooks"

    def ready(self) -> None:
        from bookshelf_site.webhooks.receivers import connect

        # all events of all apps, whatever their order in INSTALLED_APPS: they are what is told
        autodiscover_modules("events")
        connect()
