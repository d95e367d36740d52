from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from bookshelf_site.events.report import Report, report


class Command(BaseCommand):
    help = (
        "Report what is owed, since when, and what is dead."
        " Exit 1 on dead letters, on anything overdue by 60 s, and on events of which nobody was told."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print the report for a program")

    def handle(self, *, as_json: bool, **options: Any) -> None:
        found = report()
        if as_json:
            self.stdout.write(json.dumps(found.as_json()))
        else:
            self._print(found)
        if found.problems:
            raise CommandError(f"{'; '.join(found.problems)}.", returncode=1)

    def _print(self, found: Report) -> None:
        self.stdout.write(f"owed: {sum(found.owed.values())}")
        self.stdout.write(f"oldest due: {found.oldest_due or 'nothing'}")
        for what in ("dead", "unknown"):
            for receiver, count in sorted(getattr(found, what).items()):
                self.stdout.write(f"{what}: {receiver} {count}")
