"""Who works at the feeds: the request that somebody waits for, or a companion of the relay."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import Error as DatabaseFailure
from django.db.models import Q
from django.utils import timezone

from bookshelf_site.events import acting, unit_of_work
from catalog.imports.asking import Status, cancel, finish
from catalog.imports.worker import HOLD, Interrupted, Lost, Stop, Worker
from catalog.models import FeedImport

SHORT_BYTES: Final = 2 * 2**20
SHORT_RECORDS: Final = 2_000
"""What is worked at while somebody waits for the page; longer feeds are left to the relay."""

MOST_LOSSES: Final = 3
KEPT: Final = timedelta(days=7)
ARRIVAL: Final = timedelta(hours=1)

log = structlog.get_logger(__name__)


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
        finish(feed, Status.BROKEN)
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
