from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from bookshelf_site.staff import two_factor


class Command(BaseCommand):
    help = "Let a user in by the password alone, whose phone and backup codes are lost."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the name by which the user logs in")

    def handle(self, *, name: str, **options: Any) -> None:
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"nobody is called {name!r}", returncode=2)
        if not two_factor.is_on(user):
            raise CommandError(f"{name} has no two-factor login on")
        two_factor.remove(user, by=user)
        self.stdout.write(f"{name} logs in by the password alone.")
