"""One POST to a webhook: to the address that was checked, no further than there, and never for long."""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http.client import HTTPException
from threading import Timer
from time import monotonic
from typing import Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

from bookshelf_site.errors import InvalidValue
from bookshelf_site.webhooks import addresses
from bookshelf_site.webhooks.addresses import Place

SECONDS: Final = 15.0
"""From the first step of connecting to the last byte that is read."""
SECONDS_TO_CONNECT: Final = 3.0
"""And as many for TLS, at each address that is tried; none is begun after that."""
EXCERPT: Final = 2048
AGENT: Final = "Bookshelf-Webhooks/1.0"


class TimedOut(Exception):
    """The whole time was used up."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of it: a status and the beginning of the body, or why there is none."""

    status: int | None = None
    excerpt: str = ""
    error: str = ""
    duration_ms: int = 0
    retry_after: float | None = None

    @property
    def is_success(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def summary(self) -> str:
        return self.error or f"answered {self.status}"


@dataclass(frozen=True, kw_only=True)
class Received:
    status: int
    retry_after: str | None
    body: bytes


def post(url: str, *, body: bytes, headers: dict[str, str]) -> Answer:
    """Send it, and tell what came of it; raises nothing for what others do."""
    began = monotonic()
    status, excerpt, error, retry_after = None, "", "", None
    try:
        received = _exchanged(addresses.located(url), body, headers)
        status, excerpt = received.status, _as_text(received.body)
        retry_after = _seconds(received.retry_after)
        error = _redirected(status)
    except InvalidValue as refused:
        error = refused.reason
    except TimedOut:
        error = f"no complete answer within {SECONDS:g} seconds"
    except (OSError, ValueError, HTTPException, HTTPError) as failure:
        error = _said(failure)
    duration = round((monotonic() - began) * 1000)
    return Answer(status=status, excerpt=excerpt, error=error, duration_ms=duration, retry_after=retry_after)


def _exchanged(place: Place, body: bytes, headers: dict[str, str]) -> Received:
    end = monotonic() + SECONDS
    connection = _connected(place)
    # urllib3 sets it anew at each step, and it began as the time to connect; it is each read's own, so an answer that
    # drips could last for ever
    connection.timeout = 2 * SECONDS
    watch = Timer(max(0.0, end - monotonic()), _cut, [connection.sock])
    watch.daemon = True
    watch.start()
    try:
        received = _asked(connection, place, body, headers)
    except Exception:
        if monotonic() >= end:
            raise TimedOut from None
        raise
    finally:
        watch.cancel()
        connection.close()
    if monotonic() >= end:
        raise TimedOut
    return received


def _asked(connection: HTTPConnection, place: Place, body: bytes, headers: dict[str, str]) -> Received:
    sent = {
        "Host": place.netloc,
        "User-Agent": AGENT,
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    connection.request("POST", place.target, body=body, headers=sent | headers, preload_content=False)
    response = connection.getresponse()
    try:
        beginning = response.read(EXCERPT, decode_content=False)
        return Received(status=response.status, retry_after=response.headers.get("Retry-After"), body=beginning)
    finally:
        response.close()


def _connected(place: Place) -> HTTPConnection:
    """To the first of the checked addresses that answers; the name is asked for no more."""
    last_begins = monotonic() + SECONDS_TO_CONNECT
    failure: Exception = TimedOut()
    for address in place.addresses:
        connection = _connection(place, address)
        try:
            connection.connect()
        except (OSError, HTTPError) as error:
            connection.close()
            failure = error
            if monotonic() >= last_begins:
                break
        else:
            return connection
    raise failure


def _connection(place: Place, address: str) -> HTTPConnection:
    """To the address; the certificate has to be the name's."""
    if place.scheme == "http":
        return HTTPConnection(address, place.port, timeout=SECONDS_TO_CONNECT)
    return HTTPSConnection(
        address,
        place.port,
        timeout=SECONDS_TO_CONNECT,
        server_hostname=place.host,
        ssl_context=tls(),
        cert_reqs="CERT_REQUIRED",
    )


@cache
def tls() -> ssl.SSLContext:
    """Certificates are verified, and their names, by what the system trusts."""
    return ssl.create_default_context()


def _cut(connected: socket.socket) -> None:
    with suppress(OSError):
        # of the socket itself: TLS's own has to be left to the thread that is reading
        socket.socket.shutdown(connected, socket.SHUT_RDWR)


def _as_text(body: bytes) -> str:
    """Without the character that PostgreSQL can't keep."""
    return body[:EXCERPT].decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _redirected(status: int) -> str:
    return f"answered {status}, which leads elsewhere: a redirect is not followed" if 300 <= status < 400 else ""


def _said(failure: Exception) -> str:
    """In our own words: those of the libraries name addresses."""
    if isinstance(failure, ssl.SSLCertVerificationError):
        return f"its certificate is not good: {failure.verify_message}"
    if isinstance(failure, ssl.SSLError):
        return f"TLS failed: {failure.reason or 'broken off'}"
    if isinstance(failure, NewConnectionError):
        return "no connection could be made"
    if isinstance(failure, (TimeoutError, ConnectTimeoutError)):
        return "it took too long to connect"
    return f"the connection broke off ({type(failure).__name__})"


def _seconds(retry_after: str | None) -> float | None:
    """RFC 9110 §10.2.3: seconds, or a date."""
    if not retry_after:
        return None
    if re.fullmatch(r"[0-9]+", retry_after):
        return float(retry_after[:9])
    try:
        at = parsedate_to_datetime(retry_after)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
