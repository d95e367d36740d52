"""`rotate_api_key PREFIX [--overlap-minutes N]`: the successor alone on stdout, so that a script can keep it."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bookshelf_site.access.models import ApiKey
from bookshelf_site.access.services import rotate_api_key
from bookshelf_site.errors import InvalidValue

MOST_MINUTES = 30 * 24 * 60


class Command(BaseCommand):
    help = "Makes a successor of an API key, with the same rights, and prints it; then the old key opens nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("prefix", help="the eight characters after bs_, as the lists show them")
        parser.add_argument(
            "--overlap-minutes", type=int, default=0, metavar="N", help="the old key is good for so much longer"
        )

    def handle(self, *, prefix: str, overlap_minutes: int, **options: Any) -> None:
        if not 0 <= overlap_minutes <= MOST_MINUTES:
            raise CommandError(f"--overlap-minutes is a number from 0 to {MOST_MINUTES}.", returncode=2)
        key = ApiKey.objects.filter(prefix=prefix).first()
        if key is None:
            raise CommandError(f"There is no key that begins with bs_{prefix}_.", returncode=2)
        try:
            _, secret = rotate_api_key(key_id=key.pk, overlap=timedelta(minutes=overlap_minutes))
        except InvalidValue as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write(secret)
