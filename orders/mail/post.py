"""Sending a letter: its headers, and what the mail server's answer means."""

from __future__ import annotations

import random
import re
import smtplib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import formataddr, parseaddr
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.validators import validate_email
from django.utils.encoding import punycode

from bookshelf_site.events import DomainEvent, RetryAfter
from bookshelf_site.events.models import Delivery
from bookshelf_site.printed_mail import EmailBackend as Printer
from inventory.notices import PRINTED, SENT, Mailed, failed
from orders.mail.letters import Letter, one_line

TRIES: Final = 70
"""So often, in about a day, a letter is tried while the server can't take it."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 1800.0
LONGEST_REASON: Final = 300


class Refused(Exception):
    """The mail server will never take this letter to this address."""


class Unreachable(Exception):
    """The mail server can't be reached, or can't take the letter now."""


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """To whom a letter goes, and by which id the world knows it."""

    name: str
    address: str
    id: UUID
    thread: str = ""


def post(letter: Letter, envelope: Envelope, *, event: DomainEvent) -> Mailed:
    """Send it: SENT or PRINTED, or failed for good. Raises RetryAfter while it is worth another try."""
    try:
        return _send(_message(letter, envelope), envelope.address)
    except Refused as refused:
        return failed(str(refused))
    except Unreachable as unreachable:
        tries_left = _tries_left(event)
        if tries_left <= 0:
            return failed(str(unreachable))
        reason = str(unreachable)
    # outside the handler: what smtplib raised may quote the address, and a traceback is kept
    raise RetryAfter(_pause(TRIES - tries_left), reason)


def _tries_left(event: DomainEvent) -> int:
    """How often the delivery that is running may be tried after this time."""
    delivery = Delivery.objects.filter(event__uid=event.uid, receiver__startswith="orders.mail_").first()
    return delivery.max_attempts - delivery.attempts if delivery else TRIES - 1


def _pause(tries: int) -> float:
    """Twice as long each time, with jitter, so that a server that comes back isn't met by all at once."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(max(tries, 1) - 1, 20))
    return longest * random.uniform(0.5, 1)  # noqa: S311  # jitter, not a secret


def message_id(name: object) -> str:
    """`<name@host>`, with the host by which customers know the shop."""
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    return f"<{name}@{f'[{host}]' if ':' in host else punycode(host)}>"


def _message(letter: Letter, envelope: Envelope) -> EmailMultiAlternatives:
    """The letter with its headers. It answers what its reader has done, so there is no list to unsubscribe from."""
    headers = {
        "Message-ID": message_id(envelope.id),
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Content-Language": letter.language,
    }
    if envelope.thread:
        headers |= {"In-Reply-To": message_id(envelope.thread), "References": message_id(envelope.thread)}
    message = EmailMultiAlternatives(
        subject=letter.subject,
        body=letter.text,
        from_email=_from(),
        to=[formataddr((one_line(envelope.name), envelope.address), charset="utf-8")],
        reply_to=_reply_to(),
        headers=headers,
    )
    message.attach_alternative(letter.html, "text/html")
    return message


def _from() -> str:
    """The shop's address, under the shop's name unless it has one."""
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return formataddr((name or one_line(settings.SHOP_NAME), address))


def _reply_to() -> list[str]:
    """Where customers reach the shop, if that is an e-mail address: it may be a telephone number."""
    try:
        validate_email(settings.SHOP_CONTACT)
    except ValidationError:
        return []
    return [settings.SHOP_CONTACT]


def _send(message: EmailMultiAlternatives, address: str) -> Mailed:
    with _understood(address), _connected() as connection:
        connection.send_messages([message])
    return PRINTED if isinstance(connection, Printer) else SENT


@contextmanager
def _connected() -> Iterator[BaseEmailBackend]:
    connection = get_connection()
    try:
        connection.open()
        yield connection
    finally:
        # the letter is accepted by now, or was refused: however the goodbye goes, it isn't sent again for that
        with suppress(OSError):
            connection.close()


@contextmanager
def _understood(address: str) -> Iterator[None]:
    """Says what the server's answer means. Raises Refused, Unreachable; neither tells the address."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        raise _verdict(code, text, address) from None
    except smtplib.SMTPDataError as error:
        raise _verdict(error.smtp_code, error.smtp_error, address) from None
    except smtplib.SMTPResponseException as error:
        # the sender or the password is refused: the shop's own settings, which somebody will put right
        raise Unreachable(_reason(error.smtp_code, error.smtp_error, address)) from None
    except OSError as error:
        raise Unreachable(_without(address, f"{type(error).__name__}: {error}")) from None
    except ValueError:
        raise Refused("the address can't be written in a mail") from None


def _verdict(code: int, text: bytes | str, address: str) -> Refused | Unreachable:
    kind = Refused if code >= 500 else Unreachable
    return kind(_reason(code, text, address))


def _reason(code: int, text: bytes | str, address: str) -> str:
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    return _without(address, f"{code} {said}")


def _without(address: str, text: str) -> str:
    """The text in one line, without the customer's address and its parts: it is kept and shown."""
    parts: Sequence[str] = [address, punycode_of(address), address.partition("@")[0]]
    for part in parts:
        text = re.sub(rf"(?i)(?<![\w.]){re.escape(part)}(?![\w])", "…", text) if part else text
    return one_line(text)[:LONGEST_REASON]


def punycode_of(address: str) -> str:
    """The address as the server was told it."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{punycode(domain)}"
    except UnicodeError:
        return address
