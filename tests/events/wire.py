"""The wire between a process and PostgreSQL, cut where it hurts: at a COMMIT that the server has heard, or has not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Final
from urllib.parse import quote

from django.db import connection

COMMIT: Final = b"COMMIT\0"
"""In the question the statement, in the answer the tag of its completion."""


class Cut(Enum):
    BEFORE_IT_IS_HEARD = "before it is heard"
    BEFORE_IT_IS_ANSWERED = "before it is answered"


class Wire:
    """Passes everything on, in both directions, until the COMMIT with a number in `cuts` comes along."""

    def __init__(self, cuts: dict[int, Cut]) -> None:
        self.cuts = cuts
        self.commits = 0
        self.counting = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        there = connection.settings_dict
        port, name = self.listener.getsockname()[1], there["NAME"]
        account = ":".join(quote(part, safe="") for part in (there["USER"], there["PASSWORD"]) if part)
        return f"postgresql://{account}@127.0.0.1:{port}/{name}?sslmode=disable&gssencmode=disable"

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._carry, args=[client], daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with suppress(OSError), client, _server() as server:
            try:
                self._pass_questions_on(client, server)
            finally:
                # closed alone it would stay open for as long as the other thread listens to it
                server.shutdown(socket.SHUT_RDWR)

    def _pass_questions_on(self, client: socket.socket, server: socket.socket) -> None:
        muted = threading.Event()
        answers = threading.Thread(target=_pass_answers_on, args=[server, client, muted], daemon=True)
        answers.start()
        while (said := client.recv(65536)) and (cut := self._cut_at(said)) is not Cut.BEFORE_IT_IS_HEARD:
            if cut is Cut.BEFORE_IT_IS_ANSWERED:
                muted.set()
            server.sendall(said)
            if muted.is_set():
                answers.join(10)
                return

    def _cut_at(self, said: bytes) -> Cut | None:
        if COMMIT not in said:
            return None
        with self.counting:
            self.commits += 1
            return self.cuts.get(self.commits)


def _pass_answers_on(server: socket.socket, client: socket.socket, muted: threading.Event) -> None:
    """What the server answers; once muted it is only waited for."""
    with suppress(OSError):
        while said := server.recv(65536):
            if not muted.is_set():
                client.sendall(said)
            elif COMMIT in said:
                return


def _server() -> socket.socket:
    there = connection.settings_dict
    host, port = there["HOST"] or "127.0.0.1", there["PORT"] or 5432
    if not host.startswith("/"):
        return socket.create_connection((host, int(port)))
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{host}/.s.PGSQL.{port}")
    return server


@contextmanager
def wire(cuts: dict[int, Cut]) -> Iterator[Wire]:
    opened = Wire(cuts)
    try:
        yield opened
    finally:
        opened.listener.close()
