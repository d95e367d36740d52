"""The rows of the event core: what happened, and to whom it is still owed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache, cached_property
from typing import ClassVar, Self

from django.apps import apps
from django.db import connection, models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from bookshelf_site.events import planned
from bookshelf_site.events.context import current_actor, current_context
from bookshelf_site.events.domain_event import EVENTS, DomainEvent, decode
from bookshelf_site.events.failures import UnknownReceiver
from bookshelf_site.events.signals import RECEIVERS, UID_LENGTH, DurableReceiver


class EventQuerySet(models.QuerySet["Event"]):
    def heard_by(self, durable: DurableReceiver) -> Self:
        """Those of the kinds that the receiver hears, under whatever name they were stored, but what is not for it."""
        heard = self.filter(name__in=[name for name, kind in EVENTS.items() if durable.uid in kind.signal.durable])
        said = durable.only_if
        return heard.exclude(**{"data__has_key": said, f"data__{said}": False}) if said else heard

    def never_owed_to(self, durable: DurableReceiver, *, after: int) -> Self:
        """Of what it hears with a higher id than this, that which has no delivery to it under any of its names."""
        theirs = Delivery.objects.filter(event=OuterRef("pk"), receiver__in=durable.names, target="")
        return self.heard_by(durable).filter(pk__gt=after).exclude(Exists(theirs))


class Event(models.Model):
    """Something that happened. Written once, never changed, never pruned; the audit trail and every timeline."""

    uid = models.UUIDField(unique=True, editable=False)
    name = models.CharField(max_length=100, editable=False)
    version = models.PositiveSmallIntegerField(editable=False)
    stream = models.CharField(max_length=150, editable=False, help_text="the aggregate: app.model:id")
    data = models.JSONField(editable=False)
    personal = models.JSONField(null=True, editable=False, help_text="the fields about a person, erased on request")
    occurred_at = models.DateTimeField(editable=False)
    correlation_id = models.CharField(max_length=64, editable=False)
    causation_id = models.UUIDField(null=True, editable=False, db_index=True)
    actor = models.CharField(max_length=150, editable=False)
    position = models.BigIntegerField(null=True, editable=False)

    objects = EventQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        indexes: ClassVar = [
            models.Index(fields=["stream", "id"], name="event_stream"),
            models.Index(fields=["name", "id"], name="event_name"),
            models.Index(fields=["occurred_at"], name="event_occurred_at"),
            models.Index(fields=["correlation_id"], name="event_correlation"),
            models.Index(fields=["id"], condition=Q(position__isnull=True), name="event_unsequenced"),
        ]
        constraints: ClassVar = [
            # partial: under a plain unique key PostgreSQL takes numbering for a change of key, and every
            # transaction that writes a delivery for the event would hold the sequencer up
            models.UniqueConstraint(
                fields=["position"], condition=Q(position__isnull=False), name="event_position_once"
            ),
        ]
        permissions: ClassVar = [
            ("replay_event", "Can replay events to a receiver"),
            ("read_personal_data", "Can read personal data in events"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.uid}"

    @classmethod
    def of(cls, event: DomainEvent) -> Self:
        """The row of an event that is raised here and now."""
        context = current_context()
        data, personal = event.encoded()
        row = cls(
            uid=event.uid,
            name=event.name,
            version=event.version,
            stream=event.stream,
            data=data,
            personal=personal,
            occurred_at=event.occurred_at,
            correlation_id=context.correlation_id,
            causation_id=context.causation_id,
            actor=context.actor,
        )
        row.decoded = event
        return row

    @cached_property
    def decoded(self) -> DomainEvent:
        """The event as its class. Raises Undecodable."""
        envelope = {"uid": self.uid, "occurred_at": self.occurred_at, "stream": self.stream}
        return decode(name=self.name, version=self.version, values=self.data | (self.personal or {}) | envelope)

    @property
    def sender(self) -> type[object]:
        """The aggregate's class; the event's own, if it was emitted for none, or for one that is no more."""
        try:
            return apps.get_model(self.stream.partition(":")[0])
        except (LookupError, ValueError):
            return type(self.decoded)


IS_IN_LINE = ~Q(status="done") & ~Q(stream="")
"""Owed by an ordered receiver; the queries say it in the words of the partial index, or it would not be used."""


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def pending(self) -> Self:
        return self.filter(status=Delivery.Status.PENDING)

    def dead(self) -> Self:
        return self.filter(status=Delivery.Status.DEAD)

    def overdue(self, now: datetime) -> Self:
        return self.pending().filter(due__lte=now)

    def first_in_line(self) -> Self:
        """Without those of an ordered receiver that have an older one unsettled before them."""
        older = Delivery.objects.filter(
            IS_IN_LINE,
            receiver=OuterRef("receiver"),
            target=OuterRef("target"),
            stream=OuterRef("stream"),
            event_id__lt=OuterRef("event_id"),
        )
        return self.filter(Q(stream="") | ~Exists(older))

    def claimable(self, now: datetime, receivers: Collection[str]) -> Self:
        """What a relay with these receivers may take now: from the longest due on, whatever ids have been seen."""
        return self.overdue(now).filter(receiver__in=receivers).first_in_line().order_by("due", "id")

    def held(self, *, attempts: int) -> Self:
        """Still at the attempt that the caller was granted; the attempt's number is the fencing token."""
        return self.pending().filter(attempts=attempts)

    def settled(self) -> Self:
        return self.filter(status=Delivery.Status.DONE)


class Delivery(models.Model):
    """One event owed to one durable receiver (and target). In flight and backing off are both a `due` in the future."""

    class Status(models.TextChoices):
        PENDING = "pending"
        DONE = "done"
        DEAD = "dead"

    event = models.ForeignKey(
        Event, on_delete=models.PROTECT, related_name="deliveries", editable=False, db_index=False
    )
    receiver = models.CharField(max_length=100, editable=False)
    target = models.CharField(max_length=100, default="", editable=False)
    stream = models.CharField(
        max_length=150, default="", editable=False, help_text="the event's stream if the receiver is ordered"
    )
    status = models.CharField(max_length=7, choices=Status, default=Status.PENDING, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False, help_text="times started; only ever grows")
    max_attempts = models.PositiveIntegerField(editable=False)
    due = models.DateTimeField(editable=False)
    done_at = models.DateTimeField(null=True, editable=False)
    last_error = models.TextField(default="", editable=False)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name_plural = "deliveries"
        indexes: ClassVar = [
            models.Index(fields=["due", "id"], condition=Q(status="pending"), name="delivery_owed"),
            models.Index(fields=["receiver", "target", "stream", "event"], condition=IS_IN_LINE, name="delivery_line"),
            models.Index(fields=["receiver"], condition=Q(status="dead"), name="delivery_dead"),
            models.Index(fields=["target", "id"], condition=~Q(target=""), name="delivery_target"),
            models.Index(fields=["done_at"], condition=Q(status="done"), name="delivery_settled"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event", "receiver", "target"], name="delivery_once"),
            models.CheckConstraint(condition=Q(status__in=["pending", "done", "dead"]), name="delivery_status"),
            models.CheckConstraint(
                condition=Q(status="done", done_at__isnull=False) | (~Q(status="done") & Q(done_at__isnull=True)),
                name="delivery_done_at",
            ),
        ]
        permissions: ClassVar = [
            ("retry_delivery", "Can retry a dead delivery"),
            ("skip_delivery", "Can skip a dead delivery"),
        ]

    def __str__(self) -> str:
        return f"{self.receiver} ← {self.event_id} ({self.status})"

    @classmethod
    def owed(cls, event: Event, durable: DurableReceiver, attempts: int, due: datetime) -> Self:
        """The event, owed to the receiver; not yet saved."""
        stream = event.stream if durable.ordered else ""
        most = durable.max_attempts
        return cls(event=event, receiver=durable.uid, stream=stream, attempts=attempts, max_attempts=most, due=due)

    @staticmethod
    def acknowledge(keys: Sequence[int], *, attempts: int) -> int:
        """Settle those that are still held at this attempt; how many. In SQL: nothing else is run so often."""
        among, values = planned.among(keys)
        statement = (
            "UPDATE events_delivery SET status = 'done', done_at = %s, last_error = '' "  # noqa: S608  # a condition of ours
            f"WHERE status = 'pending' AND attempts = %s AND id {among}"
        )
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        return planned.execute(statement, [now, attempts, *values])

    @property
    def durable(self) -> DurableReceiver:
        """Raises UnknownReceiver for one that this code doesn't know."""
        try:
            return RECEIVERS[self.receiver]
        except KeyError:
            raise UnknownReceiver(self.receiver) from None

    @property
    def is_exhausted(self) -> bool:
        return self.attempts >= self.max_attempts

    @property
    def own_stream(self) -> str:
        """Where it stands on the record what was done to this delivery by hand."""
        return f"{self._meta.label_lower}:{self.pk}"

    def retry(self) -> None:
        """Owed again, now. The attempts go on counting, or one that was believed dead could pass for the new one."""
        known = RECEIVERS.get(self.receiver)
        more = known.max_attempts if known else DurableReceiver.max_attempts
        self.status = self.Status.PENDING
        self.done_at = None
        self.max_attempts = self.attempts + more
        self.due = timezone.now()

    def skip(self, *, reason: str) -> None:
        """Settled without having been heard; the reason stands before the last error."""
        self.status = self.Status.DONE
        self.done_at = timezone.now()
        self.last_error = f"skipped by {current_actor() or 'the system'}: {reason}\n\n{self.last_error}"


class ReceiverQuerySet(models.QuerySet["Receiver"]):
    def locked(self) -> Self:
        """Whoever makes deliveries afterwards, and whoever moves `owed_after`, holds the row meanwhile."""
        return self.select_for_update(no_key=True).order_by("uid")

    def awake(self) -> Self:
        return self.filter(asleep=False)


class Receiver(models.Model):
    """A durable receiver, and from where on in the log it is owed events.

    `owed_after` is the id of the last event of which no delivery to it is ever made afterwards: it happened before the
    receiver was there, or its delivery may have been pruned. An id and no time, so that no clock has a say in it.
    """

    uid = models.CharField(max_length=UID_LENGTH, primary_key=True, editable=False)
    since = models.DateTimeField(editable=False, help_text="for people")
    owed_after = models.BigIntegerField(null=True, editable=False, help_text="none: it has another uid now")
    asleep = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="nobody is to be told: it is owed nothing"
    )

    objects = ReceiverQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name_plural = "receivers at a glance"

    def __str__(self) -> str:
        return self.uid

    @staticmethod
    @cache
    def who_sleeps() -> str:
        """In SQL, for the statement that writes events: the table's lock, which it holds, keeps the answer true.

        Whoever wakes a receiver waits for all who hold it.
        """
        together = "string_agg" if connection.vendor == "postgresql" else "group_concat"
        return f"SELECT {together}(uid, ' ') FROM events_receiver WHERE asleep"  # noqa: S608  # one of two names
