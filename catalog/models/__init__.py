"""Books: what they are and what they cost; and the feeds that are handed in."""

from __future__ import annotations

from catalog.models.book import MAX_OPENING_STOCK, Book
from catalog.models.details import (
    AUTHOR_LENGTH,
    DESCRIPTION_LENGTH,
    MAX_PRICE,
    PUBLISHER_LENGTH,
    TITLE_LENGTH,
    BookChanges,
    BookDetails,
    checked_price,
)
from catalog.models.feed_import import FEED_NAME_LENGTH, FeedImport, FeedPart, FeedRejection
from catalog.models.queries import BookQuerySet, FallingPrice, RisingPrice

__all__ = [
    "AUTHOR_LENGTH",
    "DESCRIPTION_LENGTH",
    "FEED_NAME_LENGTH",
    "MAX_OPENING_STOCK",
    "MAX_PRICE",
    "PUBLISHER_LENGTH",
    "TITLE_LENGTH",
    "Book",
    "BookChanges",
    "BookDetails",
    "BookQuerySet",
    "FallingPrice",
    "FeedImport",
    "FeedPart",
    "FeedRejection",
    "RisingPrice",
    "checked_price",
]
