from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from orders.services import expire_orders


class Command(BaseCommand):
    help = "Cancel the PENDING orders that nobody has confirmed for PENDING_ORDER_HOURS. The relay does so by itself."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print the result for a program")

    def handle(self, *, as_json: bool, **options: Any) -> None:
        numbers = [order.number for order in expire_orders()]
        if as_json:
            self.stdout.write(json.dumps({"expired": numbers}))
            return
        for number in numbers:
            self.stdout.write(f"order {number} expired")
        self.stdout.write(f"{len(numbers):,} orders expired")
