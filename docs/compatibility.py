"""`python docs/compatibility.py OLD NEW`: what in the new OpenAPI schema breaks a program written for the old one.

Exit 1 and a line for each: an operation, a parameter, a field of an answer or a value of an enumeration is gone, or a
request has to bring something that it didn't. What is added breaks nobody.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Schema = dict[str, Any]
JSON = "application/json"


def breaks(old: Schema, new: Schema) -> Iterator[str]:
    for path, methods in old["paths"].items():
        for method, operation in methods.items():
            now = new["paths"].get(path, {}).get(method)
            where = f"{method.upper()} {path}"
            if now is None:
                yield f"{where} is gone"
            else:
                yield from _of_operation(where, Versions(old, new), operation, now)


class Versions:
    """The two schemas, in which references are looked up; a pair that was compared is not compared again."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self.old = old
        self.new = new
        self.compared: set[tuple[str, str, bool]] = set()

    def is_new(self, old: Schema, new: Schema, *, is_sent: bool) -> bool:
        pair = (old.get("$ref", ""), new.get("$ref", ""), is_sent)
        known = bool(pair[0]) and pair in self.compared
        self.compared.add(pair)
        return not known

    def resolved(self, old: Schema, new: Schema) -> tuple[Schema, Schema]:
        return _resolved(self.old, old), _resolved(self.new, new)


def _resolved(document: Schema, schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    found: Schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return found


def _of_operation(where: str, versions: Versions, old: Schema, new: Schema) -> Iterator[str]:
    yield from _of_parameters(where, versions, old.get("parameters", []), new.get("parameters", []))
    if old.get("operationId") != new.get("operationId"):
        yield f"{where}: {old.get('operationId')} is called {new.get('operationId')}"
    yield from _of_body(f"{where}: body", versions, old.get("requestBody"), new.get("requestBody"))
    for status, answer in old["responses"].items():
        if not status.startswith("2"):
            continue
        if status not in new["responses"]:
            yield f"{where}: status {status} is gone"
            continue
        before, now = (response.get("content", {}).get(JSON) for response in (answer, new["responses"][status]))
        if before and now:
            yield from _of_schema(f"{where}: {status}", versions, before["schema"], now["schema"], is_sent=False)
        elif before:
            yield f"{where}: {status} has no body any more"


def _of_parameters(where: str, versions: Versions, old: list[Schema], new: list[Schema]) -> Iterator[str]:
    now = {(parameter["in"], parameter["name"]): parameter for parameter in new}
    before = {(parameter["in"], parameter["name"]): parameter for parameter in old}
    for name, parameter in before.items():
        if name not in now:
            yield f"{where}: parameter {name[1]} is gone"
        else:
            place = f"{where}: parameter {name[1]}"
            yield from _of_schema(place, versions, parameter["schema"], now[name]["schema"], is_sent=True)
    for name, parameter in now.items():
        if parameter.get("required") and not before.get(name, {}).get("required"):
            yield f"{where}: parameter {name[1]} is required"


def _of_body(where: str, versions: Versions, old: Schema | None, new: Schema | None) -> Iterator[str]:
    if new and new.get("required") and not (old or {}).get("required"):
        yield f"{where} is required"
    if old and new:
        before, now = old["content"][JSON]["schema"], new["content"][JSON]["schema"]
        yield from _of_schema(where, versions, before, now, is_sent=True)
    elif old:
        yield f"{where} is gone"


def _of_schema(where: str, versions: Versions, old: Schema, new: Schema, *, is_sent: bool) -> Iterator[str]:
    if not versions.is_new(old, new, is_sent=is_sent):
        return
    old, new = versions.resolved(old, new)
    if "anyOf" in old or "anyOf" in new:
        yield from _of_alternatives(where, versions, _alternatives(old), _alternatives(new), is_sent=is_sent)
        return
    if old.get("type") != new.get("type"):
        yield f"{where}: was {_kind(old)}, is {_kind(new)}"
        return
    gone = set(old.get("enum", [])) - set(new["enum"]) if "enum" in new else set()
    yield from (f"{where}: value {value} is gone" for value in sorted(gone))
    yield from _of_fields(where, versions, old, new, is_sent=is_sent)
    if "items" in old and "items" in new:
        yield from _of_schema(f"{where}[]", versions, old["items"], new["items"], is_sent=is_sent)


def _of_fields(where: str, versions: Versions, old: Schema, new: Schema, *, is_sent: bool) -> Iterator[str]:
    before, now = old.get("properties", {}), new.get("properties", {})
    for name, field in before.items():
        if name in now:
            yield from _of_schema(f"{where}.{name}", versions, field, now[name], is_sent=is_sent)
        else:
            yield f"{where}.{name} is gone"
    required, was_required = set(new.get("required", [])), set(old.get("required", []))
    if is_sent:
        yield from (f"{where}.{name} is required" for name in sorted(required - was_required))
    else:
        yield from (f"{where}.{name} may be missing" for name in sorted((was_required & now.keys()) - required))


def _of_alternatives(
    where: str, versions: Versions, old: list[Schema], new: list[Schema], *, is_sent: bool
) -> Iterator[str]:
    for schema in old:
        kind = _kind(_resolved(versions.old, schema))
        same = [other for other in new if _kind(_resolved(versions.new, other)) == kind]
        if same:
            yield from _of_schema(where, versions, schema, same[0], is_sent=is_sent)
        elif is_sent:
            yield f"{where}: may not be {kind} any more"
    if not is_sent:
        kinds = {_kind(_resolved(versions.old, schema)) for schema in old}
        for other in new:
            if _kind(_resolved(versions.new, other)) not in kinds:
                yield f"{where}: may be {_kind(_resolved(versions.new, other))} now"


def _alternatives(schema: Schema) -> list[Schema]:
    """A schema that may be null is written with anyOf, and one that may not without."""
    return list(schema.get("anyOf", [schema]))


def _kind(schema: Schema) -> str:
    return str(schema.get("type") or ("one of several" if "anyOf" in schema else "anything"))


if __name__ == "__main__":
    broken = list(breaks(*(json.loads(Path(path).read_text()) for path in sys.argv[1:3])))
    for line in broken:
        print(line, file=sys.stderr)
    sys.exit(1 if broken else 0)
