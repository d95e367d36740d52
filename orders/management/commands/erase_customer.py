from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from bookshelf_site.events import acting
from orders.erasure import ErasedOrder, erase_customer, erase_customer_of
from orders.errors import OrdersStillOpen, UnknownOrder


class Command(BaseCommand):
    help = (
        "Forget a customer: name, e-mail, phone, address and notes leave their orders, events and notifications, and "
        "their links open nothing any more. Totals and what was sold stay. Run again, it finds nothing left. "
        "Exit 1, and nothing erased, while one of the orders is still open."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "customer",
            help="an e-mail address: all its orders; or an order's number: that one and those that it was split into",
        )
        parser.add_argument("--dry-run", action="store_true", help="report what would be erased, write nothing")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print the report for a program")

    def handle(self, *, customer: str, dry_run: bool, as_json: bool, **options: Any) -> None:
        try:
            with acting(actor="command:erase_customer"), transaction.atomic():
                erased = erase_customer(email=customer) if "@" in customer else erase_customer_of(order_number=customer)
                transaction.set_rollback(dry_run)
        except UnknownOrder as unknown:
            raise CommandError(str(unknown), returncode=2) from unknown
        except OrdersStillOpen as refused:
            if as_json:
                self.stdout.write(json.dumps({"orders": [], "open": refused.numbers, "dry_run": dry_run}))
            raise CommandError(str(refused), returncode=1) from refused
        self._print(erased, dry_run=dry_run, as_json=as_json)

    def _print(self, erased: list[ErasedOrder], *, dry_run: bool, as_json: bool) -> None:
        if as_json:
            orders = [asdict(order) for order in erased]
            self.stdout.write(json.dumps({"orders": orders, "open": [], "dry_run": dry_run}))
            return
        for order in erased:
            self.stdout.write(f"order {order.number}: the customer, and personal data of {order.events} events")
        done = f"{len(erased)} orders erased" if erased else "nothing left to erase"
        self.stdout.write(done + (" (a dry run: nothing was written)" if dry_run else ""))
