from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class InventoryConfig(AppConfig):
    name = "inventory"
    verbose_name = "Stock"

    def ready(self) -> None:
        from inventory import checks, receivers  # noqa: F401  # connecting the receivers is the import's purpose

        post_migrate.connect(checks.make_ledger_append_only, sender=self, dispatch_uid="inventory.append_only_ledger")
        checks.register()
