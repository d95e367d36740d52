"""The worker: looks a feed through, or takes it over, and says with each step how far it is."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from time import monotonic
from typing import BinaryIO, Final, cast

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from bookshelf_site.events import unit_of_work
from bookshelf_site.spreadsheets import NoWorkbook, require_whole_workbook, workbook_as_csv
from catalog.feeds import BookRecord, FeedFormat, Rejected, UnreadableFeed, read_feed, require_whole
from catalog.feeds.importing import ImportReport, Terms, import_resumably, preview_records
from catalog.imports.asking import COUNTS, Status
from catalog.imports.kept import KeptFile
from catalog.models import FEED_NAME_LENGTH, FeedImport, FeedRejection

HOLD: Final = timedelta(seconds=60)
"""How long a worker may be silent before another one takes its feed up."""

BEAT_SECONDS: Final = 10.0

Stop = Callable[[], bool]


class Lost(Exception):
    """The feed was cancelled, or another worker has it."""


class Interrupted(Exception):
    """The worker is to stop, or the feed is too long for it; somebody else goes on."""


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
            require_whole(self._file(), self._format)

    # Taking over

    def _import(self) -> None:
        """Take the records over, behind those that are in already."""
        feed = self.feed
        report = ImportReport(read=feed.read, added=feed.added, updated=feed.updated, unchanged=feed.unchanged)
        try:
            for _ in import_resumably(self._records(), terms=self._terms, report=report, keep=self._count):
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
        records = read_feed(source, self._format, currency=settings.SHOP_CURRENCY)
        for number, record in enumerate(records, 1):
            if self.most and number > self.most:
                raise Interrupted
            yield record

    @property
    def _format(self) -> FeedFormat:
        """As the readers of feeds know it: a workbook is handed to them as CSV."""
        return "onix" if self.feed.feed_format == FeedImport.Format.ONIX else "csv"

    def _file(self) -> BinaryIO:
        self.behind += self.feed.size
        return cast("BinaryIO", io.BufferedReader(KeptFile(self.feed, self._beat), buffer_size=2**16))

    def _beat(self, position: int) -> None:
        """Still there, though nothing is settled yet."""
        if monotonic() - self.beaten > BEAT_SECONDS or self.feed.status == Status.CHECKING:
            self._write(position=self.behind + position)
            self._leave_off()


def _rejection(feed: FeedImport, entry: Rejected) -> FeedRejection:
    return FeedRejection(feed=feed, line=entry.line, record=entry.record[:FEED_NAME_LENGTH], reason=entry.reason)
