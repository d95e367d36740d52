"""What staff ask: take a file, take it over, stop."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.utils import timezone

from bookshelf_site.errors import DomainError, InvalidValue
from bookshelf_site.events import current_actor, unit_of_work
from bookshelf_site.money import Money
from bookshelf_site.spreadsheets import SIGNATURE
from catalog.feeds import UnreadableFeed, detect_format
from catalog.imports.kept import in_parts
from catalog.models import FEED_NAME_LENGTH, MAX_OPENING_STOCK, FeedImport, FeedPart, checked_price

COUNTS: Final = dict.fromkeys(("read", "added", "updated", "unchanged", "rejected", "position"), 0)

Status = FeedImport.Status


class NotNow(DomainError):
    """This import is {state}: it can't be {asked} now."""

    code = "invalid_transition"

    def __init__(self, *, state: str, asked: str) -> None:
        super().__init__(state, asked)
        self.state = state
        self.asked = asked


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What whoever hands a feed in wants done with it. Raises InvalidValue."""

    opening_stock: int = 0
    price: Money | None = None
    is_partial: bool = False

    def __post_init__(self) -> None:
        checked_price(self.price)
        if not 0 <= self.opening_stock <= MAX_OPENING_STOCK:
            raise InvalidValue("opening_stock", f"a book opens with 0 to {MAX_OPENING_STOCK:,} copies")


def hand_in(pieces: Iterable[bytes], *, file_name: str, wishes: Wishes) -> FeedImport:
    """Keep a file, piece by piece, to be looked through. If the pieces end in UnreadableFeed, that is its report."""
    feed = FeedImport.objects.create(
        file_name=file_name[-FEED_NAME_LENGTH:],
        actor=current_actor(),
        opening_stock=wishes.opening_stock,
        price_amount=wishes.price.amount if wishes.price else None,
        is_partial=wishes.is_partial,
    )
    try:
        for number, content in enumerate(in_parts(pieces)):
            if number == 0:
                feed.feed_format = _format_of(content)
            feed.size += len(content)
            FeedPart.objects.create(feed=feed, number=number, content=content)
        feed.status = Status.CHECKING
    except UnreadableFeed as broken:
        feed.problem = str(broken)
        finish(feed, Status.BROKEN)
    feed.feed_format = feed.feed_format or FeedImport.Format.CSV
    feed.save()
    return feed


@unit_of_work
def apply(*, feed_id: UUID) -> FeedImport:
    """Take over what was looked through. Raises NotNow."""
    feed = FeedImport.objects.locked().get(pk=feed_id)
    if feed.status in {Status.IMPORTING, Status.DONE}:
        return feed  # somebody pressed the button twice
    if feed.status != Status.READY:
        raise NotNow(state=feed.get_status_display().lower(), asked="applied")
    vars(feed).update(COUNTS)
    feed.rejections.all().delete()
    feed.status, feed.applied_at, feed.actor = Status.IMPORTING, timezone.now(), current_actor() or feed.actor
    feed.save()
    return feed


@unit_of_work
def cancel(*, feed_id: UUID) -> FeedImport:
    """Stop; what is in the catalogue stays. Whoever is at it notices before the next step. Raises NotNow."""
    feed = FeedImport.objects.locked().get(pk=feed_id)
    if feed.status in {Status.DONE, Status.BROKEN}:
        raise NotNow(state=feed.get_status_display().lower(), asked="cancelled")
    finish(feed, Status.CANCELLED)
    feed.save()
    return feed


def _format_of(beginning: bytes) -> str:
    return FeedImport.Format.XLSX if beginning.startswith(SIGNATURE) else detect_format(beginning[:1024])


def finish(feed: FeedImport, status: FeedImport.Status) -> None:
    """It ends here, and its file is kept no longer."""
    feed.status, feed.finished_at, feed.held_until = status, timezone.now(), None
    if feed.applied_at is None:
        feed.added = feed.updated = feed.unchanged = 0  # they said what would be done, and a report says what was
    feed.parts.all().delete()
