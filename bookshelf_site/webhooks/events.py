"""What happens to the webhooks themselves. Of an address only its host is told: the rest may hold somebody's secret."""

from __future__ import annotations

from uuid import UUID

from bookshelf_site.events import DomainEvent


class WebhookAdded(DomainEvent, name="webhooks.webhook_added", version=1):
    """A program wants to be told of events."""

    webhook_id: UUID
    host: str
    event_types: tuple[str, ...]


class WebhookChanged(DomainEvent, name="webhooks.webhook_changed", version=1):
    """It wants to be told somewhere else, or of something else."""

    webhook_id: UUID
    host: str
    event_types: tuple[str, ...]


class WebhookEnabled(DomainEvent, name="webhooks.webhook_enabled", version=1):
    """It is told again, of what happens from here on."""

    webhook_id: UUID
    host: str


class WebhookDisabled(DomainEvent, name="webhooks.webhook_disabled", version=1):
    """It is told nothing any more: somebody said so, it said that it is gone, or nothing got through for days."""

    webhook_id: UUID
    host: str
    reason: str


class SecretRotated(DomainEvent, name="webhooks.secret_rotated", version=1):
    """It has a new secret; the old one signs for a day more."""

    webhook_id: UUID
    host: str


class WebhookRemoved(DomainEvent, name="webhooks.webhook_removed", version=1):
    """It is no more."""

    webhook_id: UUID
    host: str


class Pinged(DomainEvent, name="bookshelf.ping", version=1):
    """Somebody wants to see whether a webhook gets through; told to no other."""

    webhook_id: UUID
