from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from bookshelf_site.demo.scratch import NoScratchDatabase, Scratch, scratch_database
from bookshelf_site.demo.story import StoryBroken, play, prove_connected


class Command(BaseCommand):
    help = "Play the story of one book and one order in a scratch database, and check every step. Touches no shop."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--in", dest="scratch", metavar="NAME", help="play here, in the scratch database NAME")

    def handle(self, *, scratch: str | None, **options: Any) -> None:
        if scratch is not None:
            self._play(scratch)
            return
        try:
            with scratch_database() as database:
                returncode = self._play_in_child(database)
        except NoScratchDatabase as error:
            raise CommandError(str(error), returncode=2) from error
        if returncode:
            sys.exit(returncode)

    def _play(self, scratch: str) -> None:
        if connection.introspection.table_names():
            raise CommandError(f"{scratch} is not empty: the story is played in a new database only.", returncode=2)
        try:
            prove_connected(scratch)
            call_command("migrate", verbosity=0)
            play(self.stdout.write)
        except StoryBroken as error:
            raise CommandError(str(error)) from error

    def _play_in_child(self, database: Scratch) -> int:
        """In a process of its own: this one stays connected to the shop, and settings can't be changed in flight."""
        environment = os.environ | {
            "DATABASE_URL": database.url,
            "EVENTS_ENGINE": "inline",
            "SHOP_CURRENCY": "USD",
            "SECRET_KEY": settings.SECRET_KEY,
        }
        manage = Path(settings.BASE_DIR) / "manage.py"
        command = [sys.executable, str(manage), "demo", "--in", database.name]
        return subprocess.run(command, env=environment, check=False).returncode
