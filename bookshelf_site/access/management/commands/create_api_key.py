"""`create_api_key NAME --group GROUP [--expires-days N]`: the key alone on stdout, so that a script can keep it."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError

from bookshelf_site.access.services import create_api_key
from bookshelf_site.errors import InvalidValue

MOST_DAYS = 36_500


class Command(BaseCommand):
    help = "Makes a service account in a group, and prints its API key, which can't be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what the key is for, such as 'web shop'")
        parser.add_argument("--group", required=True, help="whose rights the key has, such as Integration")
        parser.add_argument("--expires-days", type=int, metavar="N", help="the key is good for so many days")

    def handle(self, *, name: str, group: str, expires_days: int | None, **options: Any) -> None:
        if expires_days is not None and not 1 <= expires_days <= MOST_DAYS:
            raise CommandError(f"--expires-days is a number from 1 to {MOST_DAYS}.", returncode=2)
        try:
            _, secret = create_api_key(
                name=name,
                group=_group(group),
                expires_in=None if expires_days is None else timedelta(days=expires_days),
            )
        except InvalidValue as error:
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write(secret)


def _group(name: str) -> Group:
    found = Group.objects.filter(name=name).first()
    if found is None:
        known = ", ".join(Group.objects.order_by("name").values_list("name", flat=True))
        raise CommandError(f"There is no group {name!r}; there are {known}.", returncode=2)
    return found
