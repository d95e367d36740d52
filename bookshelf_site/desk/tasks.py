"""What there is to do today: how many of what, and the list of just these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy

from bookshelf_site.events.models import Delivery
from bookshelf_site.lists import COUNTED
from bookshelf_site.webhooks.models import Webhook
from inventory.models import Notification, StockItem
from orders import services as orders
from orders.models import Order

User = AbstractBaseUser | AnonymousUser


@dataclass(frozen=True, kw_only=True)
class Duty:
    """A kind of work, the list that holds it, and its rows: those of that list."""

    name: str
    label: Any
    model: str
    filters: dict[str, str]
    rows: Callable[[], QuerySet[Any]]
    is_trouble: bool = False

    @property
    def permission(self) -> str:
        app_label, _dot, model = self.model.partition(".")
        return f"{app_label}.view_{model}"

    @property
    def url(self) -> str:
        page = reverse(f"admin:{self.model.replace('.', '_')}_changelist")
        return f"{page}?{urlencode(self.filters)}"


@dataclass(frozen=True, kw_only=True)
class Task:
    """A duty as it stands now."""

    name: str
    label: str
    url: str
    count: int
    is_trouble: bool

    @property
    def in_words(self) -> str:
        """The lists, too, count only so far."""
        return f"{COUNTED:,}+" if self.count > COUNTED else f"{self.count:,}"


DUTIES: Final = (
    Duty(
        name="confirm",
        label=gettext_lazy("Orders to confirm"),
        model="orders.order",
        filters={"status__exact": "PENDING", "copies": "here"},
        rows=lambda: orders.not_waiting(Order.objects.pending()),
    ),
    Duty(
        name="ship",
        label=gettext_lazy("Orders to pack and hand over"),
        model="orders.order",
        filters={"status__exact": "CONFIRMED"},
        rows=Order.objects.confirmed,
    ),
    Duty(
        name="waiting",
        label=gettext_lazy("Orders waiting for copies"),
        model="orders.order",
        filters={"copies": "waiting"},
        rows=lambda: orders.waiting(Order.objects.all()),
    ),
    Duty(
        name="low",
        label=gettext_lazy("Books running low"),
        model="inventory.stockitem",
        filters={"level": "low"},
        rows=StockItem.objects.low,
    ),
    Duty(
        name="mails",
        label=gettext_lazy("Mails that failed"),
        model="inventory.notification",
        filters={"status__exact": "failed"},
        rows=lambda: Notification.objects.filter(status=Notification.Status.FAILED),
        is_trouble=True,
    ),
    Duty(
        name="webhooks-failing",
        label=gettext_lazy("Webhooks that fail"),
        model="webhooks.webhook",
        filters={"health": "failing"},
        rows=lambda: Webhook.objects.enabled().exclude(failing_since=None),
        is_trouble=True,
    ),
    Duty(
        name="webhooks-off",
        label=gettext_lazy("Webhooks switched off because they failed"),
        model="webhooks.webhook",
        filters={"health": "disabled", "disabled_reason__in": "failing,gone"},
        rows=lambda: Webhook.objects.filter(disabled_reason__in=["failing", "gone"]),
        is_trouble=True,
    ),
    Duty(
        name="dead",
        label=gettext_lazy("Dead letters"),
        model="events.delivery",
        filters={"status__exact": "dead"},
        rows=Delivery.objects.dead,
        is_trouble=True,
    ),
)


def may(user: User, permission: str) -> bool:
    allowed: bool = user.has_perm(permission)  # type: ignore[union-attr]  # whoever is signed in has permissions
    return allowed


def tasks_of(user: User) -> Iterator[Task]:
    """What of the shop's work the user may look at, in the order in which a day goes."""
    for duty in DUTIES:
        if not may(user, duty.permission):
            continue
        yield Task(
            name=duty.name,
            label=str(duty.label),
            url=duty.url,
            count=duty.rows()[: COUNTED + 1].count(),
            is_trouble=duty.is_trouble,
        )
