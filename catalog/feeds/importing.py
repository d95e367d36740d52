"""Taking a feed over into the catalogue: new books are added, changed ones updated; run again, it changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from django.db import IntegrityError
from django.utils import timezone

from bookshelf_site.events import unit_of_work
from bookshelf_site.money import Money
from catalog.feeds.records import BookRecord, Rejected, UnreadableFeed
from catalog.models import Book, BookDetails

CHUNK: Final = 500
"""How many records share a transaction: a long feed holds no lock for long, and loses little when it breaks off."""

LONGEST_SILENCE: Final = 5_000
"""After how many records there is a chunk, however few of them are good: whoever shows the progress hears of it."""

TRIES: Final = 10
"""How often a chunk is begun: each time that it is in vain, somebody else has added a book of it."""

NO_BOOK: Final = "it updates a book that is not in the catalogue, and has no title under which to add it"

DESCRIBED: Final = (
    "title",
    "author",
    "description",
    "publisher",
    "published_on",
    "product_form",
    "availability",
)
"""What a record may say of a book it knows; what it leaves empty stays as the shop has it."""


@dataclass(kw_only=True)
class ImportReport:
    """What became of the records: every one that was read is in exactly one of the other counts."""

    read: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: list[Rejected] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        rejected = [{"record": entry.record, "reason": entry.reason} for entry in self.rejected]
        return {
            "read": self.read,
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "rejected": rejected,
        }


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What the shop adds to a feed: copies for new books that bring none, a price for books that have none."""

    opening_stock: int = 0
    price: Money | None = None


Keep = Callable[[ImportReport], None]


def nothing() -> None:
    """What most ask for before the first chunk is written."""


def import_records(
    records: Iterable[BookRecord | Rejected],
    *,
    terms: Terms,
    report: ImportReport,
    before_writing: Callable[[], None] = nothing,
) -> Iterator[ImportReport]:
    """Take the records over, a chunk at a time; yields the report after each, for whoever shows the progress.

    What is reported is committed: if the feed breaks off, all before it is in; if the process dies, all chunks before.
    `before_writing` is called before each chunk that changes something, and may refuse it.
    """
    for chunk in _chunks(records, report):
        _import_chunk(chunk, terms, report, before_writing)
        yield report


def import_resumably(
    records: Iterable[BookRecord | Rejected], *, terms: Terms, report: ImportReport, keep: Keep
) -> Iterator[ImportReport]:
    """The same for whoever may be cut off: `keep` writes the report down in the transaction of each chunk.

    It may refuse the chunk. Handed in again with the same feed, the report goes on behind the records that it has read.
    """
    for chunk in _chunks(records, report):
        _import_kept(chunk, terms, report, keep)
        yield report


def preview_records(
    records: Iterable[BookRecord | Rejected], *, terms: Terms, report: ImportReport
) -> Iterator[ImportReport]:
    """Report what an import would do; writes nothing."""
    for chunk in _chunks(records, report):
        plan = Plan.of(chunk, Book.objects.by_isbn([record.isbn for record in chunk]), terms)
        plan.count(report)
        yield report


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a chunk comes down to, none of it written yet."""

    added: Sequence[Book]
    updated: Sequence[Book]
    unchanged: int
    rejected: Sequence[Rejected]

    @classmethod
    def of(cls, chunk: Sequence[BookRecord], books: Mapping[str, Book], terms: Terms) -> Plan:
        unknown = [record for record in chunk if record.isbn not in books]
        added = [_new_book(record, terms) for record in unknown if record.title]
        rejected = [_rejected(record, NO_BOOK) for record in unknown if not record.title and not record.withdrawn]
        known = [(books[record.isbn], record) for record in chunk if record.isbn in books]
        for book, record in known:
            _update(book, record, terms)
        updated = [book for book, _ in known if book.raised_events]
        # a book that the shop never had is as withdrawn as it can be
        unchanged = len(chunk) - len(added) - len(updated) - len(rejected)
        return cls(added=added, updated=updated, unchanged=unchanged, rejected=rejected)

    @property
    def changes_nothing(self) -> bool:
        return not (self.added or self.updated)

    def count(self, report: ImportReport) -> None:
        report.added += len(self.added)
        report.updated += len(self.updated)
        report.unchanged += self.unchanged
        report.rejected += self.rejected


def _import_chunk(
    chunk: Sequence[BookRecord], terms: Terms, report: ImportReport, before_writing: Callable[[], None]
) -> None:
    isbns = [record.isbn for record in chunk]
    plan = _plan_of_no_change(chunk, Book.objects.by_isbn(isbns), terms)
    if plan is None:
        before_writing()
        plan = _take_over_at_last(chunk, isbns, terms)
    plan.count(report)


def _plan_of_no_change(chunk: Sequence[BookRecord], books: Mapping[str, Book], terms: Terms) -> Plan | None:
    """A chunk that changes nothing is found out without a lock; None for all others."""
    if any(record.title and record.isbn not in books for record in chunk):
        return None  # there is a book to be added: no need to compare the others twice
    plan = Plan.of(chunk, books, terms)
    return plan if plan.changes_nothing else None


def _import_kept(chunk: Sequence[BookRecord], terms: Terms, report: ImportReport, keep: Keep) -> None:
    """Both or neither: what is written and not counted would count as unchanged when it is read again."""
    for attempt in range(1, TRIES + 1):
        counted = replace(report, rejected=list(report.rejected))
        try:
            with unit_of_work:
                _take_over(chunk, [record.isbn for record in chunk], terms).count(counted)
                keep(counted)
        except IntegrityError:
            if attempt == TRIES:
                raise
            continue
        vars(report).update(vars(counted))
        return


def _take_over_at_last(chunk: Sequence[BookRecord], isbns: Sequence[str], terms: Terms) -> Plan:
    """Again if somebody added one of these books meanwhile: now it is there to be found."""
    for _ in range(TRIES - 1):
        with suppress(IntegrityError):
            return _take_over(chunk, isbns, terms)
    return _take_over(chunk, isbns, terms)


@unit_of_work
def _take_over(chunk: Sequence[BookRecord], isbns: Sequence[str], terms: Terms) -> Plan:
    """Plan again on locked rows, for somebody may have changed them meanwhile, and write."""
    # two feeds with the same books in opposite order: always by key and by ISBN, or they wait for each other
    plan = Plan.of(chunk, Book.objects.locked().order_by("pk").by_isbn(isbns), terms)
    Book.objects.bulk_create(sorted(plan.added, key=lambda book: book.isbn or ""))
    _save_updated(plan.updated)
    return plan


def _save_updated(books: Sequence[Book]) -> None:
    now = timezone.now()
    for book in books:
        book.updated_at = now
    Book.objects.bulk_update(books, [*DESCRIBED, "price_amount", "status", "version", "updated_at"])


def _new_book(record: BookRecord, terms: Terms) -> Book:
    described = {name: getattr(record, name) for name in DESCRIBED}
    book = Book.added(
        BookDetails(isbn=record.isbn, **described),
        price=record.price or terms.price,
        opening_stock=terms.opening_stock if record.opening_stock is None else record.opening_stock,
    )
    if record.withdrawn:
        book.withdraw()
    return book


def _update(book: Book, record: BookRecord, terms: Terms) -> None:
    """Apply what the record says; the book raises nothing if it says nothing new."""
    said = {name: value for name in DESCRIBED if (value := getattr(record, name))}
    if any(getattr(book, name) != value for name, value in said.items()):
        book.edit(BookDetails(**vars(book.details) | said))
    if price := record.price or (terms.price if book.price is None else None):
        book.reprice(price)
    if record.withdrawn:
        book.withdraw()


def _chunks(records: Iterable[BookRecord | Rejected], report: ImportReport) -> Iterator[list[BookRecord]]:
    """Chunks of good records; what is rejected goes into the report, and so does every record that is read.

    If the feed breaks off, what was read of the last chunk comes before the UnreadableFeed. A chunk may be empty: then
    nothing but the report has grown.
    """
    chunk: list[BookRecord] = []
    told = report.read
    try:
        for record in _good_records(records, report):
            chunk += [record] if record else []
            if len(chunk) == CHUNK or report.read - told >= LONGEST_SILENCE:
                yield chunk
                chunk, told = [], report.read
    except UnreadableFeed:
        if report.read > told:
            yield chunk
        raise
    if report.read > told:
        yield chunk


def _good_records(records: Iterable[BookRecord | Rejected], report: ImportReport) -> Iterator[BookRecord | None]:
    """The good ones of those that the report hasn't counted yet, and None for each of the others of them."""
    seen: dict[int, tuple[str, int]] = {}
    counted = report.read
    for number, record in enumerate(records, 1):
        if isinstance(record, Rejected):
            verdict: BookRecord | Rejected | None = record
        else:
            verdict = _unless_repeated(record, seen)
        if number <= counted:
            continue
        report.read += 1
        report.unchanged += verdict is None
        report.rejected += [verdict] if isinstance(verdict, Rejected) else []
        yield verdict if isinstance(verdict, BookRecord) else None


def _unless_repeated(record: BookRecord, seen: dict[int, tuple[str, int]]) -> BookRecord | Rejected | None:
    """The record, if it is the first of its ISBN; None if it says the same as the first."""
    told = (record.record, _fingerprint(record))
    first = seen.setdefault(int(record.isbn), told)
    if first is told:
        return record
    if first[1] == told[1]:
        return None
    # which of two is right can't be known, and taking the later one would change the book at every run
    return _rejected(record, f"record {first[0]} has the same ISBN and says otherwise")


def _fingerprint(record: BookRecord) -> int:
    """What the record says, its place in the feed apart."""
    return hash((*(getattr(record, name) for name in DESCRIBED), record.price, record.opening_stock, record.withdrawn))


def _rejected(record: BookRecord, reason: str) -> Rejected:
    return Rejected(record=record.record, reason=reason, line=record.line)
