"""The webhooks' door for programs: /api/v1/webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from ninja.responses import Status
from pydantic import BaseModel, ConfigDict, Field

from bookshelf_site.access.auth import needs
from bookshelf_site.access.idempotency import answered_by, answered_once_by
from bookshelf_site.json_api import documents, locate
from bookshelf_site.pages import NEWEST_FIRST, Ordering, Page, PageParameters, paged
from bookshelf_site.schemas import Input, Line, Nothing, inline
from bookshelf_site.webhooks import services, signing
from bookshelf_site.webhooks.addresses import URL_LENGTH
from bookshelf_site.webhooks.messages import Message, messages_to, with_last_attempt
from bookshelf_site.webhooks.models import DESCRIPTION_LENGTH, MOST_EVENT_TYPES, SigningSecret, Webhook
from bookshelf_site.webhooks.services import WebhookChanges

BY_AGE: Final = Ordering(key="id")
WEB_SHOP: Final[dict[str, Any]] = {
    "url": "https://shop.example.com/hooks/bookshelf",
    "event_types": ["orders.*", "inventory.stock_ran_low"],
    "description": "the web shop",
}
EVENT_TYPES: Final = "`orders.order_placed`, `orders.*` for a family, `*` for all"
LONGEST_EVENT_TYPE: Final = 100

router = Router()

EventType = Annotated[Line, Field(min_length=1, max_length=LONGEST_EVENT_TYPE)]


class WebhookIn(Input):
    """An address at which a program is told of events from now on."""

    model_config = ConfigDict(json_schema_extra={"examples": [WEB_SHOP]})

    url: Line = Field(max_length=URL_LENGTH, description="https, on the public internet, without a password in it")
    event_types: list[EventType] = Field(min_length=1, max_length=MOST_EVENT_TYPES, description=EVENT_TYPES)
    description: Line | None = Field(None, max_length=DESCRIPTION_LENGTH, description="for people")


class WebhookPatch(Input):
    """What is to change; what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"event_types": ["*"]}, {"status": "enabled"}]})

    url: Line = Field("", max_length=URL_LENGTH)
    event_types: list[EventType] = Field(
        default_factory=list, min_length=1, max_length=MOST_EVENT_TYPES, description=EVENT_TYPES
    )
    description: Line | None = Field(None, max_length=DESCRIPTION_LENGTH)
    status: Literal["enabled", "disabled"] | None = Field(
        None, description="`disabled`: it is told nothing; `enabled`: again, of what happens from then on"
    )

    @property
    def changes(self) -> WebhookChanges:
        every = WebhookChanges(url=self.url, event_types=self.event_types, description=self.description or "")
        return {name: value for name, value in every.items() if name in self.model_fields_set}  # type: ignore[return-value]  # a part of it


class WebhookOut(BaseModel):
    """A webhook and how it is doing."""

    id: UUID
    url: str
    event_types: list[str]
    description: str
    status: Annotated[Webhook.Status, inline(Webhook.Status)]
    disabled_reason: Annotated[Webhook.Reason, inline(Webhook.Reason)] | None = Field(
        description="`gone`: it answered 410; `failing`: nothing got through for three days; `by_hand`: somebody's wish"
    )
    disabled_at: datetime | None
    failing_since: datetime | None = Field(description="since when nothing has got through, if the last attempt failed")
    last_success_at: datetime | None = Field(description="to the minute")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def members(cls, webhook: Webhook) -> Mapping[str, Any]:
        return {
            "id": webhook.pk,
            "url": webhook.url,
            "event_types": webhook.event_types,
            "description": webhook.description,
            "status": webhook.status,
            "disabled_reason": webhook.disabled_reason or None,
            "disabled_at": webhook.disabled_at,
            "failing_since": webhook.failing_since,
            "last_success_at": webhook.last_success_at,
            "created_at": webhook.created_at,
            "updated_at": webhook.updated_at,
        }

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        return cls(**cls.members(webhook))


class WebhookWithSecret(WebhookOut):
    """A webhook with its secret, which is told in this answer only."""

    secret: str = Field(description="signs the messages; keep it to yourself", json_schema_extra={"pattern": "^whsec_"})

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        secret = SigningSecret.objects.get(webhook=webhook, expires_at__isnull=True)
        return cls(secret=signing.shown(secret.secret), **cls.members(webhook))


class WebhookPage(Page[WebhookOut]):
    """A part of the webhooks, the oldest first."""


class DeliveryOut(BaseModel):
    """A message to a webhook, and what came of its last attempt."""

    id: UUID = Field(description="the event's, and what is sent as `webhook-id`")
    event_type: str
    occurred_at: datetime = Field(description="when the event happened")
    status: Annotated[Message.Status, inline(Message.Status)] = Field(
        description="`pending`: on its way, or to be tried again; `failed`: given up; `skipped`: no longer to be sent"
    )
    attempts: int
    attempted_at: datetime | None = Field(description="the last time")
    duration_ms: int | None
    response_status: int | None = Field(description="null: there was no complete answer")
    response_body: str = Field(description="its beginning, 2 kB at most")
    error: str = Field(description="why it failed or was skipped, in words")
    next_attempt_at: datetime | None
    waits_for: UUID | None = Field(
        description="the `id` of an older message about the same thing: it has to get through, or be skipped, first"
    )

    @classmethod
    def of(cls, message: Message) -> Self:
        last = message.last
        return cls(
            id=message.event.uid,
            event_type=message.event.name,
            occurred_at=message.event.occurred_at,
            status=message.status,
            attempts=message.attempts,
            attempted_at=last.at if last else None,
            duration_ms=last.duration_ms if last else None,
            response_status=last.response_status if last else None,
            response_body=last.response_body if last else "",
            error=message.why,
            next_attempt_at=message.next_attempt_at,
            waits_for=message.waits_for,
        )


class DeliveryPage(Page[DeliveryOut]):
    """A part of a webhook's delivery log, the newest first."""


def _answer(webhook_id: UUID | str, response: HttpResponse) -> WebhookOut:
    return WebhookOut.of(Webhook.objects.get(pk=webhook_id))


def _with_secret(webhook_id: UUID | str, response: HttpResponse) -> WebhookWithSecret:
    return WebhookWithSecret.of(Webhook.objects.get(pk=webhook_id))


def _created(webhook_id: UUID | str, response: HttpResponse) -> WebhookWithSecret:
    locate(response, "get_webhook", webhook_id)
    return _with_secret(webhook_id, response)


def _message(made: list[str], response: HttpResponse) -> DeliveryOut:
    webhook_id, event_uid = (UUID(part) for part in made)
    delivery = with_last_attempt(messages_to(webhook_id)).get(event__uid=event_uid)
    return DeliveryOut.of(Message.of([delivery])[0])


@router.post(
    "",
    operation_id="add_webhook",
    auth=needs("webhooks.add_webhook"),
    response={201: WebhookWithSecret},
    openapi_extra=documents(headers=("Location",)),
)
@answered_once_by(_created)
def add_webhook(request: HttpRequest, body: WebhookIn) -> UUID:
    """Be told of what happens in the shop, from now on. The answer holds the secret, which is told only once."""
    webhook = services.add_webhook(url=body.url, event_types=body.event_types, description=body.description or "")
    return webhook.pk


@router.get("", operation_id="list_webhooks", auth=needs("webhooks.view_webhook"), response=WebhookPage)
def list_webhooks(request: HttpRequest, parameters: Query[PageParameters]) -> WebhookPage:
    """Who is told of what, and whether it gets through."""
    found = paged(request, Webhook.objects.all(), BY_AGE, parameters)
    return WebhookPage(results=[WebhookOut.of(webhook) for webhook in found.rows], **found.links)


@router.get("/{id:webhook_id}", operation_id="get_webhook", auth=needs("webhooks.view_webhook"), response=WebhookOut)
def get_webhook(request: HttpRequest, webhook_id: UUID) -> WebhookOut:
    """One webhook, without its secret."""
    return WebhookOut.of(Webhook.objects.get(pk=webhook_id))


@router.patch(
    "/{id:webhook_id}", operation_id="change_webhook", auth=needs("webhooks.change_webhook"), response=WebhookOut
)
def change_webhook(request: HttpRequest, webhook_id: UUID, body: WebhookPatch, response: HttpResponse) -> WebhookOut:
    """Change where it leads and what it is told, enable or disable it.

    Disabling settles what was still owed to it as `skipped`. Enabled again it is told of what happens from then on;
    what it missed is in `GET /events`.
    """
    services.change_webhook(webhook_id=webhook_id, changes=body.changes, status=body.status)
    return _answer(webhook_id, response)


@router.delete(
    "/{id:webhook_id}",
    operation_id="delete_webhook",
    auth=needs("webhooks.delete_webhook"),
    response={204: None},
)
def delete_webhook(request: HttpRequest, webhook_id: UUID) -> Status[None]:
    """Remove it with its secret and its log; nothing more is sent to it."""
    services.remove_webhook(webhook_id=webhook_id)
    return Status(204, None)


@router.post(
    "/{id:webhook_id}/rotate",
    operation_id="rotate_webhook_secret",
    auth=needs("webhooks.change_webhook"),
    response=WebhookWithSecret,
)
@answered_once_by(_with_secret)
def rotate_webhook_secret(request: HttpRequest, webhook_id: UUID, body: Nothing | None = None) -> UUID:
    """Give it a new secret. For 24 hours each message has two signatures, the new secret's and the old one's."""
    return services.rotate_secret(webhook_id=webhook_id).pk


@router.post(
    "/{id:webhook_id}/ping",
    operation_id="ping_webhook",
    auth=needs("webhooks.change_webhook"),
    response={202: DeliveryOut},
)
@answered_by(_message)
def ping_webhook(request: HttpRequest, webhook_id: UUID, body: Nothing | None = None) -> list[str]:
    """Send it a `bookshelf.ping`, and nobody else; also if it is disabled. What came of it is in its deliveries."""
    return [str(webhook_id), str(services.ping_webhook(webhook_id=webhook_id).event.uid)]


@router.get(
    "/{id:webhook_id}/deliveries",
    operation_id="list_webhook_deliveries",
    auth=needs("webhooks.view_webhook"),
    response=DeliveryPage,
)
def list_webhook_deliveries(request: HttpRequest, webhook_id: UUID, parameters: Query[PageParameters]) -> DeliveryPage:
    """What it was sent, or is to be, and what it answered."""
    webhook = Webhook.objects.get(pk=webhook_id)
    found = paged(request, with_last_attempt(messages_to(webhook.pk)), NEWEST_FIRST, parameters)
    return DeliveryPage(results=[DeliveryOut.of(message) for message in Message.of(found.rows)], **found.links)


@router.post(
    "/{id:webhook_id}/deliveries/{id:delivery_id}/resend",
    operation_id="resend_webhook_delivery",
    auth=needs("webhooks.change_webhook"),
    response={202: DeliveryOut},
    openapi_extra=documents("webhook_disabled"),
)
@answered_by(_message)
def resend_webhook_delivery(
    request: HttpRequest, webhook_id: UUID, delivery_id: UUID, body: Nothing | None = None
) -> list[str]:
    """Send it again, now, with the same `webhook-id`, whatever came of it before."""
    services.resend(webhook_id=webhook_id, event_uid=delivery_id)
    return [str(webhook_id), str(delivery_id)]
