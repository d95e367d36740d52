from __future__ import annotations

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """The project itself: its commands, which speak to all apps."""

    name = "bookshelf_site"
    label = "site"
    verbose_name = "Bookshelf"
