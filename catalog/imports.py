"""Imports at the desk: a feed is handed in, looked through, and taken over once somebody has said yes.

Short ones are worked at in the request, long ones by whoever runs a relay. Both do the same, step by step: each step
writes what it did and how far it is in one transaction, under a token that only the latest worker has.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, Final, cast
from uuid import UUID

import structlog
from django.conf import settings
from django.db import Error as DatabaseFailure
from django.db.models import F, Q
from django.utils import timezone

from bookshelf_site.errors import DomainError, InvalidValue
from bookshelf_site.events import acting, current_actor, unit_of_work
from bookshelf_site.money import Money
from bookshelf_site.spreadsheets import SIGNATURE, NoWorkbook, require_whole_workbook, workbook_as_csv
from catalog.feeds import BookRecord, Rejected, UnreadableFeed, detect_format, read_feed, require_whole
from catalog.feeds.importing import ImportReport, Terms, import_records, preview_records
from catalog.models import MAX_OPENING_STOCK, FeedImport, FeedPart, FeedRejection, checked_price
from catalog.uploads import NAME_LENGTH

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PART: Final = 2**20
SHORT_BYTES: Final = 2 * 2**20
SHORT_RECORDS: Final = 2_000
"""What is worked at while somebody waits for the page; longer feeds are left to the relay."""

HOLD: Final = timedelta(seconds=60)
"""How long a worker may be silent before another one takes its feed up."""

BEAT_SECONDS: Final = 10.0
MOST_LOSSES: Final = 3
KEPT: Final = timedelta(days=7)
ARRIVAL: Final = timedelta(hours=1)

log = structlog.get_logger(__name__)

COUNTS: Final = dict.fromkeys(("read", "added", "updated", "unchanged", "rejected", "position"), 0)

Status = FeedImport.Status
Stop = Callable[[], bool]


class NotNow(DomainError):
    """This import is {state}: it can't be {asked} now."""

    code = "invalid_transition"

    def __init__(self, *, state: str, asked: str) -> None:
        super().__init__(state, asked)
        self.state = state
        self.asked = asked


class Lost(Exception):
    """The feed was cancelled, or another worker has it."""


class Interrupted(Exception):
    """The worker is to stop, or the feed is too long for it; somebody else goes on."""


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


# What staff ask


def hand_in(pieces: Iterable[bytes], *, file_name: str, wishes: Wishes) -> FeedImport:
    """Keep a file, piece by piece, to be looked through."""
    feed = FeedImport.objects.create(
        file_name=file_name[-NAME_LENGTH:],
        actor=current_actor(),
        opening_stock=wishes.opening_stock,
        price_amount=wishes.price.amount if wishes.price else None,
        is_partial=wishes.is_partial,
    )
    for number, content in enumerate(_in_parts(pieces)):
        if number == 0:
            feed.feed_format = _format_of(content)
        feed.size += len(content)
        FeedPart.objects.create(feed=feed, number=number, content=content)
    feed.feed_format = feed.feed_format or FeedImport.Format.CSV
    feed.status = Status.CHECKING
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
    _finish(feed, Status.CANCELLED)
    feed.save()
    return feed


# Who works at them


def work_shortly(feed: FeedImport) -> None:
    """Work at a short feed at once, while somebody waits; what turns out to be long is left to the relay."""
    if feed.size > SHORT_BYTES or (feed.records or 0) > SHORT_RECORDS:
        return
    if claimed := _claim(feed.pk):
        _work(claimed, stop=lambda: False, most=SHORT_RECORDS)


def work_on(stop: Stop) -> None:
    """Work at all feeds that nobody is at, one after the other, until told to stop."""
    while not stop() and FeedImport.objects.waiting(timezone.now()).exists() and (feed := _claim()):
        _work(feed, stop=stop)


def tidy() -> None:
    """Forget the files that nobody has said yes to."""
    now = timezone.now()
    never_arrived = Q(status=Status.ARRIVING, created_at__lt=now - ARRIVAL)
    old = FeedImport.objects.filter(never_arrived | Q(status=Status.READY, created_at__lt=now - KEPT))
    for feed_id in old.values_list("pk", flat=True)[:100]:
        cancel(feed_id=feed_id)


@unit_of_work
def _claim(feed_id: UUID | None = None) -> FeedImport | None:
    """Take a feed that nobody is at, and count it: a feed that kills its worker every time is given up."""
    waiting = FeedImport.objects.waiting(timezone.now()).select_for_update(skip_locked=True, no_key=True)
    feed = (waiting.filter(pk=feed_id) if feed_id else waiting).first()
    if feed is None:
        return None
    feed.losses += feed.held_until is not None
    feed.attempts += 1
    feed.held_until = timezone.now() + HOLD
    if feed.losses > MOST_LOSSES:
        feed.problem = "Whoever worked at it was lost each time, and never heard of again."
        _finish(feed, Status.BROKEN)
    feed.save()
    return feed


def _work(feed: FeedImport, *, stop: Stop, most: int | None = None) -> None:
    worker = Worker(feed, stop=stop, most=most)
    with acting(actor=feed.actor, correlation_id=str(feed.pk)):
        try:
            worker.run()
        except Lost:
            log.info("an import was cancelled, or somebody else is at it", feed=str(feed.pk))
        except Interrupted:
            worker.hand_back()
        except DatabaseFailure:
            log.exception("an import stopped, and is taken up again", feed=str(feed.pk))
        except Exception as error:
            log.exception("an import failed", feed=str(feed.pk))
            worker.fail(f"It failed: {type(error).__name__}. The log of the server says more.")


class Worker:
    """Whoever is at a feed, as long as the token holds."""

    def __init__(self, feed: FeedImport, *, stop: Stop, most: int | None) -> None:
        self.feed = feed
        self.stop = stop
        self.most = most
        self.beaten = monotonic()
        self.behind = -feed.size

    def run(self) -> None:
        if self.feed.status == Status.CHECKING:
            self._check()
        elif self.feed.status == Status.IMPORTING:
            self._import()

    def hand_back(self) -> None:
        FeedImport.objects.held(self.feed).update(held_until=None, losses=0)

    def fail(self, problem: str) -> None:
        feed = self.feed
        with suppress(Lost), unit_of_work:
            self._write(status=Status.BROKEN, problem=problem, finished_at=timezone.now(), held_until=None)
            feed.parts.all().delete()

    # Looking through

    def _check(self) -> None:
        """Find out what the feed would do. A broken one ends here, unless what stands before the place is wanted."""
        feed, report = self.feed, ImportReport()
        with unit_of_work:
            self._write(**COUNTS)
            feed.rejections.all().delete()
        try:
            if not feed.is_partial:
                self._require_whole()
            records = self._records()
            for _ in preview_records(records, terms=self._terms, report=report):
                self._count(report)
        except (UnreadableFeed, NoWorkbook) as broken:
            self._count(report)
            if not (feed.is_partial and report.read):
                self.fail(str(broken))
                return
            feed.problem = str(broken)
        self._write(status=Status.READY, records=report.read, problem=feed.problem, held_until=None, losses=0)

    def _require_whole(self) -> None:
        if self.feed.feed_format == FeedImport.Format.XLSX:
            require_whole_workbook(self._file())
        else:
            require_whole(self._file(), "onix" if self.feed.feed_format == "onix" else "csv")

    # Taking over

    def _import(self) -> None:
        """Take the records over, behind those that are in already."""
        feed = self.feed
        report = ImportReport(read=feed.read, added=feed.added, updated=feed.updated, unchanged=feed.unchanged)
        try:
            for _ in import_records(self._records(), terms=self._terms, report=report, keep=self._count):
                report.rejected.clear()  # they are written down
                self._leave_off()
        except (UnreadableFeed, NoWorkbook) as broken:
            report.rejected.clear()
            feed.problem = str(broken)
        with unit_of_work:
            self._write(problem=feed.problem, status=Status.DONE, finished_at=timezone.now(), held_until=None)
            feed.parts.all().delete()

    @property
    def _terms(self) -> Terms:
        return Terms(opening_stock=self.feed.opening_stock, price=self.feed.price)

    # How far it is

    def _count(self, report: ImportReport) -> None:
        """Write down what was done until here; in the transaction of what was done, if it was done at all."""
        feed = self.feed
        with unit_of_work:
            self._write(
                read=report.read,
                added=report.added,
                updated=report.updated,
                unchanged=report.unchanged,
                rejected=F("rejected") + len(report.rejected),
                losses=0,
            )
            FeedRejection.objects.bulk_create(_rejection(feed, entry) for entry in report.rejected)
        if feed.status == Status.CHECKING:
            report.rejected.clear()
            self._leave_off()

    def _write(self, **values: object) -> None:
        """Raises Lost if the token is somebody else's, and undoes what the transaction did."""
        values = {"held_until": timezone.now() + HOLD, **values}
        if not FeedImport.objects.held(self.feed).update(**values):
            raise Lost
        self.beaten = monotonic()

    def _leave_off(self) -> None:
        if self.stop():
            raise Interrupted

    def _records(self) -> Iterator[BookRecord | Rejected]:
        feed = self.feed
        file = self._file()
        source = workbook_as_csv(file) if feed.feed_format == FeedImport.Format.XLSX else file
        records = read_feed(source, "onix" if feed.feed_format == "onix" else "csv", currency=settings.SHOP_CURRENCY)
        for number, record in enumerate(records, 1):
            if self.most and number > self.most:
                raise Interrupted
            yield record

    def _file(self) -> BinaryIO:
        self.behind += self.feed.size
        return cast("BinaryIO", io.BufferedReader(KeptFile(self.feed, self._beat), buffer_size=2**16))

    def _beat(self, position: int) -> None:
        """Still there, though nothing is settled yet."""
        if monotonic() - self.beaten > BEAT_SECONDS or self.feed.status == Status.CHECKING:
            self._write(position=self.behind + position)
            self._leave_off()


class KeptFile(io.RawIOBase):
    """A file that was handed in, read from the database part by part."""

    def __init__(self, feed: FeedImport, tell_position: Callable[[int], None]) -> None:
        self._feed = feed
        self._tell_position = tell_position
        self._position = 0
        self._number = -1
        self._part = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = max(
            0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._feed.size}[whence]
        )
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        number, start = divmod(self._position, PART)
        if number != self._number:
            part = self._feed.parts.filter(number=number).values_list("content", flat=True).first()
            self._number, self._part = number, bytes(part or b"")
            self._tell_position(self._position)
        view = memoryview(buffer)
        taken = self._part[start : start + len(view)]
        view[: len(taken)] = taken
        self._position += len(taken)
        return len(taken)


def _in_parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in parts of one size, so that a place in the file is found by counting."""
    rest = bytearray()
    for piece in pieces:
        rest += piece
        while len(rest) >= PART:
            yield bytes(rest[:PART])
            del rest[:PART]
    if rest:
        yield bytes(rest)


def _format_of(beginning: bytes) -> str:
    return FeedImport.Format.XLSX if beginning.startswith(SIGNATURE) else detect_format(beginning[:1024])


def _finish(feed: FeedImport, status: FeedImport.Status) -> None:
    feed.status, feed.finished_at, feed.held_until = status, timezone.now(), None
    feed.parts.all().delete()


def _rejection(feed: FeedImport, entry: Rejected) -> FeedRejection:
    return FeedRejection(feed=feed, line=entry.line, record=entry.record[:NAME_LENGTH], reason=entry.reason)
