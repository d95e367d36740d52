"""Pruning: settled deliveries go in time; events never do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from bookshelf_site.events.backfill import reconcile
from bookshelf_site.events.models import Delivery, Event, Receiver

BATCH: Final = 2_000
KEEP_DAYS: Final = 90


def prune_deliveries(*, days: int = KEEP_DAYS) -> int:
    """Delete what was settled so many days ago, a day at least, and happened before; returns how many.

    First the receivers' boundaries move, then the rows go: a delivery that is gone is never made again, by whatever
    runs at the same time. So whoever was never told of something is owed it before that. What is pending or dead stays.
    Raises ValueError for less than a day: an open transaction may still be emitting.
    """
    if days < 1:
        raise ValueError("deliveries are kept for a day at least")
    reconcile()
    before = timezone.now() - timedelta(days=days)
    last = Event.objects.filter(occurred_at__lt=before).order_by("-pk").values_list("pk", flat=True).first()
    if last is None:
        return 0
    uids = list(Receiver.objects.order_by("uid").values_list("uid", flat=True))
    for uid in uids:
        # waits for whoever is just making deliveries to this receiver
        Receiver.objects.filter(uid=uid, owed_after__lt=last).update(owed_after=last)
    deleted = 0
    while count := _delete_a_batch(before, last, uids):
        deleted += count
    return deleted


def preview(*, days: int = KEEP_DAYS) -> int:
    """How many deliveries `prune_deliveries` would delete, about."""
    before = timezone.now() - timedelta(days=days)
    return Delivery.objects.settled().filter(done_at__lt=before, event__occurred_at__lt=before).count()


def _delete_a_batch(before: datetime, last: int, uids: list[str]) -> int:
    # of a receiver without a row nobody would remember that its deliveries are gone
    old = Delivery.objects.settled().filter(done_at__lt=before, event_id__lte=last, receiver__in=uids)
    with transaction.atomic():
        free = old.select_for_update(skip_locked=True).order_by("done_at")
        ids = list(free.values_list("pk", flat=True)[:BATCH])
        Delivery.objects.filter(pk__in=ids).delete()
    return len(ids)
