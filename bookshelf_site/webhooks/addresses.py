"""Where a webhook may lead: by HTTPS to the public internet, and never into the shop's own network.

A name is resolved once, and whoever connects takes the addresses that were checked: a name that has another address a
moment later leads nowhere new.
"""

from __future__ import annotations

import re
import socket
import threading
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from queue import Empty, SimpleQueue
from typing import Final
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from bookshelf_site.errors import InvalidValue

URL_LENGTH: Final = 2000
SECONDS_TO_RESOLVE: Final = 5.0
PORTS: Final = {"https": 443, "http": 80}

Address = IPv4Address | IPv6Address


def _networks(*texts: str) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in texts)


NOT_PUBLIC: Final = _networks(
    # IPv4: IANA's special-purpose registry (RFC 6890), multicast, and what clouds answer their own machines with
    "0.0.0.0/8",  # this network, and unspecified
    "10.0.0.0/8",
    "100.64.0.0/10",  # carrier-grade NAT
    "127.0.0.0/8",
    "169.254.0.0/16",  # link-local, and metadata
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
    "168.63.129.16/32",  # metadata
    # IPv6: of what is global unicast
    "2001::/23",  # Teredo, and other protocols' own
    "2001:db8::/32",
    "2002::/16",  # 6to4
    "3fff::/20",
)
GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""All other IPv6 is loopback, unspecified, private, link-local, multicast, or an IPv4 address in disguise."""

NOT_PUBLIC_NAMES: Final = (".localhost", ".local", ".internal", ".home.arpa", ".onion")
"""RFC 6761, 6762, 8375 and 7686, and what ICANN has set apart: never resolved, or in somebody's own network alone."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a URL leads, and at which addresses that is."""

    scheme: str
    host: str
    port: int
    netloc: str
    target: str
    addresses: tuple[str, ...]


def check(url: str) -> None:
    """Refuse what no webhook may have, as far as can be told now. Raises InvalidValue.

    A name that can't be resolved at the moment is no reason to refuse: it is resolved and checked whenever something
    is sent. What is no name of the public internet, and no address, is.
    """
    host, port = _host_and_port(_parsed(url))
    addresses = _resolved(host, port)
    _refuse_private(host, addresses)
    if not addresses and not _is_public_name(host):
        raise InvalidValue("url", f"{host} can't be resolved to an address")


def located(url: str) -> Place:
    """Where the URL leads, resolved and checked. Raises InvalidValue for what no webhook may have."""
    parts = _parsed(url)
    host, port = _host_and_port(parts)
    addresses = _resolved(host, port)
    if not addresses:
        raise InvalidValue("url", f"{host} can't be resolved to an address")
    _refuse_private(host, addresses)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(
        scheme=parts.scheme, host=host, port=port, netloc=parts.netloc, target=target, addresses=tuple(addresses)
    )


def is_public(address: Address) -> bool:
    """Is this on the public internet, and nothing that stands for an address elsewhere?"""
    if address.version == 6 and address not in GLOBAL_UNICAST:
        return False
    return not any(address in network for network in NOT_PUBLIC)


def host_of(url: str) -> str:
    """What of a URL may be told to everybody: host and port."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _parsed(url: str) -> SplitResult:
    if not re.fullmatch(rf"[!-~]{{1,{URL_LENGTH}}}", url):
        raise InvalidValue("url", f"1 to {URL_LENGTH} visible characters of ASCII; others are percent-encoded")
    try:
        parts = urlsplit(url)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        raise InvalidValue("url", "is no URL that can be read") from None
    schemes = ["https", "http"] if settings.WEBHOOKS_ALLOW_PRIVATE else ["https"]
    if parts.scheme not in schemes:
        raise InvalidValue("url", f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if "@" in parts.netloc:
        raise InvalidValue("url", "must hold no user name and no password: the signature proves who is calling")
    if not has_port or not re.fullmatch(r"[A-Za-z0-9_.-]+|[0-9A-Fa-f:.]+", parts.hostname or ""):
        raise InvalidValue("url", "must name a host, such as https://example.com/hooks; write it in its xn-- form")
    if parts.fragment:
        raise InvalidValue("url", "must have no #fragment: it would not be sent")
    return parts


def _host_and_port(parts: SplitResult) -> tuple[str, int]:
    return (parts.hostname or "").rstrip("."), parts.port or PORTS[parts.scheme]


def _refuse_private(host: str, addresses: list[str]) -> None:
    if not settings.WEBHOOKS_ALLOW_PRIVATE and not all(is_public(ip_address(address)) for address in addresses):
        raise InvalidValue("url", f"{host} is not on the public internet; a webhook leads nowhere else")


def _is_public_name(host: str) -> bool:
    """Could this be a name that the whole internet knows?"""
    return bool(re.fullmatch(r"(.+\.)+[a-z][a-z0-9-]*", host)) and not host.endswith(NOT_PUBLIC_NAMES)


def _resolved(host: str, port: int) -> list[str]:
    """The addresses of a host, in the system's order; none if it can't be told, for a resolver may fail, or hang."""
    answers: SimpleQueue[list[str]] = SimpleQueue()
    threading.Thread(target=_resolve, args=(host, port, answers), daemon=True).start()
    try:
        return answers.get(timeout=SECONDS_TO_RESOLVE)
    except Empty:
        return []


def _resolve(host: str, port: int, answers: SimpleQueue[list[str]]) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        found = []
    answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
