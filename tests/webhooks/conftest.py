import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookshelf_site.webhooks import signing
from bookshelf_site.webhooks.models import SigningSecret, Webhook
from bookshelf_site.webhooks.services import add_webhook
from tests.webhooks.listening import Listener

resolve = socket.getaddrinfo


@pytest.fixture
def private(settings: Any) -> None:
    """A webhook may lead to this machine."""
    settings.WEBHOOKS_ALLOW_PRIVATE = True


@pytest.fixture
def listen() -> Iterator[Callable[..., Listener]]:
    """Makes a program that listens until the test ends."""
    listeners: list[Listener] = []

    def start(*args: Any, **kwargs: Any) -> Listener:
        listeners.append(Listener(*args, **kwargs))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()


@pytest.fixture
def listener(listen: Callable[..., Listener], private: None) -> Listener:
    return listen()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """`names["hooks.test"] = [["10.0.0.1"], ["10.0.0.2"]]`: what the name is resolved to, one time after the other."""
    known: dict[str, list[list[str]]] = {}

    def getaddrinfo(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        if host not in known:
            return resolve(host, port, *args, **kwargs)
        addresses = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
        family = {False: socket.AF_INET, True: socket.AF_INET6}
        return [(family[":" in one], socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.fixture
def later(time_machine: Any) -> Callable[..., None]:
    """`later(seconds=60)`: so much time has passed."""
    time_machine.move_to(datetime.now(UTC))
    return lambda **span: time_machine.shift(timedelta(**span))


@pytest.fixture
def told(listener: Listener, db: None) -> Webhook:
    """A webhook that is told of all orders and books."""
    return add_webhook(url=listener.url, event_types=["orders.*", "catalog.*", "inventory.*"])


def secret_of(webhook: Webhook) -> str:
    return signing.shown(SigningSecret.objects.get(webhook=webhook, expires_at=None).secret)
