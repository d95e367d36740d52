from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orders.errors import NotAllExpired
from orders.services import expire_orders


class Command(BaseCommand):
    help = "Cancel the PENDING orders that nobody has confirmed for PENDING_ORDER_HOURS. The relay does so by itself."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print the result for a program")

    def handle(self, *, as_json: bool, **options: Any) -> None:
        failed: list[str] = []
        try:
            numbers = [order.number for order in expire_orders()]
        except NotAllExpired as refusal:
            numbers, failed = refusal.expired, [str(order_id) for order_id in refusal.failed]
        self._report(numbers, failed, as_json=as_json)
        if failed:
            raise CommandError(f"{len(failed):,} orders could not be expired; the log says why.", returncode=1)

    def _report(self, numbers: list[str], failed: list[str], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"expired": numbers, "failed": failed}))
            return
        for number in numbers:
            self.stdout.write(f"order {number} expired")
        self.stdout.write(f"{len(numbers):,} orders expired")
