"""Standard Webhooks 1.0: how a message is signed, so that whoever gets it knows that the shop has sent it, and when.

A secret is not kept. It is derived from SECRET_KEY and a random text in the database, so that a copy of the database
alone signs nothing. A fingerprint tells whether SECRET_KEY is still the one that it was derived from.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

PREFIX: Final = "whsec_"
VERSION: Final = "v1"
SALT: Final = "bookshelf.webhooks.signing"


class SecretIsLost(Exception):
    """SECRET_KEY has changed since this webhook's secret was made: rotate the secret."""

    def __str__(self) -> str:
        return str(type(self).__doc__)


def drawn() -> str:
    """256 random bits of which a secret can be made."""
    return secrets.token_hex(32)


def fingerprint(secret: bytes) -> str:
    """By this a secret is known again, and can't be had back."""
    return hashlib.sha256(secret).hexdigest()


def secret_of(seed: str, *, known_by: str = "") -> bytes:
    """The 32 bytes that belong to the seed. Raises SecretIsLost if they are not those of the fingerprint any more."""
    for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        secret: bytes = salted_hmac(SALT, seed, secret=key, algorithm="sha256").digest()
        if not known_by or constant_time_compare(fingerprint(secret), known_by):
            return secret
    raise SecretIsLost


def shown(secret: bytes) -> str:
    """As the secret is handed over: `whsec_` and base64."""
    return PREFIX + base64.b64encode(secret).decode()


def signed_headers(*, message_id: str, timestamp: int, body: bytes, with_secrets: Sequence[bytes]) -> dict[str, str]:
    """The three headers of a message with exactly this body; one signature for each secret that is still good."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(secret, content) for secret in with_secrets),
    }


def _signature(secret: bytes, content: bytes) -> str:
    return f"{VERSION},{base64.b64encode(hmac.digest(secret, content, 'sha256')).decode()}"
