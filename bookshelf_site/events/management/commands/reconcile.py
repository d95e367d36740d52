from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from bookshelf_site.events import acting
from bookshelf_site.events.backfill import reconcile, unreconciled


class Command(BaseCommand):
    help = (
        "Owe every receiver what was emitted, since it is there, by old processes that didn't know it."
        " Run it when the last old process has ended; run again, it does nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="report what would be owed, write nothing")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print the report for a program")

    def handle(self, *, dry_run: bool, as_json: bool, **options: Any) -> None:
        with acting(actor="command:reconcile"):
            made = unreconciled() if dry_run else reconcile()
        if as_json:
            self.stdout.write(json.dumps({"dry_run": dry_run, "owed": made}))
            return
        for receiver, count in made.items():
            self.stdout.write(f"{receiver}: {count:,} {'would be' if dry_run else 'are now'} owed")
        if not made:
            self.stdout.write("Nobody has missed anything.")
