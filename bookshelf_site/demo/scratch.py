"""A scratch database beside the configured one: made, named in a URL for another process, and dropped."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from django.db import DatabaseError, connection

PARTS: Final = ("USER", "PASSWORD", "HOST", "PORT")


class NoScratchDatabase(Exception):
    """No scratch database can be made here."""


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """A database of nobody: its name, as the database itself tells it, and the DATABASE_URL that leads to it."""

    name: str
    url: str


@contextmanager
def scratch_database() -> Iterator[Scratch]:
    """An empty database on the server that the shop is configured for, dropped at the end.

    Raises NoScratchDatabase where none may be made.
    """
    make = _on_postgresql if connection.vendor == "postgresql" else _on_sqlite
    with make() as scratch:
        yield scratch


@contextmanager
def _on_sqlite() -> Iterator[Scratch]:
    beside = _beside_the_shop()
    try:
        folder = tempfile.TemporaryDirectory(prefix="demo-", dir=beside)
    except OSError as error:
        raise NoScratchDatabase(f"No scratch database can be made in {beside}: {error.strerror}.") from error
    with folder:
        path = (Path(folder.name) / "demo.sqlite3").resolve()
        yield Scratch(name=str(path), url=f"sqlite:///{quote(str(path))}")


def _beside_the_shop() -> Path:
    """The folder of the shop's file; where there is none, or not yet, the one for temporary files."""
    folder = Path(str(connection.settings_dict["NAME"])).parent
    in_memory = connection.is_in_memory_db()  # type: ignore[attr-defined]  # SQLite's connection has it
    return Path(tempfile.gettempdir()) if in_memory or not folder.is_dir() else folder


@contextmanager
def _on_postgresql() -> Iterator[Scratch]:
    name = f"bookshelf_demo_{secrets.token_hex(6)}"
    try:
        with connection.cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')  # template1 may be in use
    except DatabaseError as error:
        reason = str(error).partition("\n")[0]
        raise NoScratchDatabase(f"No scratch database can be made on this server: {reason}.") from error
    try:
        yield Scratch(name=name, url=_url_of(name))
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _url_of(name: str) -> str:
    """The URL of another database on the configured server."""
    configured = connection.settings_dict
    user, password, host, port = (quote(str(configured[part] or ""), safe="") for part in PARTS)
    account = f"{user}:{password}@" if password else f"{user}@" if user else ""
    where = f"{host}:{port}" if port else host
    options = {name: value for name, value in configured["OPTIONS"].items() if isinstance(value, str)}
    return f"postgresql://{account}{where}/{name}?{urlencode(options, quote_via=quote)}"
