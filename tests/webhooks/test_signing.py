import base64
import time
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from bookshelf_site.webhooks import signing

BODY = '{"name":"Brontë"}'.encode()


def headers(*secrets, at=None, body=BODY):
    return signing.signed_headers(
        message_id="msg_1", timestamp=int(at or time.time()), body=body, with_secrets=[*secrets]
    )


def test_the_reference_library_verifies_it():
    secret = signing.secret_of(signing.drawn())

    assert Verifier(signing.shown(secret)).verify(BODY, headers(secret)) == {"name": "Brontë"}


def test_it_signs_as_the_reference_library_does():
    secret, at = signing.secret_of("seed"), datetime(2026, 11, 23, 9, 30, tzinfo=UTC)

    expected = Verifier(signing.shown(secret)).sign("msg_1", at, BODY.decode())

    assert headers(secret, at=at.timestamp()) == {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": expected,
    }


@pytest.mark.parametrize("change", [{"webhook-id": "msg_2"}, {"webhook-timestamp": str(int(time.time()) - 1)}])
def test_nothing_of_it_can_be_changed(change):
    secret = signing.secret_of(signing.drawn())
    verifier = Verifier(signing.shown(secret))

    with pytest.raises(WebhookVerificationError):
        verifier.verify(BODY, headers(secret) | change)
    with pytest.raises(WebhookVerificationError):
        verifier.verify(BODY + b" ", headers(secret))


def test_with_two_secrets_whoever_has_either_is_content():
    old, new = signing.secret_of(signing.drawn()), signing.secret_of(signing.drawn())
    signed = headers(new, old)

    assert signed["webhook-signature"].count("v1,") == 2
    assert Verifier(signing.shown(old)).verify(BODY, signed)
    assert Verifier(signing.shown(new)).verify(BODY, signed)
    with pytest.raises(WebhookVerificationError):
        Verifier(signing.shown(signing.secret_of(signing.drawn()))).verify(BODY, signed)


def test_a_secret_has_the_form_that_the_standard_asks_for():
    shown = signing.shown(signing.secret_of(signing.drawn()))

    assert shown.startswith("whsec_")
    assert 24 <= len(base64.b64decode(shown.removeprefix("whsec_"), validate=True)) <= 64


def test_the_database_alone_does_not_give_a_secret_away(settings):
    seed = signing.drawn()
    secret = signing.secret_of(seed)

    settings.SECRET_KEY = "another shop's"

    assert signing.secret_of(seed) != secret
    with pytest.raises(signing.SecretIsLost):
        signing.secret_of(seed, known_by=signing.fingerprint(secret))


def test_a_former_key_of_the_site_still_makes_it(settings):
    seed = signing.drawn()
    secret = signing.secret_of(seed)

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new one", [settings.SECRET_KEY]

    assert signing.secret_of(seed, known_by=signing.fingerprint(secret)) == secret
