"""An app whose receivers lock the books of an order in the opposite order to its buyers, for a server under test.

The settings are in `crowd_settings`: DJANGO_SETTINGS_MODULE=tests.events.crowd_settings.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.apps import AppConfig

RECEIVERS = ("tests.locks_last", "tests.locks_first")


class CrowdConfig(AppConfig):
    name = "tests.events"
    label = "crowd"
    path = str(Path(__file__).parent)

    def ready(self) -> None:
        from orders.events import OrderPlaced

        for uid, place in zip(RECEIVERS, (-1, 0), strict=True):
            OrderPlaced.signal.connect(_locking(uid, place), dispatch_uid=uid, alone=True)


def _locking(uid: str, place: int) -> Callable[..., None]:
    def lock(sender: object, event: Any, **kwargs: object) -> None:
        from inventory.models import StockItem
        from tests.events.happenings import note

        book_id = sorted(line.book_id for line in event.lines)[place]
        StockItem.objects.locked_one(book_id)
        note(uid, 1)

    return lock
