import json
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth.models import Group

from bookshelf_site.access import limits
from bookshelf_site.access.models import ApiKey
from bookshelf_site.access.services import create_api_key, draw_requests
from tests.racing import race

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def answers(api, count):
    return [api.get("/books") for _ in range(count)]


def statuses(api, count):
    return [response.status_code for response in answers(api, count)]


def another_process():
    """What was drawn is another's: this one has just started."""
    limits._purses.clear()


@pytest.fixture
def limit(settings):
    """Sets the limit, of which nothing is used up yet."""

    def to(rate):
        settings.API_RATE_LIMIT = rate
        ApiKey.objects.update(window=0, handed_out=0)
        another_process()

    yield to
    another_process()


@pytest.mark.django_db
def test_a_key_may_make_so_many_requests_in_a_window_and_is_then_told_to_wait(api, limit):
    limit("3/m")

    with time_machine.travel(NOON, tick=False) as clock:
        clock.shift(13)
        allowed, refused = statuses(api, 3), answers(api, 1)[0]
        clock.shift(int(refused.headers["Retry-After"]))
        after = statuses(api, 4)

    assert allowed == [200] * 3
    assert (refused.status_code, refused.json()["code"], refused.headers["Retry-After"]) == (429, "rate_limited", "47")
    assert after == [200, 200, 200, 429]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rate", "second", "retry_after"), [("1/s", 0.25, "1"), ("1/h", 60, "3540"), ("1/d", 0, "43200")]
)
def test_a_window_is_a_second_a_minute_an_hour_or_a_day_of_the_clock(api, limit, rate, second, retry_after):
    limit(rate)

    with time_machine.travel(NOON, tick=False) as clock:
        clock.shift(second)
        refused = answers(api, 2)[1]

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, retry_after)


@pytest.mark.django_db
def test_each_key_has_a_limit_of_its_own(api_of, limit):
    programs = [api_of("Manager"), api_of("Read-only")]
    limit("1/d")

    assert [statuses(program, 2) for program in programs] == [[200, 429]] * 2


@pytest.mark.django_db
def test_without_a_limit_there_is_none(api, limit):
    limit("")

    assert statuses(api, 30) == [200] * 30


@pytest.mark.django_db
def test_a_request_that_is_refused_for_want_of_a_right_counts_too(api_of, limit):
    api = api_of("Read-only")
    limit("1/d")

    assert [api.post("/books", {"title": "Emma"}).status_code for _ in range(2)] == [403, 429]


@pytest.mark.django_db
def test_only_drawing_a_block_writes(api, limit, django_assert_num_queries):
    limit("6000/d")
    api.get("/books")

    with django_assert_num_queries(2 * 300) as queries:
        statuses(api, 300)

    assert all(query["sql"].startswith("SELECT") for query in queries)


@pytest.mark.django_db
def test_who_is_refused_writes_nothing_and_asks_no_row(api, limit, django_assert_num_queries):
    limit("1/d")
    statuses(api, 2)

    with django_assert_num_queries(1):
        assert statuses(api, 1) == [429]


@pytest.mark.django_db
def test_processes_share_the_limit(api, limit):
    limit("20/d")

    seen: list[int] = []
    for _ in range(10):
        another_process()
        seen += statuses(api, 3)

    assert Counter(seen) == {200: 20, 429: 10}


@pytest.mark.django_db
def test_blocks_get_smaller_as_the_window_runs_out_and_are_never_more_than_the_limit(api):
    key = ApiKey.objects.get()

    drawn = [draw_requests(key_id=key.pk, limit=6000, window=60) for _ in range(200)]

    assert drawn[:3] == [375, 351, 329]
    assert sum(block or 0 for block in drawn) == 6000
    assert [block for block in drawn if block][-1] == 1
    assert drawn[-1] == 0


@pytest.mark.django_db
@pytest.mark.parametrize(("later", "block"), [(60, 1), (-60, 0), (-24 * 3600 - 1, 1)])
def test_a_new_window_begins_anew_and_a_clock_that_is_behind_gets_nothing_more(api, later, block):
    key = ApiKey.objects.get()
    now = 1_700_000_000
    draw_requests(key_id=key.pk, limit=1, window=now)

    assert draw_requests(key_id=key.pk, limit=1, window=now + later) == block


@pytest.mark.django_db(transaction=True)
def test_threads_share_the_limit(api, limit):
    limit("50/d")
    secret = api.defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    limits._purses.clear()
    ApiKey.objects.update(window=0, handed_out=0)

    seen = race([lambda: statuses(type(api)(secret), 10)] * 8)

    assert Counter(status for each in seen for status in each) == {200: 50, 429: 30}


@pytest.mark.django_db(transaction=True)
def test_the_processes_of_a_server_never_allow_more_than_the_limit(start, port):
    _, secret = create_api_key(name="till", group=Group.objects.get(name="Read-only"))
    start(API_RATE_LIMIT="60/d", WEB_CONCURRENCY="3")

    def ask(_):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/books", headers={"Authorization": f"Bearer {secret}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=180) as response:
                return response.status
        except urllib.error.HTTPError as refused:
            return json.load(refused)["code"]

    with ThreadPoolExecutor(8) as pool:
        seen = Counter(pool.map(ask, range(120)))

    assert seen.keys() == {200, "rate_limited"}
    # what a process keeps of its block when the others are refused: at most two blocks of three requests
    assert 54 <= seen[200] <= 60
