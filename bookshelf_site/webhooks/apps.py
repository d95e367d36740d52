from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules

from bookshelf_site.events.duties import every_minute


class WebhooksConfig(AppConfig):
    name = "bookshelf_site.webhooks"
    label = "webhooks"
    verbose_name = "Webhooks"

    def ready(self) -> None:
        from bookshelf_site.webhooks.receivers import after_migrate, connect
        from bookshelf_site.webhooks.services import wake_for_webhooks

        # all events of all apps, whatever their order in INSTALLED_APPS: they are what is told
        autodiscover_modules("events")
        connect()
        # the events' own, which notes the receivers, comes before it
        post_migrate.connect(after_migrate, sender=self, dispatch_uid="webhooks.after_migrate")
        every_minute("webhooks.wake_for_webhooks", wake_for_webhooks)
