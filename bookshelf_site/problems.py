"""Every refusal of the API, as application/problem+json (RFC 9457), and the catalogue of their codes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final
from urllib.parse import quote

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost, ObjectDoesNotExist, RequestDataTooBig
from django.core.signals import got_request_exception
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from pydantic import BaseModel, ConfigDict, Field

from bookshelf_site.errors import DomainError, FieldError, RefusedToStaff
from bookshelf_site.events import current_context

log = structlog.stdlib.get_logger("bookshelf.api")

MEDIA_TYPE: Final = "application/problem+json"
MOST_ERRORS: Final = 50  # a request of 1 MiB may be wrong in a hundred thousand places
RETRY_AFTER_SECONDS: Final = 2


@dataclass(frozen=True)
class Code:
    """A kind of problem: its status, its title, and what a programmer who meets it should know."""

    status: int
    title: str
    text: str

    @property
    def marked_up(self) -> SafeString:
        """The text as HTML, in which `code` is code."""
        parts = enumerate(self.text.split("`"))
        return format_html_join(
            "", "{}", ([format_html("<code>{}</code>", part) if place % 2 else part] for place, part in parts)
        )


CODES: Final[dict[str, Code]] = {
    "bad_request": Code(400, "Unreadable request", "The body is no JSON, or is sent as something else than JSON."),
    "unauthenticated": Code(
        401, "No valid API key", "Send `Authorization: Bearer KEY`; a key may expire or be revoked."
    ),
    "missing_permission": Code(403, "Missing permission", "The key is good, but it lacks the right in `permission`."),
    "not_found": Code(404, "Not found", "No such path, or nothing in the shop has this id."),
    "method_not_allowed": Code(405, "Method not allowed", "The path exists; the `Allow` header names its methods."),
    "insufficient_stock": Code(
        409, "Not enough copies", "`shortages` names each line, what it asks and what there is."
    ),
    "not_for_sale": Code(409, "Not for sale", "A book of the order is withdrawn or has no price."),
    "price_changed": Code(409, "Price changed", "A book no longer costs its line's `expected_unit_price`."),
    "invalid_transition": Code(409, "Not possible from here", "`allowed` names what the order may become now."),
    "lines_waiting": Code(409, "Lines are waiting", "`lines` still wait for copies, so the order can't be confirmed."),
    "nothing_to_split": Code(
        409, "Nothing to split", "An order is split when some of its copies are here and it waits for others."
    ),
    "last_line": Code(409, "The last line", "An order has a line: cancel the order instead."),
    "more_than_shipped": Code(
        409, "More than was shipped", "`shipped` copies of the book went to this order, and `returned` came back."
    ),
    "copies_allocated": Code(
        409, "Copies are promised", "The shelf would hold fewer copies than orders were promised."
    ),
    "duplicate": Code(409, "Already there", "What should be unique is taken, by what `existing_id` names."),
    "webhook_disabled": Code(409, "Webhook disabled", "It is told nothing until it is enabled again."),
    "idempotency_in_progress": Code(
        409, "Still running", "The first request with this `Idempotency-Key` is in flight: send it again after a while."
    ),
    "already_created": Code(
        409,
        "Made before",
        "By the first request with this `Idempotency-Key`; its secret was shown then and only then.",
    ),
    "version_mismatch": Code(412, "Changed meanwhile", "It is no longer as your `If-Match` says: read it again."),
    "too_large": Code(413, "Body too large", "A request has at most 1 MiB."),
    "validation_failed": Code(422, "Invalid request", "`errors` names each place that is wrong, and what is right."),
    "rows_refused": Code(
        422, "Rows refused", "With `atomic` all rows are taken over or none: `errors` names what is wrong in which."
    ),
    "idempotency_key_reused": Code(
        422, "Key used before", "This `Idempotency-Key` was sent with another body: a new request takes a new key."
    ),
    "rate_limited": Code(429, "Too many requests", "The key has used up its requests: wait as `Retry-After` says."),
    "server_error": Code(
        500, "Our mistake", "It is logged under the `request_id`; the same request may be sent again."
    ),
    "unavailable": Code(503, "Busy", "The database is busy; nothing was done. Send it again after `Retry-After`."),
}


class Mistake(BaseModel):
    """One place of the request that is wrong."""

    pointer: str = Field(description="`#/lines/0/quantity` in the body, `query/limit` for a parameter")
    code: str
    detail: str


class Problem(BaseModel):
    """RFC 9457, with the code that a program reads; further members depend on the code."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="the address of a page about this code")
    title: str
    status: int
    detail: str
    code: str = Field(
        description="one of these, or one that is new since", json_schema_extra={"x-extensible-enum": list(CODES)}
    )
    errors: list[Mistake] = Field(default_factory=list)


def members(
    code: str, detail: str, *, errors: Sequence[FieldError] = (), extra: dict[str, object] | None = None
) -> dict[str, object]:
    """What a problem says."""
    about = CODES[code]
    said: dict[str, object] = {
        "type": f"{settings.PUBLIC_URL}/docs/problems/{code}",
        "title": about.title,
        "status": about.status,
        "detail": detail,
        "code": code,
    }
    if errors:
        said["errors"] = [
            {"pointer": pointer(error.field), "code": error.code, "detail": error.detail}
            for error in errors[:MOST_ERRORS]
        ]
    return said | (extra or {})


def problem(
    code: str, detail: str, *, errors: Sequence[FieldError] = (), extra: dict[str, object] | None = None
) -> HttpResponse:
    """The answer to a request that is refused."""
    about = CODES[code]
    said = members(code, detail, errors=errors, extra=extra)
    response = HttpResponse(json.dumps(said), status=about.status, content_type=MEDIA_TYPE)
    if about.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Bookshelf"'
    if about.status == 503:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def pointer(field: str) -> str:
    """Where in the request: a JSON pointer as a URI fragment (RFC 6901 §6), or the parameter's name."""
    return field if field.startswith(("query/", "header/", "path/")) else f"#/{field}" if field else "#"


def path_to(location: Iterable[str | int]) -> str:
    """The place that pydantic means, as a field error names it."""
    source, *parts = location
    inside = parts[1:] if source == "body" else [source, *parts]
    return "/".join(
        quote(str(part).replace("~", "~0").replace("/", "~1"), safe="~", errors="replace") for part in inside
    )


def answer_problems(api: NinjaAPI) -> None:
    """Every exception that leaves an operation becomes a problem."""
    handlers: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
        DomainError: refused,
        RefusedToStaff: failed,
        ValidationError: invalid,
        HttpError: unreadable,
        ObjectDoesNotExist: unknown,
        Http404: not_found,
        RequestDataTooBig: too_large,
        OperationalError: busy,
        Exception: failed,
    }
    for exception, handler in handlers.items():
        api.add_exception_handler(exception, handler)


def refused(request: HttpRequest, error: DomainError) -> HttpResponse:
    response = problem(error.code, str(error), errors=error.errors, extra=error.extra)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    errors = [field_error(mistake) for mistake in error.errors]
    places = "1 place" if len(errors) == 1 else f"{len(errors)} places"
    return problem("validation_failed", f"The request is wrong in {places}.", errors=errors)


def unreadable(request: HttpRequest, error: HttpError) -> HttpResponse:
    """The parser's refusal, which ninja wraps."""
    cause = error.__cause__
    if isinstance(cause, DomainError):
        return refused(request, cause)
    return problem("bad_request", f"The body is no JSON that can be read: {cause or error}.")


def unknown(request: HttpRequest, error: ObjectDoesNotExist) -> HttpResponse:
    model = type(error).__qualname__.partition(".")[0]
    words = re.sub("(?<=[a-z])(?=[A-Z])", " ", model).lower()
    return problem("not_found", f"There is no such {words}.")


def not_found(request: HttpRequest, error: Exception | None = None) -> HttpResponse:
    slash = " An address ends without a slash." if request.path.endswith("/") else ""
    return problem("not_found", f"There is nothing at {request.path}.{slash}")


def too_large(request: HttpRequest, error: Exception) -> HttpResponse:
    return problem("too_large", f"A request has at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes.")


def refused_unread(request: HttpRequest, error: Exception) -> HttpResponse:
    """What Django refuses before an operation is reached."""
    if isinstance(error, DisallowedHost):
        return problem("bad_request", "The `Host` header names no host of this shop.")
    return problem("bad_request", "The request can't be read.")


def busy(request: HttpRequest, error: OperationalError) -> HttpResponse:
    log.warning("database busy or away", error=str(error))
    return problem("unavailable", "The database is busy. Nothing was done; send it again in a moment.")


def failed(request: HttpRequest, error: Exception) -> HttpResponse:
    got_request_exception.send(sender=None, request=request)
    log.error("unexpected error", exc_info=error)
    request_id = current_context().correlation_id
    return problem("server_error", "Something went wrong on our side.", extra={"request_id": request_id})


def method_not_allowed(request: HttpRequest, allowed: str) -> HttpResponse:
    methods = sorted({method.strip() for method in allowed.split(",")} | ({"HEAD"} if "GET" in allowed else set()))
    response = problem("method_not_allowed", f"{request.path} takes {', '.join(methods)}, not {request.method}.")
    response.headers["Allow"] = ", ".join(methods)
    return response


def door(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """What every address under /api does: answers HEAD where it answers GET, and refuses in problem+json."""

    @csrf_exempt  # no cookie opens the API, so no other site can make a browser use it
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "Transfer-Encoding" in request.headers:  # Django would read such a body as an empty one
            return problem("bad_request", "Send the body in one piece, with a Content-Length.")
        method = request.method
        request.method = "GET" if method == "HEAD" else method
        try:
            response = view(request, *args, **kwargs)
        except Http404:
            response = not_found(request)
        finally:
            request.method = method
        if response.status_code == 405:
            return method_not_allowed(request, response.headers["Allow"])
        if response.status_code == 204:
            del response.headers["Content-Type"]  # ninja's, of the body that there isn't
        return response

    return answer


nowhere = door(not_found)
"""What answers at every address under /api that is none."""

_CODES_OF_PYDANTIC: Final = {"extra_forbidden": "unknown_field", "value_error": "invalid"}
_WORDS_FOR_PYDANTIC: Final = {
    "missing": "is required",
    "extra_forbidden": "is no field of this request",
    "int_type": "must be a whole number, such as 2, without quotes, point or fraction",
    "string_type": "must be a string",
    "string_unicode": "must be a string of valid Unicode",
    "string_pattern_mismatch": "must be text without control characters, in one line except for notes and descriptions",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


def field_error(mistake: dict[str, Any]) -> FieldError:
    kind: str = mistake["type"]
    said = str(mistake["ctx"]["error"]) if kind == "value_error" else mistake["msg"]
    return FieldError(
        field=path_to(mistake["loc"]),
        code=_CODES_OF_PYDANTIC.get(kind, kind),
        detail=_WORDS_FOR_PYDANTIC.get(kind, said.replace("Input should", "must", 1)),
    )
