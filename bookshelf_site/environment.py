"""Read settings from the environment; a bad value is refused with a sentence that says what would be right."""

import ipaddress
import os
import re
import zoneinfo
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
YES = {"1", "true", "yes", "on"}
NO = {"0", "false", "no", "off", ""}
MAILBOX = r"[^\s@<>,;]+@[^\s@<>,;]+"
SECONDS_A_LOCK_IS_WAITED_FOR = 10
# Half of a delivery's lease: a frozen worker has lost its rows before anyone may claim them again.
SECONDS_A_TRANSACTION_MAY_IDLE = 15
SQLITE = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
}


def refusal(name: str, right: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {os.environ.get(name, '')!r}, but it must be {right}.")


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str) -> bool:
    given = text(name).lower()
    if given not in YES | NO:
        raise refusal(name, "1 or 0")
    return given in YES


def whole_number(name: str, default: int, *, least: int = 0, most: int = 1_000_000) -> int:
    given = text(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", given) or not least <= int(given) <= most:
        raise refusal(name, f"a whole number from {least} to {most}")
    return int(given)


def one_of(name: str, choices: Sequence[str]) -> str:
    given = text(name, choices[0])
    if given not in choices:
        raise refusal(name, f"one of {', '.join(choices)}")
    return given


def matching(name: str, pattern: str, right: str, *, default: str) -> str:
    """Only an unset variable takes the default: an empty one means "off" where the pattern allows it."""
    given = os.environ.get(name, default).strip()
    if not re.fullmatch(pattern, given):
        raise refusal(name, right)
    return given


def names(name: str) -> list[str]:
    return [item.strip() for item in text(name).split(",") if item.strip()]


def hosts(name: str) -> list[str]:
    """As Django compares them: without scheme and port. Any other would match no request, and shut everybody out."""
    given = names(name)
    if not all(re.fullmatch(r"\*|\.?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\]", host.lower()) for host in given):
        raise refusal(name, "host names separated by commas, without https:// and port, such as shop.example.com")
    return given


def mailbox(name: str) -> str:
    return _address(name, MAILBOX, text(name))


def sender(name: str, default: str) -> str:
    """An e-mail address, perhaps behind a name: `The Shop <shop@example.com>`."""
    return _address(name, rf"{MAILBOX}|[^<>\r\n]*<{MAILBOX}>", text(name, default))


def _address(name: str, pattern: str, given: str) -> str:
    if given and not re.fullmatch(pattern, given):
        raise refusal(name, "one e-mail address, such as shop@example.com")
    return given


def networks(name: str) -> list[Network]:
    try:
        return [ipaddress.ip_network(item) for item in names(name)]
    except ValueError:
        raise refusal(name, "addresses or networks separated by commas, such as 10.0.0.0/8,127.0.0.1") from None


def time_zone(name: str, default: str) -> str:
    given = text(name, default)
    try:
        zoneinfo.ZoneInfo(given)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise refusal(name, "a time zone of the IANA database, such as Europe/Berlin") from None
    return given


def site_url(name: str, default: str) -> str:
    """Scheme, host and perhaps a port, without a slash at the end."""
    given = text(name, default).rstrip("/")
    try:
        parts = urlsplit(given)
        port_is_one = parts.port is None or parts.port > 0
    except ValueError:
        port_is_one = False
    # browsers send a name with umlauts as xn--…, and ALLOWED_HOSTS is made of this one
    if not port_is_one or not given.isascii() or not re.fullmatch(r"https?://[^/?#@\s]+", given):
        raise refusal(name, "the address that customers see, such as https://shop.example.com")
    return given


def database(name: str, default: str) -> dict[str, Any]:
    """SQLite and PostgreSQL, each set up so that a committed order survives a power cut."""
    given = text(name, default)
    right = "sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME"
    try:
        # The password must not be shown, so the refusal quotes nothing of it.
        configured: dict[str, Any] = {**dj_database_url.parse(given, conn_health_checks=True)}
    except ValueError:
        raise ImproperlyConfigured(f"{name} can't be read; it must be {right}.") from None
    options = configured.setdefault("OPTIONS", {})
    match configured["ENGINE"]:
        case "django.db.backends.sqlite3":
            configured["CONN_MAX_AGE"] = 60  # to open the file anew costs more than to read an order
            options |= SQLITE
        case "django.db.backends.postgresql":
            configured["OPTIONS"] = _of_postgresql(options)
        case _:
            raise ImproperlyConfigured(f"{name} names a database that Bookshelf doesn't run on; it must be {right}.")
    return configured


def _of_postgresql(given: dict[str, Any]) -> dict[str, Any]:
    """Its options, of which the URL may give others."""
    options = {
        # what is sent a second time is planned once for each connection; a pooler of transactions may not stand that
        "prepare_threshold": 1,
        "pool": {"min_size": 1, "max_size": 20, "timeout": 10},
        "options": f"-c idle_in_transaction_session_timeout={SECONDS_A_TRANSACTION_MAY_IDLE * 1000}"
        f" -c lock_timeout={SECONDS_A_LOCK_IS_WAITED_FOR * 1000}",
        **given,
    }
    if options["prepare_threshold"] == "none":
        options["prepare_threshold"] = None
    return options


def mail(name: str) -> dict[str, Any]:
    """Django's EMAIL_ settings from one URL; without it mail is printed instead of sent."""
    given = text(name)
    if not given:
        return {"EMAIL_BACKEND": "bookshelf_site.printed_mail.EmailBackend"}
    right = "smtp://USER:PASSWORD@HOST:PORT/?tls=1, or smtps:// for TLS from the first byte"
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        raise ImproperlyConfigured(f"{name} can't be read; it must be {right}.") from None
    starttls = dict(parse_qsl(parts.query)).get("tls", "0").lower()
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or starttls not in YES | NO:
        raise ImproperlyConfigured(f"{name} can't be read; it must be {right}.")
    encrypted = parts.scheme == "smtps"
    upgraded = starttls in YES and not encrypted
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port or (465 if encrypted else 587 if upgraded else 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": encrypted,
        "EMAIL_USE_TLS": upgraded,
    }
