"""The guide's examples verify what the shop sends, and nothing else."""

import re
import time
from typing import Any

import pytest

from bookshelf_site.webhooks import signing
from tests.conftest import ROOT

EXAMPLES = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/webhooks.md").read_text(), re.MULTILINE | re.DOTALL)
SECRET, OTHER = (signing.secret_of(signing.drawn()) for _ in range(2))
BODY = b'{"type": "orders.order_shipped"}'


@pytest.fixture(params=["verified", "verified_by_hand"])
def verified(request):
    names: dict[str, Any] = {}
    for example in EXAMPLES:
        exec(example, names)
    return names[request.param]


def headers(*secrets, age=0):
    return signing.signed_headers(
        message_id="msg_1", timestamp=int(time.time()) - age, body=BODY, with_secrets=[*secrets]
    )


@pytest.mark.parametrize("secrets", [(SECRET,), (OTHER, SECRET), (SECRET, OTHER)])
def test_what_the_shop_sends_is_verified(verified, secrets):
    assert verified(signing.shown(SECRET), headers(*secrets), BODY) == {"type": "orders.order_shipped"}


@pytest.mark.parametrize(
    ("given", "body"),
    [(headers(OTHER), BODY), (headers(SECRET), BODY + b" "), (headers(SECRET, age=3600), BODY)],
    ids=["another secret", "another body", "long ago"],
)
def test_what_somebody_else_sends_is_not(verified, given, body):
    with pytest.raises(Exception, match=r"(?i)signature|signed|too old"):
        verified(signing.shown(SECRET), given, body)
