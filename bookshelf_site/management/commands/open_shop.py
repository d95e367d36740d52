from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand

from bookshelf_site.demo import shop

STAFF = "admin"


class Command(BaseCommand):
    help = "Fill an empty database with a demo shop and a member of staff; leaves a shop that has something alone."

    def handle(self, **options: Any) -> None:
        accounts = get_user_model().objects
        if shop.is_empty():
            self.stdout.write("The shop is empty: filling it with some books and orders to look at …")
            shop.fill()
        if not accounts.filter(is_staff=True).exists():
            password = secrets.token_urlsafe(12)
            accounts.create_superuser(STAFF, password=password)
            self.stdout.write(f"Sign in as {STAFF} with the password {password} (it is shown this once).")
        self.stdout.write(f"The shop is at {settings.PUBLIC_URL}, its back office at {settings.PUBLIC_URL}/admin/.")
