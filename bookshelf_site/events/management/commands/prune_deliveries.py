from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from bookshelf_site.events import acting
from bookshelf_site.events.management.commands.relay import positive
from bookshelf_site.events.pruning import KEEP_DAYS, preview, prune_deliveries


class Command(BaseCommand):
    help = "Delete deliveries that were settled long ago. Events stay, and so does what is pending or dead."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=positive, default=KEEP_DAYS, metavar="N", help=f"kept ({KEEP_DAYS})")
        parser.add_argument("--dry-run", action="store_true", help="count, write nothing")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print the count for a program")

    def handle(self, *, days: int, dry_run: bool, as_json: bool, **options: Any) -> None:
        with acting(actor="command:prune_deliveries"):
            count = preview(days=days) if dry_run else prune_deliveries(days=days)
        if as_json:
            self.stdout.write(json.dumps({"dry_run": dry_run, "deleted": count}))
        else:
            self.stdout.write(f"{count:,} {'would be' if dry_run else 'were'} deleted.")
