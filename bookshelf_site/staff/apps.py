from __future__ import annotations

from django.apps import AppConfig


class StaffConfig(AppConfig):
    name = "bookshelf_site.staff"
    label = "staff"
    verbose_name = "Staff"
