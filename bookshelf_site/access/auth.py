"""Who calls the API: a key, with the Django permissions of its service account."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja.security.http import HttpAuthBase

from bookshelf_site.access import idempotency, limits
from bookshelf_site.access.models import ApiKey
from bookshelf_site.errors import DomainError
from bookshelf_site.events import acting


class Unauthenticated(DomainError):
    """{reason}"""

    code = "unauthenticated"
    status = 401

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MissingPermission(DomainError):
    """This API key lacks the permission {permission}; a manager may give it to the key's service account."""

    code = "missing_permission"
    status = 403

    def __init__(self, permission: str) -> None:
        super().__init__(permission)
        self.permission = permission

    @property
    def extra(self) -> dict[str, object]:
        return {"permission": self.permission}


class ApiKeyAuth(HttpAuthBase):
    openapi_scheme = "bearer"
    openapi_description = "An API key: `manage.py create_api_key NAME --group GROUP` prints one."

    def __init__(self, *permissions: str) -> None:
        super().__init__()
        self.permissions = permissions

    def __call__(self, request: HttpRequest) -> ApiKey:
        """The key that was presented. Raises Unauthenticated, RateLimited, MissingPermission."""
        scheme, _, secret = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise Unauthenticated("Send an API key, as `Authorization: Bearer KEY`.")
        key = ApiKey.presented(secret.strip(), self.permissions)
        if key is None:
            raise Unauthenticated("This API key is unknown, expired or revoked.")
        limits.admit(key)
        for place, permission in enumerate(self.permissions):
            if not getattr(key, f"may_{place}"):
                raise MissingPermission(permission)
        return key


needs = ApiKeyAuth
"""`auth=needs("orders.ship_order")`: the operation is open to keys that have this permission, or all of several."""


def as_key(operation: Callable[..., Any]) -> Callable[..., Any]:
    """What happens in the operation is done by the key; every operation passes here, its input already checked."""
    answering = idempotency.answering(operation)

    @wraps(operation)
    def act(request: HttpRequest, **values: Any) -> Any:
        key: ApiKey = request.auth  # type: ignore[attr-defined]  # ninja sets what ApiKeyAuth returned
        with acting(actor=key.actor):
            if answering is None:
                return operation(request, **values)
            made, is_new = idempotency.once(request, key, partial(operation, request, **values))
            answer: HttpResponse = request.answer  # type: ignore[attr-defined]  # JsonApi sets it
            if is_new:
                return answering.read(made, answer)
            answer.headers[idempotency.REPLAYED] = "true"
            return answering.read_again(made, answer)

    return act
