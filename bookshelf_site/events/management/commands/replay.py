from __future__ import annotations

import json
from argparse import ArgumentTypeError
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from bookshelf_site.errors import DomainError
from bookshelf_site.events import acting
from bookshelf_site.events.backfill import repeat_preview, repeat_receiver, replay_preview, replay_receiver


class Command(BaseCommand):
    help = (
        "Owe a receiver events of the log that it was never told; with --again those, too, that it has done,"
        " if it is declared repeatable. Never what happened before it was there, or what was pruned."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("receiver", help="its dispatch_uid")
        parser.add_argument("--since", type=moment, metavar="T", help="only what happened since: 2026-11-23[T09:30Z]")
        parser.add_argument("--again", action="store_true", help="what it has done is owed again")
        parser.add_argument("--dry-run", action="store_true", help="report what would be owed, write nothing")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print the report for a program")

    def handle(
        self, *, receiver: str, since: datetime | None, again: bool, dry_run: bool, as_json: bool, **options: Any
    ) -> None:
        acts = {
            (False, False): replay_receiver,
            (False, True): replay_preview,
            (True, False): repeat_receiver,
            (True, True): repeat_preview,
        }
        try:
            with acting(actor="command:replay"):
                done = acts[again, dry_run](receiver=receiver, since=since)
        except DomainError as refused:
            raise CommandError(str(refused), returncode=2) from None
        if as_json:
            self.stdout.write(json.dumps({"dry_run": dry_run, **asdict(done)}))
            return
        verb = "would be" if dry_run else "are now"
        self.stdout.write(f"{done.made:,} {verb} owed for the first time, {done.reopened:,} again.")


def moment(text: str) -> datetime:
    """A day begins at midnight; without an offset it is the shop's own time."""
    try:
        at = parse_datetime(text)
        if at is None and (day := parse_date(text)):
            at = datetime.combine(day, datetime.min.time())
    except ValueError:
        at = None
    if at is None:
        raise ArgumentTypeError(f"{text!r} is no moment, such as 2026-11-23 or 2026-11-23T09:30Z")
    return at if timezone.is_aware(at) else timezone.make_aware(at)
