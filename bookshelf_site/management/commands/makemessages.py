from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from bookshelf_site import languages, messages


class Command(BaseCommand):
    help = (
        "Brings the catalogues in locale/ up to date with what pages and mails say, and begins that of a new LANGUAGE; "
        "ends with 1 if something is left to be translated."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("language", nargs="*", help="a language to begin, such as es or pt_BR")

    def handle(self, *, language: list[str], **options: Any) -> None:
        folder = settings.BASE_DIR / "locale"
        begun = [folder / code / "LC_MESSAGES" / "django.po" for code in language]
        template = messages.collected(settings.BASE_DIR)
        left = 0
        for path in sorted({*languages.catalogues(folder), *begun}):
            messages.update(path, template)
            missing = messages.untranslated(path)
            left += len(missing)
            self.stdout.write(f"{languages.language_of(path)}: {len(template)} texts, {len(missing)} to be translated")
            for text in missing:
                self.stdout.write(f"  {text}")
        if left:
            raise CommandError(f"{left} texts are to be translated in {folder}", returncode=1)
