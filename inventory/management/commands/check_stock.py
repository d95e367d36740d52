from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from inventory.audit import differences, one_snapshot
from inventory.models import StockItem


class Command(BaseCommand):
    help = "Prove that counters, ledger and open allocations agree. Exits with 1 and names what differs if they don't."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print the result for a program")

    def handle(self, *, as_json: bool, **options: Any) -> None:
        with one_snapshot():  # a shop that is selling meanwhile must not look like one that can't count
            checked, found = StockItem.objects.count(), list(differences())
        if as_json:
            entries = [asdict(difference) | {"book_id": str(difference.book_id)} for difference in found]
            self.stdout.write(json.dumps({"books": checked, "differences": entries}))
        else:
            for difference in found:
                self.stderr.write(str(difference))
            self.stdout.write(f"{checked:,} books checked, {len(found):,} differences")
        if found:
            sys.exit(1)
