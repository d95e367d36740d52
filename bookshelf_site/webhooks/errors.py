"""What the webhooks refuse."""

from __future__ import annotations

from bookshelf_site.errors import DomainError


class WebhookIsDisabled(DomainError):
    """This webhook is disabled: enable it first."""

    code = "webhook_disabled"
    status = 409
