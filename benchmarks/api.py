"""Requests a second of the shop's server: beside bare endpoints of the same server, and with many books beside few."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg

from tests.plugins.server import COMMAND, ROOT, answered, wait_until

SECONDS: Final = float(os.environ.get("SECONDS", "3"))
CONNECTIONS: Final = 8
FEW: Final = 1_000
MANY: Final = int(os.environ.get("BOOKS", "1000000"))
QUERIES: Final = {
    "a page of 50 books": "",
    "search, a common word": "q=love",
    "search, a rare word": "q=9780000005",
    "search, two words": "q=the+9780000005",
    "updated_since": "updated_since=2024-01-01T00:00:00Z",
    "in_stock": "in_stock=true",
}


@dataclass(frozen=True, kw_only=True)
class Server:
    """gunicorn as `make run` starts it, on a database of its own."""

    port: int
    key: str
    process: subprocess.Popen[bytes]

    def rate(self, method: str, path: str, *bodies: Any, connections: int = CONNECTIONS) -> float:
        """Requests a second; the connections share out the bodies."""
        requests = [self._request(method, path, json.dumps(body)) for body in bodies] or [self._request(method, path)]
        command = [sys.executable, "-m", "benchmarks.load", str(self.port), str(connections), str(SECONDS)]
        sent = json.dumps(requests).encode()
        return float(subprocess.run(command, input=sent, check=True, cwd=ROOT, capture_output=True).stdout)

    def _request(self, method: str, path: str, body: str = "") -> str:
        return (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        )


@cache
def shop(vendor: str, books: int) -> Server:
    """The shop's own server, with so many books."""
    environment = os.environ | {"DATABASE_URL": database(vendor, books), "EVENTS_ENGINE": "inline"}
    python: dict[str, Any] = {"env": environment, "cwd": ROOT}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], check=True, **python)
    subprocess.run([sys.executable, "-m", "benchmarks.catalogue", str(books)], check=True, **python)
    make_key = [sys.executable, "manage.py", "create_api_key", "bench", "--group", "Manager"]
    key = subprocess.run(make_key, check=True, capture_output=True, text=True, **python).stdout.strip()
    return served("benchmarks.api_settings", environment, key)


@cache
def bare() -> Server:
    """The same server with two endpoints that do nothing else, on the database of the shop."""
    return served("benchmarks.api_bare_settings", os.environ | {"DATABASE_URL": database("postgresql", FEW)}, "")


def served(settings: str, environment: dict[str, str], key: str) -> Server:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = environment | {"DJANGO_SETTINGS_MODULE": settings, "PORT": str(port)}
    process = subprocess.Popen(COMMAND, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(process.kill)
    wait_until(lambda: answered(port, "/livez") is not None)
    return Server(port=port, key=key, process=process)


@cache
def database(vendor: str, books: int) -> str:
    """An empty one, gone at the end."""
    if vendor == "sqlite":
        folder = tempfile.mkdtemp(prefix="bookshelf-bench-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return f"sqlite:///{Path(folder) / 'shop.sqlite3'}"
    url = urlsplit(os.environ["DATABASE_URL"])
    name = f"{url.path[1:]}_{books}"
    with psycopg.connect(url.geturl(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    atexit.register(drop, url.geturl(), name)
    return url._replace(path=f"/{name}").geturl()


def drop(url: str, name: str) -> None:
    # a server from the wheel is gone by now, with all that it held
    at = urlsplit(url)._replace(path="/postgres").geturl()
    with suppress(psycopg.OperationalError), psycopg.connect(at, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@cache
def books() -> list[str]:
    """Those that are in stock, of so few."""
    from benchmarks.catalogue import rows

    return [str(row[0]) for row in rows(FEW)][::2]


def get_book() -> float:
    return shop("postgresql", FEW).rate("GET", f"/api/v1/books/{books()[0]}")


def read_a_row() -> float:
    return bare().rate("GET", f"/bare/row/{books()[0]}")


def place_orders() -> float:
    return _placed(books()[:CONNECTIONS])


def place_orders_of_one_book() -> float:
    return _placed(books()[:1])


def _placed(wanted: list[str]) -> float:
    orders = [{"customer_name": "Alice Johnson", "lines": [{"book_id": book, "quantity": 1}]} for book in wanted]
    return shop("postgresql", FEW).rate("POST", "/api/v1/orders", *orders)


def insert_a_row() -> float:
    return bare().rate("POST", "/bare/row", {"message": "An order of Alice Johnson"})


def listed(vendor: str, books: int, query: str) -> float:
    """On one connection, so that it is the time of one request."""
    return shop(vendor, books).rate("GET", f"/api/v1/books?{query}", connections=1)
