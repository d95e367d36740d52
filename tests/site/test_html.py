"""Every page that a customer may see is HTML without an error, speaks the language that it says, and runs no script."""

import re
from dataclasses import replace
from typing import Any

import html5lib
import pytest
from django.conf import settings
from django.template import loader
from django.test import Client

from tests import states

pytestmark = pytest.mark.heavy("sqlite")

LANGUAGES = [code for code, _ in settings.LANGUAGES]
OWN_SCRIPT = '<script type="module" src="/static/status.js"></script>'


def check(html, language="en"):
    """Raises what a strict reader finds wrong."""
    html5lib.HTMLParser(strict=True).parse(html)
    assert f'<html lang="{language}" dir="ltr">' in html
    assert "style=" not in html
    assert "<script" not in html.replace(OWN_SCRIPT, "")
    assert not re.search(r'(src|href)="(https?:)?//', html)
    assert len(re.findall("<h1", html)) == 1
    ids = re.findall(r' id="([^"]*)"', html)
    assert len(ids) == len(set(ids))


@pytest.mark.django_db
@pytest.mark.parametrize("state", states.STATES)
def test_an_order_in_every_state(client, state):
    check(client.get(states.STATES[state]().status_path).content.decode())


@pytest.mark.django_db
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_around_it_in_every_language(client, language):
    order = states.placed(replace(states.COLLECTED, language=language))
    asked: dict[str, Any] = {"headers": {"Accept-Language": language}}
    form = {"number": "nonsense", "email": "nonsense"}

    answers = [
        client.get(order.status_path),
        client.get(f"{order.status_path}cancel/"),
        client.get("/o/unknown/", **asked),
        client.get("/", **asked),
        client.get("/nothing", **asked),
        client.get("/orders/find/", **asked),
        client.get("/orders/find/sent/", **asked),
        client.post("/orders/find/", form, **asked),
        Client(enforce_csrf_checks=True).post("/orders/find/", form, **asked),
        client.get("/", HTTP_HOST="evil.example", **asked),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 404, 200, 404, 200, 200, 422, 403, 400]
    for answer in answers:
        check(answer.content.decode(), language)


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "429", "500"])
def test_errors_are_told_without_a_request_and_without_the_database(name):
    check(loader.render_to_string(f"{name}.html", {"shop_name": "Bookshelf", "minutes": 7}))


@pytest.mark.parametrize("wrong", ["<p><div></p>", "<ul><li></ul></main>", '<a id="x" id="x">'])
def test_an_error_would_be_noticed(wrong):
    page = loader.render_to_string("404.html", {"shop_name": "Bookshelf"}).replace("</main>", f"{wrong}</main>", 1)

    with pytest.raises(html5lib.html5parser.ParseError):
        check(page)
