"""Who asks for the link of an order that they have lost, and how often they may."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import ClassVar, Final, Self

from django.db import models
from django.utils import timezone

from orders.errors import TooManyRequests

WINDOW_SECONDS: Final = 3600


class LinkRequestQuerySet(models.QuerySet["LinkRequest"]):
    def taken(self, request_id: int) -> LinkRequest | None:
        """The request, for this transaction alone; None if another relay is at it, or has answered it."""
        return self.select_for_update(skip_locked=True).filter(pk=request_id).first()


class LinkRequest(models.Model):
    """What somebody typed in to have a link sent; gone as soon as a relay has looked whether there is such an order."""

    number = models.CharField(max_length=12, editable=False)
    email = models.EmailField(editable=False)
    asked_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = LinkRequestQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"for {self.number}"


def this_window() -> int:
    """The hour that is running, by the second since 1970 at which it began."""
    now = int(timezone.now().timestamp())
    return now - now % WINDOW_SECONDS


class LinkLimitQuerySet(models.QuerySet["LinkLimit"]):
    def locked_for(self, subjects: Collection[str]) -> list[LinkLimit]:
        """The counts of these, made where there are none, and locked by ascending key: everybody in one order."""
        in_order = sorted(subjects)
        self.bulk_create([LinkLimit(subject=subject) for subject in in_order], ignore_conflicts=True)
        return list(self.select_for_update(no_key=True).filter(pk__in=in_order).order_by("pk"))

    def past(self) -> Self:
        return self.filter(window__lt=this_window())


class LinkLimit(models.Model):
    """How often within an hour somebody has asked. Kept is a hash of who: nobody's address is collected."""

    subject = models.CharField(max_length=64, primary_key=True, editable=False)
    window = models.BigIntegerField(default=this_window, editable=False)
    asked = models.PositiveIntegerField(default=0, editable=False)

    objects = LinkLimitQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        indexes: ClassVar = [models.Index(fields=["window"], name="link_limit_window")]

    def __str__(self) -> str:
        return f"{self.asked} since {self.window}"

    def count(self, *, most: int) -> None:
        """One more. Raises TooManyRequests if it would be one too many."""
        window = this_window()
        if self.window != window:
            self.window, self.asked = window, 0
        if self.asked >= most:
            raise TooManyRequests(retry_after=math.ceil(window + WINDOW_SECONDS - timezone.now().timestamp()))
        self.asked += 1
