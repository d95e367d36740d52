from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from bookshelf_site.events.duties import every_minute
from bookshelf_site.words import make_indexes


class OrdersConfig(AppConfig):
    name = "orders"
    verbose_name = "Orders"

    def ready(self) -> None:
        from orders import receivers  # noqa: F401  # connecting the receivers is the import's purpose
        from orders.finding import answer_link_requests
        from orders.mail.digest import compose_digest
        from orders.services import expire_orders

        post_migrate.connect(make_indexes, sender=self, dispatch_uid="orders.make_indexes")
        every_minute("orders.expire_orders", expire_orders)
        every_minute("orders.compose_digest", compose_digest)
        every_minute("orders.answer_link_requests", answer_link_requests)
