"""The catalogue's door for staff."""

from catalog.admin.books import BookAdmin
from catalog.admin.imports import FeedImportAdmin

__all__ = ["BookAdmin", "FeedImportAdmin"]
