from __future__ import annotations

from django.apps import AppConfig

from bookshelf_site.events.duties import every_minute


class OrdersConfig(AppConfig):
    name = "orders"
    verbose_name = "Orders"

    def ready(self) -> None:
        from orders import receivers  # noqa: F401  # connecting the receivers is the import's purpose
        from orders.finding import answer_link_requests
        from orders.mail.digest import compose_digest
        from orders.services import expire_orders

        every_minute("orders.expire_orders", expire_orders)
        every_minute("orders.compose_digest", compose_digest)
        every_minute("orders.answer_link_requests", answer_link_requests)
