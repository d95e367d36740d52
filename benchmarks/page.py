"""The order's page, asked again and again by who looks at it, beside a bare endpoint that reads the same row."""

from __future__ import annotations

import atexit
import os
import re
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import cache
from pathlib import Path

from django.core.management import call_command
from django.test import override_settings

from benchmarks.clock import rate
from bookshelf_site.money import Money
from catalog.models import BookDetails
from catalog.services import add_to_catalog
from orders.models import Contact, Order
from orders.services import LineRequest, place_order

CONNECTIONS = 8
REQUESTS = 2_000
ROOT = Path(__file__).resolve().parent.parent
ANSWER = re.compile(rb"HTTP/1.1 (\d+) .*?\r\n\r\n", re.DOTALL)
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


@cache
def order() -> Order:
    with override_settings(EVENTS_ENGINE="inline"):
        price = Money(Decimal("12.99"), "USD")
        books = [
            add_to_catalog(BookDetails(title=f"Volume {number}", author="Author"), price=price, opening_stock=10)
            for number in range(5)
        ]
        return place_order(
            Contact(customer_name="Alice Johnson"), [LineRequest(book_id=book.pk, quantity=1) for book in books]
        )


def polls() -> float:
    """Questions of a page whose order stays as it is, each answered by 304."""
    port, path = site("bookshelf_site.settings"), order().status_path
    seen = re.search(rb'ETag: ("\w+")', first_answer(port, path), re.IGNORECASE)
    if seen is None:
        raise AssertionError("the page has no ETag")
    return answered(port, path, 304, f"If-None-Match: {seen[1].decode()}\r\n")


def pages() -> float:
    """The whole page."""
    return answered(site("bookshelf_site.settings"), order().status_path, 200)


def bare() -> float:
    return answered(site("benchmarks.bare_settings"), f"/orders/{order().token}", 200)


@cache
def site(settings: str) -> int:
    """The port of a production server with these settings, which ends with this process."""
    call_command("collectstatic", "--no-input", "--verbosity", "0")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": settings, "PORT": str(port), "WEB_CONCURRENCY": "1"}
    command = [sys.executable, "-m", "gunicorn", "--config", "python:bookshelf_site.gunicorn_conf"]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(server.terminate)
    wait_for(port)
    return port


def wait_for(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"nothing answers at {port}")


def first_answer(port: int, path: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request(path))
        return receive(connection)


def answered(port: int, path: str, status: int, headers: str = "") -> float:
    """Requests per second over connections that are kept alive; each answer has this status."""

    def ask(times: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(times):
                connection.sendall(request(path, headers))
                if not (answer := receive(connection)).startswith(b"HTTP/1.1 %d " % status):
                    raise AssertionError(answer[:200])

    def ask_by_all() -> None:
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(ask, [REQUESTS // CONNECTIONS] * CONNECTIONS))

    return rate(REQUESTS, ask_by_all)


def request(path: str, headers: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode()


def receive(connection: socket.socket) -> bytes:
    """One whole answer. Raises ConnectionError if there is none."""
    answer = b""
    while not (head := ANSWER.match(answer)):
        answer += more(connection)
    length = LENGTH.search(head[0])
    while length and len(answer) < head.end() + int(length[1]):
        answer += more(connection)
    return answer


def more(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise ConnectionError("the server has hung up")
    return received
