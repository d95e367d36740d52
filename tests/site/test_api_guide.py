import json
import os
import re
import shutil
import subprocess

import pytest
from django.contrib.auth.models import Group

from bookshelf_site.access.services import create_api_key
from tests.conftest import ROOT

pytestmark = pytest.mark.heavy("sqlite")

GUIDE = (ROOT / "docs/api.md").read_text()
EXAMPLES = re.findall(r"^```sh\n(.*?)^```\n(?:^```(json|text)\n(.*?)^```\n)?", GUIDE, re.MULTILINE | re.DOTALL)
MARK = "=== the next example ==="


def agrees(shown, answered):
    """Whether an answer has all that the guide shows of it; `…` stands for anything."""
    if isinstance(shown, dict):
        return isinstance(answered, dict) and all(
            name in answered and agrees(value, answered[name]) for name, value in shown.items()
        )
    if isinstance(shown, list):
        return isinstance(answered, list) and len(shown) == len(answered) and all(map(agrees, shown, answered))
    if isinstance(shown, str) and "…" in shown:
        return re.fullmatch(re.escape(shown).replace("…", ".+"), str(answered)) is not None
    return bool(shown == answered)


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl here")
@pytest.mark.django_db(transaction=True)
def test_the_examples_do_what_they_say(live_server):
    _, secret = create_api_key(name="guide", group=Group.objects.get(name="Manager"))
    script = "\n".join(f"{example}\necho; echo '{MARK}'" for example, _, _ in EXAMPLES)

    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=os.environ | {"SHOP": live_server.url, "KEY": secret, "no_proxy": "*"},
        capture_output=True,
        text=True,
        timeout=180,
    )

    assert ran.returncode == 0, ran.stderr
    answers = ran.stdout.split(MARK)[:-1]
    assert len(answers) == len(EXAMPLES) == 9
    for (example, kind, shown), answer in zip(EXAMPLES, answers, strict=True):
        if kind == "json":
            assert agrees(json.loads(shown), json.loads(answer)), (example, answer)
        else:
            assert "\n".join(line.strip() for line in answer.strip().splitlines()) == shown.strip(), example


def test_every_example_shows_what_it_answers():
    assert all(kind for _, kind, _ in EXAMPLES)


def test_an_example_that_lies_is_found_out():
    assert not agrees({"id": "…", "available": 10}, {"id": "x", "available": 9})
    assert not agrees({"results": []}, {"results": [1]})
    assert not agrees({"url": "…/o/…/"}, {"url": "http://x/p/y/"})
    assert not agrees({"id": "…"}, {})
