"""A program that is told of events: a real HTTP server, which answers as the test wishes."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from time import monotonic
from typing import Any

from standardwebhooks import Webhook as Verifier

Answering = Callable[[Any], None]
PATIENCE = 60


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str) -> Any:
        """What the reference library makes of it; it raises for what is not signed."""
        return Verifier(secret).verify(self.body, self.headers)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


class Listener(ThreadingHTTPServer):
    """Answers 200, or as it is told to, in turn."""

    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        super().__init__((host, port), Handler)
        self.received: list[Received] = []
        self.answers: SimpleQueue[Answering] = SimpleQueue()
        self.judge: Callable[[Received], Answering] = lambda received: answering(200)
        self.asked = threading.Event()
        self.over = threading.Event()
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks"

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.received]

    def then(self, *answers: Answering) -> None:
        for answer in answers:
            self.answers.put(answer)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up on it is meant to."""

    def close(self) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        received = Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        self.server.received.append(received)
        self.server.asked.set()
        answer = self.server.judge(received) if self.server.answers.empty() else self.server.answers.get()
        answer(self)

    def log_message(self, *args: object) -> None:
        pass


def answering(status: int, body: bytes = b"thank you", **headers: str) -> Answering:
    def answer(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hangs(handler: Handler) -> None:
    handler.server.over.wait(PATIENCE)


def thinks_before_it_answers(seconds: float) -> Answering:
    """Before its first byte, and once more before the last."""

    def answer(handler: Handler) -> None:
        handler.server.over.wait(seconds)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthank ")
        handler.server.over.wait(seconds)
        handler.wfile.write(b"you")

    return answer


def hangs_up(handler: Handler) -> None:
    handler.close_connection = True


def drips_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _drip(handler)


def drips_the_body(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    _drip(handler)


def _drip(handler: Handler) -> None:
    end = monotonic() + PATIENCE
    while monotonic() < end and not handler.server.over.wait(0.02):
        handler.wfile.write(b"x")
