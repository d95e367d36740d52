"""Mail without a mail server: printed where the shop runs, to be read by people."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from email.header import decode_header, make_header
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from bookshelf_site.logs import masked

WIDTH: Final = 78
AT_HOME: Final = {"127.0.0.1", "localhost", "::1"}


class EmailBackend(BaseEmailBackend):
    """Prints the text of each mail, once and whole; the HTML part says the same."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        # one write each: several threads and processes print to the same place
        for message in email_messages:
            sys.stdout.write(_printed(message))
            sys.stdout.flush()
        return len(email_messages)


def _printed(message: EmailMessage) -> str:
    to = ", ".join(str(make_header(decode_header(address))) for address in message.to)
    head = f"To: {to}\nSubject: {message.subject}"
    letter = f"{'─' * WIDTH}\n{head}\n\n{str(message.body).strip()}\n{'─' * WIDTH}\n"
    return letter if _is_at_home() else masked(letter)


def _is_at_home() -> bool:
    """Only whoever sits at this machine can open the shop: then the link to an order is no secret in its console."""
    return urlsplit(settings.PUBLIC_URL).hostname in AT_HOME
