"""Webhooks: who is told of events, how it is signed, and what came of each attempt."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar, Final, Self

from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery, Value
from django.db.models.functions import Cast, Coalesce, Replace
from django.utils import timezone

from bookshelf_site.errors import InvalidValue, checked_line
from bookshelf_site.event_feed.log import ALL_OF, EVERYTHING, is_known
from bookshelf_site.events import DomainEvent, uuid7
from bookshelf_site.events.aggregate import Aggregate, AggregateQuerySet
from bookshelf_site.events.models import Delivery
from bookshelf_site.webhooks import signing
from bookshelf_site.webhooks.addresses import URL_LENGTH, host_of
from bookshelf_site.webhooks.events import (
    SecretRotated,
    WebhookAdded,
    WebhookChanged,
    WebhookDisabled,
    WebhookEnabled,
    WebhookRemoved,
)

FAN_OUT: Final = "webhooks.fan_out"
"""The receiver that owes each event to the webhooks that want it; it sleeps while there is none."""
SENDER: Final = "webhooks.send"
"""The receiver to which a message to a webhook is owed; the delivery's target is the webhook's id."""
UNTOLD: Final = "events."
"""What staff do to deliveries is the shop's own business: who is told of it would be told of the telling."""
MOST_EVENT_TYPES: Final = 50
DESCRIPTION_LENGTH: Final = 200
OLD_SECRET_LASTS: Final = timedelta(hours=24)
FAILS_TOO_LONG: Final = timedelta(days=3)
"""So long as an event is tried: if nothing has got through for all that time, nobody is there."""
FIRST_REST: Final = timedelta(seconds=5)
LONGEST_REST: Final = timedelta(minutes=15)
NOTED_EVERY: Final = timedelta(minutes=1)


def checked_event_types(patterns: Iterable[str]) -> list[str]:
    """Patterns such as `orders.order_placed`, `orders.*` and `*`, each once. Raises InvalidValue."""
    wanted = sorted({pattern.strip() for pattern in patterns})
    if not 1 <= len(wanted) <= MOST_EVENT_TYPES:
        raise InvalidValue("event_types", f'name 1 to {MOST_EVENT_TYPES}, such as "orders.*", or "*" for all')
    if unknown := [pattern for pattern in wanted if not _is_told(pattern)]:
        raise InvalidValue("event_types", f"no event is of the type {', '.join(unknown)[:200]}")
    return wanted


def _is_told(pattern: str) -> bool:
    return is_known(pattern) and not pattern.startswith(UNTOLD)


class WebhookQuerySet(AggregateQuerySet["Webhook"]):
    def enabled(self) -> Self:
        return self.filter(status=Webhook.Status.ENABLED)

    def with_waiting(self) -> Self:
        """Each with `waiting`, how many messages are on their way or wait for the next attempt."""
        pending = Delivery.objects.pending().filter(receiver=SENDER, target=OuterRef("as_target"))
        counted = pending.order_by().values("target").annotate(count=Count("pk")).values("count")
        # PostgreSQL writes the id with hyphens, SQLite without
        as_target = Replace(Cast("pk", models.CharField()), Value("-"), Value(""))
        return self.annotate(as_target=as_target).annotate(waiting=Coalesce(Subquery(counted), 0))


class Webhook(Aggregate):
    """An address at which another program is told of events."""

    class Status(models.TextChoices):
        ENABLED = "enabled"
        DISABLED = "disabled"

    class Reason(models.TextChoices):
        """Why it is disabled."""

        BY_HAND = "by_hand"
        GONE = "gone"
        FAILING = "failing"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    url = models.CharField("URL", max_length=URL_LENGTH)
    event_types: models.JSONField[list[str], list[str]] = models.JSONField(default=list)
    description = models.CharField(max_length=DESCRIPTION_LENGTH, blank=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.ENABLED, editable=False)
    disabled_reason = models.CharField(max_length=8, choices=Reason, blank=True, editable=False)
    disabled_at = models.DateTimeField(null=True, editable=False)
    owed_after = models.BigIntegerField(editable=False, help_text="the last event that happened before it was there")
    failures = models.PositiveIntegerField(default=0, editable=False, help_text="since something got through")
    failing_since = models.DateTimeField(null=True, editable=False)
    resting_until = models.DateTimeField(null=True, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False, help_text="to the minute")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(status="enabled", disabled_at__isnull=True, disabled_reason="")
                | (Q(status="disabled", disabled_at__isnull=False) & ~Q(disabled_reason="")),
                name="webhook_disabled_why",
            ),
        ]

    def __str__(self) -> str:
        return self.description or self.host

    @property
    def host(self) -> str:
        return host_of(self.url)

    @property
    def target(self) -> str:
        """As deliveries name it."""
        return self.pk.hex

    @property
    def own_stream(self) -> str:
        return f"{self._meta.label_lower}:{self.pk}"

    @property
    def is_enabled(self) -> bool:
        return self.status == self.Status.ENABLED

    def wants(self, event: DomainEvent) -> bool:
        names = (event.name, *event.aliases)
        return any(_matches(pattern, name) for pattern in self.event_types for name in names)

    def rests_at(self, now: datetime) -> bool:
        """It has just failed, or asked for a pause: whatever else is owed to it waits too."""
        return self.resting_until is not None and self.resting_until > now

    # What is asked of it

    def add(self, *, url: str, event_types: Iterable[str], description: str, owed_after: int) -> None:
        self._describe(url, event_types, description)
        self.owed_after = owed_after
        self.raise_event(WebhookAdded(webhook_id=self.pk, host=self.host, event_types=tuple(self.event_types)))

    def change(self, *, url: str, event_types: Iterable[str], description: str) -> None:
        before = (self.url, self.event_types, self.description)
        self._describe(url, event_types, description)
        if before == (self.url, self.event_types, self.description):
            return
        if url != before[0]:
            self._start_afresh()
        self.raise_event(WebhookChanged(webhook_id=self.pk, host=self.host, event_types=tuple(self.event_types)))

    def enable(self, *, owed_after: int) -> None:
        """Told again, from here on: what happened meanwhile it is not told."""
        if self.is_enabled:
            return
        self.status, self.disabled_reason, self.disabled_at = self.Status.ENABLED, "", None
        self.owed_after = owed_after
        self._start_afresh()
        self.raise_event(WebhookEnabled(webhook_id=self.pk, host=self.host))

    def disable(self, reason: Reason) -> None:
        if not self.is_enabled:
            return
        self.status, self.disabled_reason, self.disabled_at = self.Status.DISABLED, reason, timezone.now()
        self.raise_event(WebhookDisabled(webhook_id=self.pk, host=self.host, reason=str(reason)))

    def rotated(self) -> SecretRotated:
        return SecretRotated(stream=self.own_stream, webhook_id=self.pk, host=self.host)

    def removed(self) -> WebhookRemoved:
        return WebhookRemoved(stream=self.own_stream, webhook_id=self.pk, host=self.host)

    # What came of telling it

    def note_success(self, at: datetime) -> bool:
        """Something got through; False if that is known."""
        known = self.last_success_at and self.last_success_at > at - NOTED_EVERY
        if known and not self.failures:
            return False
        self.last_success_at = at
        self._start_afresh()
        return True

    def note_failure(self, at: datetime, *, asked_for: timedelta, is_gone: bool) -> None:
        """Something didn't: it rests, longer each time, or as long as it asked for; or it is told nothing any more."""
        self.failures += 1
        self.failing_since = self.failing_since or at
        rest = min(FIRST_REST * 4 ** min(self.failures - 1, 10), LONGEST_REST)
        self.resting_until = at + max(rest, asked_for)
        if is_gone:
            self.disable(self.Reason.GONE)
        elif at - self.failing_since >= FAILS_TOO_LONG:
            self.disable(self.Reason.FAILING)

    def rest_no_more(self) -> None:
        self.resting_until = None

    def _start_afresh(self) -> None:
        self.failures, self.failing_since, self.resting_until = 0, None, None

    def _describe(self, url: str, event_types: Iterable[str], description: str) -> None:
        self.url = url
        self.event_types = checked_event_types(event_types)
        self.description = checked_line("description", description, longest=DESCRIPTION_LENGTH)


def _matches(pattern: str, name: str) -> bool:
    if pattern == EVERYTHING:
        return True
    return name.startswith(pattern.removesuffix("*")) if pattern.endswith(ALL_OF) else name == pattern


class SigningSecretQuerySet(models.QuerySet["SigningSecret"]):
    def good(self, now: datetime) -> Self:
        """Those that sign, the newest first."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now)).order_by("-id")


class SigningSecret(models.Model):
    """What a webhook's secret is derived from, and until when it signs; the secret itself is not kept."""

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="secrets", editable=False)
    seed = models.CharField(max_length=64, editable=False)
    fingerprint = models.CharField(max_length=64, editable=False)
    expires_at = models.DateTimeField(null=True, editable=False)

    objects = SigningSecretQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["webhook"], condition=Q(expires_at__isnull=True), name="webhook_secret_once"
            )
        ]

    def __str__(self) -> str:
        return f"secret of {self.webhook_id}"

    @classmethod
    def drawn(cls, webhook: Webhook) -> Self:
        seed = signing.drawn()
        return cls(webhook=webhook, seed=seed, fingerprint=signing.fingerprint(signing.secret_of(seed)))

    @property
    def secret(self) -> bytes:
        """Raises SecretIsLost."""
        return signing.secret_of(self.seed, known_by=self.fingerprint)

    def end_soon(self, now: datetime) -> None:
        self.expires_at = now + OLD_SECRET_LASTS


class Attempt(models.Model):
    """One POST of a message, and what came of it."""

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="attempts", editable=False)
    delivery = models.ForeignKey(
        Delivery, on_delete=models.CASCADE, related_name="webhook_attempts", editable=False, db_index=False
    )
    number = models.PositiveIntegerField(editable=False)
    at = models.DateTimeField(editable=False)
    duration_ms = models.PositiveIntegerField(editable=False)
    response_status = models.PositiveSmallIntegerField(null=True, editable=False)
    response_body = models.TextField(blank=True, editable=False, help_text="its beginning")
    error = models.CharField(max_length=300, blank=True, editable=False)
    is_success = models.BooleanField(editable=False)

    class Meta:
        default_permissions = ()
        indexes: ClassVar = [models.Index(fields=["delivery", "number"], name="webhook_attempt_number")]

    def __str__(self) -> str:
        return f"{self.number}: {self.response_status or self.error}"
