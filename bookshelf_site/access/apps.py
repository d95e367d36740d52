from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    name = "bookshelf_site.access"
    label = "access"
    verbose_name = "Access"

    def ready(self) -> None:
        from bookshelf_site.access import groups

        post_migrate.connect(groups.make_groups, sender=self, dispatch_uid="access.make_groups")
