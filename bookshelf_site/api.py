"""The API of the shop: which app answers where under /api/v1."""

from __future__ import annotations

from bookshelf_site.event_feed.api import router as events
from bookshelf_site.json_api import JsonApi
from bookshelf_site.webhooks.api import router as webhooks
from catalog.api import router as books
from inventory.api import notifications, stock
from orders.api import router as orders

api = JsonApi(
    title="Bookshelf",
    version="1",
    description=(
        "Catalogue, stock and orders of a bookshop. Ids are opaque strings, times are RFC 3339 in UTC, money is an "
        "exact amount in a string. Where there is no text it is empty; where there is no id, amount or time it is null."
    ),
    urls_namespace="api",
)
api.add_router("/books", books, tags=["Books"])
api.add_router("/orders", orders, tags=["Orders"])
api.add_router("/stock", stock, tags=["Stock"])
api.add_router("/notifications", notifications, tags=["Notifications"])
api.add_router("/events", events, tags=["Events"])
api.add_router("/webhooks", webhooks, tags=["Webhooks"])
