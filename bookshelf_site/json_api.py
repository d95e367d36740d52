"""The API's frame around ninja: strict JSON in, problem+json out, and a schema that tells every refusal."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from http.client import responses as phrases
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, register_converter, reverse
from django.urls.converters import UUIDConverter
from django.views.decorators.http import require_GET
from ninja import NinjaAPI
from ninja.openapi.docs import Swagger
from ninja.openapi.schema import REF_TEMPLATE, OpenAPISchema
from ninja.operation import Operation
from ninja.parser import Parser
from ninja.renderers import JSONRenderer
from ninja.responses import NinjaJSONEncoder

from bookshelf_site import problems
from bookshelf_site.access import idempotency
from bookshelf_site.access.auth import ApiKeyAuth, as_key
from bookshelf_site.access.models import IDEMPOTENCY_KEY_LENGTH
from bookshelf_site.errors import DomainError, InvalidValue

HEADERS: Final = {
    "Location": "where the new object is",
    "ETag": "the state of the book and of its stock, for `If-None-Match` and `If-Match`",
    idempotency.REPLAYED: "`true`: the request was sent before, and this is what it made, as it is now",
}
IDEMPOTENCY_KEY: Final[dict[str, Any]] = {
    "name": idempotency.HEADER,
    "in": "header",
    "required": False,
    "description": (
        "New for each thing that you want done, the same when you send it again: then it is done once. "
        "Kept for 24 hours per API key, method and path."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_LENGTH, "pattern": "^[!-~]+$"},
    "example": "0199c8f0-7d2a-7c3e-9f43-8b7c1c9b2f10",
}


class IdConverter(UUIDConverter):
    """A UUID as it is sent: some languages write it in capitals (RFC 9562 §4 has both mean the same)."""

    regex = UUIDConverter.regex.replace("a-f", "a-fA-F")

    def to_python(self, value: str) -> str:  # type: ignore[override]  # pydantic reads it
        return value


register_converter(IdConverter, "id")

READ_ONLY: Final = {"openapi-json", "openapi-view"}
"""ninja's own addresses, which it would show for any method."""


class UnreadableBody(DomainError):
    """{reason}"""

    code = "bad_request"
    status = 400

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class StrictParser(Parser):
    """JSON as RFC 8259 has it: in UTF-8, no NaN, no name twice, and sent as what it is."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        if request.content_type != "application/json":
            raise UnreadableBody("The body must be JSON, sent with `Content-Type: application/json`.")
        try:
            # json would guess at UTF-16 and UTF-32, and let half a surrogate pass
            text = request.body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UnreadableBody(f"The body must be JSON in UTF-8, and its byte {error.start} is not.") from error
        try:
            body: dict[str, Any] | None = json.loads(
                text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeated_names
            )
        except json.JSONDecodeError:
            raise
        except ValueError as error:  # Python's own, of thousands of digits
            raise UnreadableBody("A number in the body is too long.") from error
        except RecursionError as error:
            raise UnreadableBody("The body is nested too deeply.") from error
        if body is None:
            # ninja would take it for no body at all
            raise InvalidValue("", "the body must be an object")
        return body


class ReadableRenderer(JSONRenderer):
    """JSON in UTF-8, so that a person with curl reads Brontë and not its code points."""

    json_dumps_params = {"ensure_ascii": False}


def documents(*codes: str, headers: tuple[str, ...] = ()) -> dict[str, Any]:
    """`openapi_extra` of an operation: the codes that it may refuse with, and the headers that it answers with."""
    return {"x-problems": codes, "x-headers": headers}


def locate(response: HttpResponse, operation_id: str, key: object) -> None:
    """Say where a new object is: at the operation that reads it by its id."""
    response["Location"] = settings.PUBLIC_URL + _address(operation_id).format(key)


@cache
def _address(operation_id: str) -> str:
    """With a place for the id. Django is asked once, for it searches all addresses."""
    some_id = str(UUID(int=0))
    return reverse(f"api:{operation_id}", args=[some_id]).replace(some_id, "{}")


class JsonApi(NinjaAPI):
    def __init__(self, **options: Any) -> None:
        super().__init__(
            # No badge of a validator on another host.
            docs=Swagger({"validatorUrl": None, "persistAuthorization": False}),
            parser=StrictParser(),
            renderer=ReadableRenderer(),
            **options,
        )
        problems.answer_problems(self)
        self.add_decorator(as_key)

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        patterns, app_name, namespace = super().urls
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                view = require_GET(pattern.callback) if pattern.name in READ_ONLY else pattern.callback
                pattern.callback = problems.door(view)
        return patterns, app_name, namespace

    def create_temporal_response(self, request: HttpRequest) -> HttpResponse:
        """What carries the headers of the answer; kept, for what every operation passes sets some too."""
        answer: HttpResponse = super().create_temporal_response(request)
        request.answer = answer  # type: ignore[attr-defined]  # a request takes any attribute
        return answer

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        return DocumentedSchema(self, self.get_root_path(path_params or {}) if path_prefix is None else path_prefix)


class DocumentedSchema(OpenAPISchema):
    """The schema, with what every operation may refuse, and why, and the permission that it needs."""

    def __init__(self, api: NinjaAPI, path_prefix: str) -> None:
        super().__init__(api, path_prefix)
        # The models of query parameters are written out where they are used.
        written = json.dumps(self, cls=NinjaJSONEncoder)
        for name in [name for name in self.schemas if f'"{REF_TEMPLATE.format(model=name)}"' not in written]:
            del self.schemas[name]
        for path, operations in self["paths"].items():
            made = operations.get("post", {}).get("responses", {}).get("201")
            if made and (id_name := self._id_under(path)):
                made["links"] = self._links(id_name)

    def _id_under(self, path: str) -> str | None:
        """How the id of one of these is called in addresses: `book_id` under /books."""
        names = (other.removeprefix(f"{path}/{{")[:-1] for other in self["paths"] if other.startswith(f"{path}/{{"))
        return next((name for name in names if name.isidentifier()), None)

    def _links(self, name: str) -> dict[str, Any]:
        """From what was made to all that can be done with it."""
        operations = [operation for methods in self["paths"].values() for operation in methods.values()]
        return {
            operation["operationId"]: {
                "operationId": operation["operationId"],
                "parameters": {name: "$response.body#/id"},
            }
            for operation in operations
            if [_is_id(parameter, name) for parameter in operation["parameters"] if parameter["in"] == "path"] == [True]
        }

    def operation_details(self, operation: Operation) -> dict[str, Any]:
        details = super().operation_details(operation)
        details["summary"] = details["operationId"].replace("_", " ").capitalize()
        details["description"] += "".join(f"\n\nNeeds the permission `{name}`." for name in _permissions(operation))
        if "requestBody" in details:
            _leave_out_or_send(details["requestBody"]["content"]["application/json"])
        codes = {*details.pop("x-problems", ()), *_usual_codes(operation, details)}
        names = details.pop("x-headers", ())
        if operation.methods == ["POST"]:
            details["parameters"] = [*details["parameters"], IDEMPOTENCY_KEY]
            names = (*names, idempotency.REPLAYED)
        headers = {name: _header(HEADERS[name]) for name in names}
        answers = {str(status): answer for status, answer in details["responses"].items()}
        for answer in answers.values():
            if headers:
                answer["headers"] = headers
        details["responses"] = answers | _refusals(codes)
        return details

    def operation_security(self, operation: Operation) -> list[dict[str, Any]] | None:
        """OpenAPI 3.1 lets a requirement name the roles that it means; here they are Django's permissions."""
        super().operation_security(operation)
        return [{ApiKeyAuth.__name__: _permissions(operation)}]

    def get_components(self) -> dict[str, Any]:
        schema = problems.Problem.model_json_schema(ref_template=REF_TEMPLATE)
        self.add_schema_definitions(schema.pop("$defs"))
        self.add_schema_definitions({"Problem": schema})
        components: dict[str, Any] = super().get_components()
        return components

    def add_schema_definitions(self, definitions: dict[str, Any]) -> None:
        clashing = [name for name, schema in definitions.items() if self.schemas.get(name, schema) != schema]
        if clashing:
            raise ValueError(f"two schemas of the API have one name: {', '.join(clashing)}")
        super().add_schema_definitions(definitions)


def _leave_out_or_send(content: dict[str, Any]) -> None:
    """A body that need not be sent is no null, which clients would have to send."""
    choices = content["schema"].get("anyOf", [])
    if {"type": "null"} in choices:
        (content["schema"],) = (choice for choice in choices if choice != {"type": "null"})


def _is_id(parameter: dict[str, Any], name: str) -> bool:
    return bool(parameter["name"] == name and parameter["schema"].get("format") == "uuid")


def _permissions(operation: Operation) -> list[str]:
    return [name for auth in operation.auth_callbacks if isinstance(auth, ApiKeyAuth) for name in auth.permissions]


def _usual_codes(operation: Operation, details: dict[str, Any]) -> set[str]:
    """What an operation refuses because of what it takes: a key, an id in the path, a body, parameters."""
    codes = {"unauthenticated", "missing_permission", "rate_limited"}
    if "{" in operation.path:
        codes.add("not_found")
    if "requestBody" in details:
        codes |= {"bad_request", "too_large", "validation_failed"}
    if operation.methods == ["POST"]:
        codes |= {"validation_failed", *idempotency.refusals(operation.view_func)}
    if any(parameter["in"] == "query" for parameter in details["parameters"]):
        codes.add("validation_failed")
    return codes


def _refusals(codes: set[str]) -> dict[str, Any]:
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in sorted(codes):
        by_status[problems.CODES[code].status].append(f"`{code}`: {problems.CODES[code].text}")
    refusals = {
        str(status): _refusal("\n\n".join(texts) or phrases[status]) for status, texts in sorted(by_status.items())
    }
    return refusals | {"default": _refusal("Any other problem, such as `unavailable` while the database is busy.")}


def _refusal(description: str) -> dict[str, Any]:
    schema = {"$ref": REF_TEMPLATE.format(model="Problem")}
    return {"description": description, "content": {problems.MEDIA_TYPE: {"schema": schema}}}


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _refuse_constant(name: str) -> None:
    raise UnreadableBody(f"The body is no JSON: {name} is no number in it.")


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnreadableBody("An object in the body has the same name twice, so it can't be known which is meant.")
    return found
