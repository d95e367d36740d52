"""`revoke_api_key PREFIX`: shut a key out at once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bookshelf_site.access.models import ApiKey
from bookshelf_site.access.services import revoke_api_key


class Command(BaseCommand):
    help = "Shuts an API key out, from the next request on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("prefix", help="the eight characters after bs_, as the lists show them")

    def handle(self, *, prefix: str, **options: Any) -> None:
        key = ApiKey.objects.filter(prefix=prefix).first()
        if key is None:
            raise CommandError(f"There is no key that begins with bs_{prefix}_.", returncode=2)
        revoke_api_key(key_id=key.pk)
