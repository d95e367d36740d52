from __future__ import annotations

from django.apps import AppConfig, apps


class StaffConfig(AppConfig):
    name = "bookshelf_site.staff"
    label = "staff"
    verbose_name = "Login"

    def ready(self) -> None:
        """Django's own name for users and groups says what they are to a programmer."""
        apps.get_app_config("auth").verbose_name = "Staff"
