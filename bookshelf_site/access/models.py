"""API keys: how other programs prove who they are."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from bookshelf_site.events import uuid7
from bookshelf_site.events.compiled import Compiled

PREFIX_LENGTH = 8
NAME_LENGTH = 100
IDEMPOTENCY_KEY_LENGTH = 255
KEPT_FOR = timedelta(hours=24)
NOTED_EVERY = timedelta(hours=1)
BLOCKS = 16
SECONDS_OF_A_DAY = 24 * 3600


def hashed(key: str) -> str:
    """SHA-256 of the key: 256 random bits need no slow hash, and a request can't wait for one."""
    return hashlib.sha256(key.encode()).hexdigest()


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def with_permissions(self, permissions: Sequence[str]) -> Self:
        """Each with `may_0`, `may_1`, …: whether its account has these permissions, known without another query."""
        return self.annotate(**{f"may_{place}": _has(permission) for place, permission in enumerate(permissions)})

    def locked(self) -> Self:
        # no_key: an idempotency key that is being written refers to this row, and must not be waited for
        return self.select_for_update(no_key=True)


@cache
def _presented(permissions: tuple[str, ...]) -> Compiled[ApiKey]:
    """Every request asks it: compiled once for each set of permissions that an operation needs."""
    keys = ApiKey.objects.filter(account__is_active=True).with_permissions(permissions)
    return Compiled(lambda hashes: keys.filter(hash__in=hashes), stand_in=lambda: secrets.token_hex(32))


def _has(permission: str) -> Q:
    """Django's rule, as a condition on the key: a superuser's, its account's own, or one of its groups'."""
    app_label, codename = permission.split(".")
    named = {"permission__codename": codename, "permission__content_type__app_label": app_label}
    of_account = User.user_permissions.through.objects.filter(user=OuterRef("account"), **named)
    of_groups = Group.permissions.through.objects.filter(group__user=OuterRef("account"), **named)
    # groups before its own: they are what most accounts have, and what is found first spares the rest
    return Q(account__is_superuser=True) | Q(Exists(of_groups)) | Q(Exists(of_account))


class ApiKey(models.Model):
    """A key of a service account, whose permissions are the key's. The key itself is shown once and never kept."""

    class State(models.TextChoices):
        LIVE = "live"
        EXPIRED = "expired"
        REVOKED = "revoked"

    name = models.CharField(max_length=NAME_LENGTH)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys")
    prefix = models.CharField(max_length=PREFIX_LENGTH, editable=False)
    hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="to the hour")
    window = models.BigIntegerField(default=0, editable=False)
    handed_out = models.PositiveIntegerField(default=0, editable=False, help_text="requests of the window")

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        default_permissions = ("add", "change", "view")
        verbose_name = "API key"
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(name=""), name="api_key_has_name")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @classmethod
    def drawn(cls) -> tuple[Self, str]:
        """A new key, not yet saved and of nobody yet, and its secret, which can't be had again."""
        prefix = secrets.token_hex(PREFIX_LENGTH // 2)
        secret = f"bs_{prefix}_{secrets.token_urlsafe(32)}"
        return cls(prefix=prefix, hash=hashed(secret)), secret

    @classmethod
    def presented(cls, secret: str, permissions: Sequence[str] = ()) -> ApiKey | None:
        """The key that this is, if it is live and its account allowed in; with `may_0`, `may_1`, …

        Found by its hash, which leaks nothing by its timing.
        """
        found = _presented(tuple(permissions))([hashed(secret)])
        return next((key for key in found if key.state == cls.State.LIVE), None)

    @property
    def actor(self) -> str:
        """How events name this key."""
        return f"key:{self.name}:{self.prefix}"

    @property
    def state(self) -> State:
        if self.revoked_at:
            return self.State.REVOKED
        if self.expires_at and self.expires_at <= timezone.now():
            return self.State.EXPIRED
        return self.State.LIVE

    def revoke(self) -> None:
        self.revoked_at = self.revoked_at or timezone.now()

    def end_within(self, overlap: timedelta) -> None:
        """Open nothing after that; at once if it is nothing, and never later than planned."""
        if not overlap:
            self.revoke()
            return
        end = timezone.now() + overlap
        self.expires_at = min(end, self.expires_at or end)

    def note_use(self) -> bool:
        """Note that the key is in use; False if that was noted within the hour."""
        now = timezone.now()
        if self.last_used_at and self.last_used_at > now - NOTED_EVERY:
            return False
        self.last_used_at = now
        return True

    def draw(self, *, limit: int, window: int) -> int:
        """Hand out a part of what is left of the window's requests, so that several processes get near the limit.

        A window is named by the second since 1970 at which it began.
        """
        # whose clock is behind draws from the newer window; a clock that once ran wild shuts nobody out for ever
        if self.window < window or self.window > window + SECONDS_OF_A_DAY:
            self.window, self.handed_out = window, 0
        left = max(limit - self.handed_out, 0)
        block = min(left, max(left // BLOCKS, 1))
        self.handed_out += block
        return block


class KeptAnswerQuerySet(models.QuerySet["KeptAnswer"]):
    def claimed(self, claim: KeptAnswer) -> KeptAnswer:
        """The claim itself if nobody was first, else what is kept of the first; waits while that is in flight.

        Call it in the transaction of the effect: whoever has inserted the row goes on, the others wait for its commit.
        """
        self.bulk_create([claim], ignore_conflicts=True)
        kept = self.same_as(claim)
        if kept.is_expired:
            # by its id: of two who take it over at once, the second finds none
            self.filter(pk=kept.pk).update(
                id=claim.pk, body_hash=claim.body_hash, made=None, created_at=claim.created_at
            )
            kept = self.same_as(claim)
        return kept

    def same_as(self, claim: KeptAnswer) -> KeptAnswer:
        return self.get(key=claim.key, request=claim.request, idempotency_key=claim.idempotency_key)

    def expired(self) -> Self:
        return self.filter(created_at__lte=timezone.now() - KEPT_FOR)


class KeptAnswer(models.Model):
    """What a POST with an `Idempotency-Key` has made, so that the same request again makes nothing more."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="kept_answers", db_index=False)
    request = models.CharField(max_length=200, help_text="method and path")
    idempotency_key = models.CharField(max_length=IDEMPOTENCY_KEY_LENGTH)
    body_hash = models.CharField(max_length=64)
    made = models.JSONField(null=True, encoder=DjangoJSONEncoder, help_text="the object's id: it is read again")
    created_at = models.DateTimeField(default=timezone.now)

    objects = KeptAnswerQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key", "request", "idempotency_key"], name="kept_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["key", "created_at"], name="kept_since")]

    def __str__(self) -> str:
        return f"{self.request} {self.idempotency_key}"

    @property
    def is_expired(self) -> bool:
        return self.created_at <= timezone.now() - KEPT_FOR
