"""A mail server in a thread: keeps what it takes, and answers as it is told to."""

from __future__ import annotations

import asyncio
import email
import socket
from collections import Counter
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

OK = "250 OK"


class MailServer:
    """`answers` are given to the next mails, one each: to DATA a reply, "drop" or "drop after"; then all is well."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.answers: list[str] = []
        self.refused: dict[str, str] = {}
        self.recipients: list[str] = []
        self.rambles_at_quit = False
        self.url = ""

    @property
    def ids(self) -> list[str]:
        return [str(mail["Message-ID"]) for mail in self.mails]

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]

    def copies(self) -> Counter[str]:
        return Counter(self.ids)

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802  # aiosmtpd looks for this name
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return OK

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd looks for this name
        answer = self.answers.pop(0) if self.answers else OK
        if answer in (OK, "drop after"):
            parsed = email.message_from_bytes(envelope.content, policy=default)
            assert isinstance(parsed, EmailMessage)
            self.mails.append(parsed)
            self.recipients += envelope.rcpt_tos
        if answer.startswith("drop"):
            cut(server)
            return "421 gone"
        return answer

    async def handle_QUIT(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd looks for this name
        # longer than a client will read: it takes that for an error
        return "221 " + ("so long " * 2_000 if self.rambles_at_quit else "bye")


def cut(server: SMTP) -> None:
    transport: Any = server.transport
    transport.abort()


class QuietController(Controller):
    """On a port of its own; what was cut on purpose is no news."""

    def factory(self) -> SMTP:
        return SMTP(self.handler, hostname="mail.example", enable_SMTPUTF8=False)

    def _run(self, *args: Any, **kwargs: Any) -> None:
        self.loop.set_exception_handler(lambda loop, context: None)
        super()._run(*args, **kwargs)


def start(server: MailServer, port: int | None = None) -> QuietController:
    loop = asyncio.new_event_loop()
    controller = QuietController(server, hostname="127.0.0.1", port=port or free_port(), loop=loop)
    controller.start()
    return controller


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
