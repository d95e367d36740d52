"""Every version of every event as a JSON Schema in a file, so that none changes unnoticed: the log holds them all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from django.apps import apps

from bookshelf_site.events.domain_event import ENVELOPE, EVENTS, DomainEvent

UNTOLD: Final = frozenset({"title", "description"})
"""What a schema says in words may be said better at any time."""


def published_events() -> list[type[DomainEvent]]:
    """The events of the installed apps, by name."""
    kinds = {kind for kind in EVENTS.values() if apps.get_containing_app_config(kind.__module__)}
    return sorted(kinds, key=lambda kind: kind.name)


def file_name(name: str, version: int) -> str:
    return f"{name}.v{version}.json"


def schema_of(kind: type[DomainEvent]) -> dict[str, Any]:
    """What is stored of such an event, without the envelope; fields about a person are marked."""
    written = kind.adapter.json_schema(mode="serialization")
    fields = {
        name: _plain(field, written.get("$defs", {})) | ({"personal": True} if name in kind.empties else {})
        for name, field in written["properties"].items()
        if name not in ENVELOPE
    }
    required = [name for name in written.get("required", []) if name not in ENVELOPE]
    return {"name": kind.name, "version": kind.version, "type": "object", "properties": fields, "required": required}


def differences(kinds: Iterable[type[DomainEvent]], folder: Path) -> Iterator[str]:
    """In words: what has changed, what has no file yet, and of what is in the log nobody knows the class any more."""
    known = {kind.name: kind for kind in kinds}
    for kind in known.values():
        path = folder / file_name(kind.name, kind.version)
        if not path.exists():
            yield f"{path.name} is missing: check_event_schemas --write makes it"
        elif json.loads(path.read_text()) != schema_of(kind):
            better = f"give {kind.__qualname__} the version {kind.version + 1}, or delete what was never released"
            yield f"{path.name} is not what the code says: {better}"
    names = {name: kind for kind in known.values() for name in (kind.name, *kind.aliases)}
    for path in sorted(folder.glob("*.json")):
        published = json.loads(path.read_text())
        now = names.get(published["name"])
        if now is None:
            yield f"{path.name}: no event has this name or alias, so the log can't be read any more"
        elif published["version"] > now.version:
            yield f"{path.name}: {now.__qualname__} has gone back to version {now.version}"


def write_missing(kinds: Iterable[type[DomainEvent]], folder: Path) -> list[str]:
    """Write the file of each new event and version, and no other: what was published stays as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind in kinds:
        path = folder / file_name(kind.name, kind.version)
        if not path.exists():
            path.write_text(json.dumps(schema_of(kind), indent=2) + "\n")
            written.append(path.name)
    return written


def _plain(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema with its references filled in and without words: a class may have another name, too."""
    if isinstance(schema, list):
        return [_plain(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _plain(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {
        # the keys of `properties` are names of fields, whatever they sound like
        key: {name: _plain(field, definitions) for name, field in value.items()}
        if key == "properties"
        else _plain(value, definitions)
        for key, value in schema.items()
        if key not in UNTOLD
    }
