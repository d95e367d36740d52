"""The digest: what the staff should know, in one mail an hour at most, and none if there is nothing new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from bookshelf_site.events import unit_of_work, uuid7
from bookshelf_site.events.models import Delivery, Event, Receiver
from bookshelf_site.events.outbox import emit
from inventory import notices
from inventory.notices import NO_ADDRESS, Mailed, Notice
from orders.events import StaffDigestComposed
from orders.mail.letters import Letter, letter_to_staff
from orders.mail.post import Envelope, post

RECEIVER: Final = "orders.mail_staff_digest"
PERIOD: Final = timedelta(hours=1)
MOST_LISTED: Final = 50
"""Of one kind; of more the digest says how many there are."""
AT_ONCE: Final = 500


@dataclass(frozen=True, kw_only=True)
class Section:
    """The notices of one kind."""

    title: str
    page: str
    entries: list[tuple[str, str]]
    """What is to be said, and the page that it is about."""
    more: int


TITLES: Final = {
    "stock_ran_low": ("Running low", "admin:inventory_stockitem_changelist", "?level=low"),
    "mail_failed": ("Mails that did not arrive", "admin:inventory_notification_changelist", "?status__exact=failed"),
    "delivery_died": ("Dead letters", "admin:events_delivery_changelist", "?status__exact=dead"),
    "webhook_disabled": ("Webhooks switched off", "admin:webhooks_webhook_changelist", "?health=disabled"),
}
OTHER: Final = ("Also", "admin:inventory_notification_changelist", "?audience__exact=staff")


def compose_digest() -> None:
    """A duty of every relay: have the staff told what is new, if it is time."""
    if not settings.STAFF_EMAIL or not _is_time():
        return
    note_dead_letters()
    if notices.is_any_untold():
        _compose()


@unit_of_work
def _compose() -> None:
    # two relays at once: the second waits here for the first, and then sees that it isn't time any more
    list(Receiver.objects.filter(uid=RECEIVER).locked())
    if not _is_time():
        return
    digest = uuid7()
    if count := notices.take_untold(digest=digest):
        emit(StaffDigestComposed(stream=f"orders.digest:{digest}", digest_id=digest, notices=count))


def _is_time() -> bool:
    """Has the last digest gone out, or been given up, a period ago?"""
    last = Event.objects.filter(name=StaffDigestComposed.name).order_by("-id").first()
    if last is None:
        return True
    deliveries = Delivery.objects.filter(event=last, receiver=RECEIVER)
    if deliveries.pending().exists():
        return False
    done: datetime | None = deliveries.values_list("done_at", flat=True).first()
    return timezone.now() - (done or last.occurred_at) >= PERIOD


def note_dead_letters() -> None:
    """Note what has died since; it has no moment of its own, so all that are dead are looked through."""
    last = 0
    while dead := list(Delivery.objects.dead().filter(pk__gt=last).select_related("event").order_by("pk")[:AT_ONCE]):
        last = dead[-1].pk
        if notices.note_dead_letters(dead):
            # the next digest tells more: thousands that die at once needn't be told at once
            return


def mail_digest(event: StaffDigestComposed) -> Mailed:
    """Send the digest to the staff, as it was put together."""
    if not settings.STAFF_EMAIL:
        return NO_ADDRESS
    envelope = Envelope(name=settings.SHOP_NAME, address=settings.STAFF_EMAIL, id=event.digest_id)
    return post(letter_of(notices.told_in(event.digest_id)), envelope, event=event)


def record_digest(event: StaffDigestComposed, outcome: Mailed, **kwargs: object) -> None:
    """Write down what came of it, in the transaction that acknowledges the delivery."""
    notices.note_told(digest=event.digest_id, outcome=outcome)


def letter_of(told: Sequence[Notice]) -> Letter:
    return letter_to_staff("digest", {"sections": list(_sections(told)), "count": len(told)})


def _sections(told: Sequence[Notice]) -> Iterator[Section]:
    kinds = {notice.kind for notice in told}
    for kind in [*(kind for kind in TITLES if kind in kinds), *sorted(kinds - TITLES.keys())]:
        title, page, query = TITLES.get(kind, OTHER)
        of_kind = [notice for notice in told if notice.kind == kind]
        yield Section(
            title=title,
            page=f"{settings.PUBLIC_URL}{reverse(page)}{query}",
            entries=[(notice.message, _page_of(notice)) for notice in of_kind[:MOST_LISTED]],
            more=max(0, len(of_kind) - MOST_LISTED),
        )


def _page_of(notice: Notice) -> str:
    if notice.order_id:
        return f"{settings.PUBLIC_URL}{reverse('admin:orders_order_change', args=[notice.order_id])}"
    if notice.book_id:
        return f"{settings.PUBLIC_URL}{reverse('admin:inventory_stockitem_change', args=[notice.book_id])}"
    return ""
