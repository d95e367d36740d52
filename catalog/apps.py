from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from bookshelf_site.events.companions import alongside
from bookshelf_site.events.duties import every_minute
from bookshelf_site.words import make_indexes


class CatalogConfig(AppConfig):
    name = "catalog"
    verbose_name = "Catalogue"

    def ready(self) -> None:
        from catalog.imports import tidy, work_on

        post_migrate.connect(make_indexes, sender=self, dispatch_uid="catalog.make_indexes")
        alongside("imports", work_on)
        every_minute("catalog.tidy_imports", tidy)
