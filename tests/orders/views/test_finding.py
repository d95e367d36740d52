"""Send me my link, as a browser sees it: whoever asks learns nothing but what they know."""

import statistics
import time

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orders.finding import PER_ADDRESS, answer_link_requests
from orders.models import LinkRequest
from tests import states
from tests.desk import Desk, Page
from tests.effort import IS_THOROUGH
from tests.given import raised

pytestmark = pytest.mark.django_db

FIND = "/orders/find/"
UNKNOWN = "000000000"  # its check character is right


def ask(client, number, email="alice@example.com"):
    return client.post(FIND, {"number": number, "email": email})


def without_its_own(headers):
    return {name: value for name, value in headers.items() if name != "X-Request-ID"}


def test_the_link_is_sent_to_who_knows_number_and_address():
    order = states.placed()
    browser = Desk(enforce_csrf_checks=True)
    [form] = browser.open(FIND).forms

    response = browser.post(
        FIND, form.values | {"number": order.number.lower(), "email": "Alice@example.com"}, follow=True
    )

    assert "Look into your mail" in Page(response.content.decode()).text
    assert [found.pk for found in answer_link_requests()] == [order.pk]
    assert raised("orders.link_requested") == 1


def test_the_answer_is_the_same_whether_there_is_such_an_order_or_not(client):
    order = states.placed()

    answers = [ask(client, order.number), ask(client, order.number, "eve@example.com"), ask(client, UNKNOWN)]

    assert [(answer.status_code, answer.content, without_its_own(answer.headers)) for answer in answers[1:]] == [
        (answers[0].status_code, answers[0].content, without_its_own(answers[0].headers))
    ] * 2
    assert answers[0].headers["Location"] == "/orders/find/sent/"


def test_the_answer_takes_the_same_number_of_queries(client):
    def queries(number):
        with CaptureQueriesContext(connection) as asked:
            ask(client, number, f"{number}@example.com")
        return len(asked)

    assert queries(states.placed().number) == queries(UNKNOWN)


def test_a_mistyped_number_is_told_at_once(client):
    response = ask(client, "00000000A")

    page = Page(response.content.decode())
    assert response.status_code == 422
    assert "This is no order number." in page.text
    assert 'value="00000000A"' in page.html
    assert 'aria-invalid="true"' in page.html
    assert not LinkRequest.objects.exists()


@pytest.mark.parametrize(
    "given", [{}, {"number": "", "email": ""}, {"number": "\0", "email": "\0"}, {"number": "x" * 99}]
)
def test_what_can_not_be_read_is_told_at_the_field(client, given):
    response = client.post(FIND, given)

    assert response.status_code == 422
    assert not LinkRequest.objects.exists()


@time_machine.travel("2026-11-23 09:45:00+00:00", tick=False)
def test_the_sixth_request_within_the_hour_is_refused(client):
    for _ in range(PER_ADDRESS):
        assert ask(client, UNKNOWN).status_code == 303

    response = ask(client, UNKNOWN)

    assert response.status_code == 429
    assert response.headers["Retry-After"] == "900"
    assert "Try again in 15 minutes." in Page(response.content.decode()).text
    assert LinkRequest.objects.count() == PER_ADDRESS


def test_the_form_of_another_site_is_refused():
    assert ask(Client(enforce_csrf_checks=True), UNKNOWN).status_code == 403


def test_no_cache_keeps_the_form(client):
    assert "no-store" in client.get(FIND).headers["Cache-Control"]


@pytest.mark.parametrize(
    ("language", "heading"), [("de", "Ihre Bestellung finden"), ("fr-CH", "Retrouver votre commande")]
)
def test_the_browsers_language_is_spoken(client, language, heading):
    response = client.get(FIND, headers={"Accept-Language": language})

    assert heading in Page(response.content.decode()).text


ROUNDS = 400 if IS_THOROUGH else 40


def seconds(act):
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def ratio_of_medians(one, other, rounds=ROUNDS):
    """How much longer one takes than the other, each in turn with the other, so that what else runs hits both."""
    for act in (one, other) * 3:
        act()
    pairs = [(seconds(one), seconds(other)) for _ in range(rounds)]
    return statistics.median(a for a, _ in pairs) / statistics.median(b for _, b in pairs)


def same(measured, *, within=1.25):
    """A machine that does other things too may be uneven once, but not three times over."""
    return any(1 / within < measured() < within for _ in range(3))


@pytest.fixture
def unthrottled(monkeypatch):
    monkeypatch.setattr("orders.finding.PER_ADDRESS", 10**6)
    monkeypatch.setattr("orders.finding.PER_CLIENT", 10**6)


@pytest.mark.usefixtures("unthrottled")
def test_asking_takes_the_same_time_whether_there_is_such_an_order_or_not(client):
    order = states.placed()

    assert same(lambda: ratio_of_medians(lambda: ask(client, order.number), lambda: ask(client, UNKNOWN)))


def test_a_wrong_token_takes_the_same_time_however_it_is_wrong(client):
    order = states.placed()
    near = order.token[:-1] + ("A" if order.token[-1] != "A" else "B")

    assert same(lambda: ratio_of_medians(lambda: client.get(f"/o/{near}/"), lambda: client.get(f"/o/{'x' * 43}/")))
    assert same(lambda: ratio_of_medians(lambda: client.get("/o/short/"), lambda: client.get(f"/o/{'x' * 43}/")))


@pytest.mark.usefixtures("unthrottled")
def test_a_difference_in_time_would_be_noticed(client):
    """As it would be if the link were sent before the answer."""
    order = states.placed()

    def ask_eagerly():
        ask(client, order.number)
        answer_link_requests()

    assert ratio_of_medians(ask_eagerly, lambda: ask(client, UNKNOWN), rounds=15) > 1.25
