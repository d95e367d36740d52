"""What the shop keeps of those who work here, beside Django's users and groups."""

from __future__ import annotations

from typing import ClassVar

from axes.models import AccessAttempt
from django.conf import settings
from django.utils import timezone


class FailedLogin(AccessAttempt):  # type: ignore[misc]  # axes has no types
    """Wrong passwords or codes for a name from one place; enough of them, and it has to wait."""

    class Meta:
        proxy = True
        verbose_name = "failed login"
        default_permissions = ("view",)
        permissions: ClassVar = [("unlock_login", "Can let a locked login try again")]

    def __str__(self) -> str:
        return f"{self.username or '?'}, {self.ip_address or '?'}"

    @property
    def is_locked(self) -> bool:
        limit: int = settings.AXES_FAILURE_LIMIT
        return bool(
            self.failures_since_start >= limit and self.attempt_time > timezone.now() - settings.AXES_COOLOFF_TIME
        )
