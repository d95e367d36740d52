"""What `manage.py check` says about the site itself."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks

from bookshelf_site import languages


@checks.register()
def check_catalogues(**kwargs: Any) -> list[checks.CheckMessage]:
    """Customers are spoken to in English where a catalogue could not be compiled."""
    return [
        checks.Warning(
            f"{catalogue} is not compiled.",
            hint="Let the shop's user write beside it once, or build the image with `manage.py check`.",
            id="site.W001",
        )
        for folder in settings.LOCALE_PATHS
        for catalogue in languages.stale(folder)
    ]
