from __future__ import annotations

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """The project itself: its commands, which speak to all apps."""

    name = "bookshelf_site"
    label = "site"
    verbose_name = "Bookshelf"

    def ready(self) -> None:
        from bookshelf_site import checks  # noqa: F401  # registering the checks is the import's purpose
