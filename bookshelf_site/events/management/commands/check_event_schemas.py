from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from bookshelf_site.events.schemas import differences, published_events, write_missing


class Command(BaseCommand):
    help = "Prove that no event has changed without a new version: each version's schema is a file in docs/events."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help="first write the files of new events and new versions")

    def handle(self, *, write: bool, **options: Any) -> None:
        kinds, folder = published_events(), settings.BASE_DIR / "docs" / "events"
        for name in write_missing(kinds, folder) if write else ():
            self.stdout.write(f"{name} written")
        found = list(differences(kinds, folder))
        for difference in found:
            self.stderr.write(difference)
        if found:
            raise CommandError(f"{len(found)} schemas of events differ.", returncode=1)
        self.stdout.write(f"{len(kinds)} events are what they were published as.")
