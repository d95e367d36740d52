import random
from itertools import chain
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.core.signing import Signer
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookshelf_site import words
from catalog.models import Book, BookDetails
from catalog.services import add_to_catalog, edit

pytestmark = pytest.mark.django_db


def add(*titles):
    return [add_to_catalog(BookDetails(title=title), opening_stock=0) for title in titles]


def page(api, url):
    response = api.get(url)
    assert response.status_code == 200, response.content
    return response.json()


def titles(page):
    return [book["title"] for book in page["results"]]


def walk(api, url, link="next"):
    """Everything from here on, page by page."""
    listed = []
    while url:
        here = page(api, url)
        listed.append(titles(here))
        url = here[link]
    return listed


def test_a_short_list_is_one_page(api):
    add("a", "b")

    assert page(api, "/books?limit=2")["next"] is None
    assert page(api, "/books")["previous"] is None


def test_an_empty_list_is_an_empty_page(api):
    assert page(api, "/books") == {"results": [], "next": None, "previous": None}


def test_pages_follow_each_other_there_and_back(api):
    add(*"gfedcba")

    forth = walk(api, "/books?limit=3")
    last = page(api, page(api, page(api, "/books?limit=3")["next"])["next"])
    back = walk(api, last["previous"], "previous")

    assert forth == [["a", "b", "c"], ["d", "e", "f"], ["g"]]
    assert back == [["d", "e", "f"], ["a", "b", "c"]]


def test_a_page_reached_backwards_goes_on_forwards(api):
    add(*"abcd")
    second = page(api, page(api, "/books?limit=2")["next"])

    first = page(api, second["previous"])

    assert (titles(first), first["previous"]) == (["a", "b"], None)
    assert titles(page(api, first["next"])) == ["c", "d"]


@pytest.mark.parametrize("sort", ["title", "-title", "-author"])
def test_what_has_a_common_word_is_paged_there_and_back(api, monkeypatch, sort):
    monkeypatch.setattr(words, "COMMON", 0)
    add("the b", "the a", "one", "the c", "the b", "the d", "the b", "a", "z")
    first = f"/books?q=the&limit=2&sort={sort}"

    forth = walk(api, first)
    last = page(api, page(api, page(api, first)["next"])["next"])
    back = walk(api, last["previous"], "previous")

    assert [len(titles) for titles in forth] == [2, 2, 2]
    assert list(chain.from_iterable(forth)) == titles(page(api, f"/books?q=the&sort={sort}"))
    assert back == forth[1::-1]


def test_a_page_of_what_has_a_common_word_is_one_query(api, monkeypatch):
    monkeypatch.setattr(words, "COMMON", 0)
    add("the b", "the a", "one")

    with CaptureQueriesContext(connection) as queries:
        page(api, "/books?q=the")

    assert sum("ORDER BY" in query["sql"] and "LIMIT 51" in query["sql"] for query in queries) == 1


@pytest.mark.parametrize("sort", ["title", "-title", "price", "-price", "created_at", "-created_at"])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_rows_of_equal_keys_appear_once_each(api, sort, limit):
    books = add(*["same"] * 11)

    url, seen = f"/books?sort={sort}&limit={limit}", []
    while url:
        here = page(api, url)
        seen += [book["id"] for book in here["results"]]
        url = here["next"]

    assert len(seen) == 11
    assert set(seen) == {str(book.pk) for book in books}


def test_what_comes_and_goes_meanwhile_neither_hides_nor_repeats_what_stays(api):
    chance = random.Random(7)
    stay = set("bdfhjlnprt")
    add(*stay)

    url: str | None = "/books?limit=2"
    listed: list[str] = []
    number = 0
    while url:
        here = page(api, url)
        listed += titles(here)
        for _ in range(3):
            number += 1
            book = add(f"{chance.choice('abcdefghijklmnopqrstuvwxyz')} {number}")[0]
            if chance.random() < 0.5:
                edit(book_id=book.pk, details=BookDetails(title=f"{chance.choice('abcxyz')} {number}"), price=None)
        url = here["next"] if number < 200 else None

    assert sorted(title for title in listed if title in stay) == sorted(stay)


def test_a_page_that_has_emptied_meanwhile_still_leads_back(api):
    books = add("a", "b", "c")
    first = page(api, "/books?limit=2")
    edit(book_id=books[2].pk, details=BookDetails(title="0"), price=None)

    beyond = page(api, first["next"])

    assert (titles(beyond), beyond["next"]) == ([], None)
    assert titles(page(api, beyond["previous"])) == ["a", "b"]


def test_a_page_before_the_first_leads_on(api):
    books = add("a", "b", "c")
    second = page(api, page(api, "/books?limit=1")["next"])
    edit(book_id=books[0].pk, details=BookDetails(title="z"), price=None)

    before = page(api, second["previous"])

    assert (titles(before), before["previous"]) == ([], None)
    assert titles(page(api, before["next"])) == ["b"]


def test_links_keep_the_filters(api):
    add("cat one", "cat two", "dog")

    link = page(api, "/books?q=cat&limit=1&status=active")["next"]

    assert link.startswith("http://127.0.0.1:8000/api/v1/books?")
    query = parse_qs(urlsplit(link).query)
    assert (query["q"], query["limit"], query["status"]) == (["cat"], ["1"], ["active"])
    assert walk(api, link) == [["cat two"]]


def cursor_of(url):
    return parse_qs(urlsplit(url).query)["cursor"][0]


def forged():
    return Signer(salt="page:/api/v1/books:").sign_object(["next", False, "a", "b"])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda cursor: "",
        lambda cursor: cursor[:-1],
        lambda cursor: f"x{cursor}",
        lambda cursor: forged(),
        lambda cursor: "eyJhIjoxfQ:1:2",
        lambda cursor: "\x00",
        lambda cursor: "é",
    ],
)
def test_a_cursor_that_was_not_handed_out_is_refused(api, spoil):
    add("a", "b")
    cursor = spoil(cursor_of(page(api, "/books?limit=1")["next"]))

    response = api.get(f"/books?{urlencode({'limit': 1, 'cursor': cursor})}")

    assert response.status_code == 422
    assert [mistake["pointer"] for mistake in response.json()["errors"]] == ["query/cursor"]


@pytest.mark.parametrize("other", ["/books?sort=-title", "/books?sort=price", "/stock", "/orders"])
def test_a_cursor_of_another_list_or_order_is_refused(api, other):
    add("a", "b")
    cursor = cursor_of(page(api, "/books?limit=1")["next"])

    response = api.get(f"{other}{'&' if '?' in other else '?'}cursor={cursor}")

    assert response.status_code == 422
    assert [mistake["pointer"] for mistake in response.json()["errors"]] == ["query/cursor"]


@pytest.mark.parametrize("limit", ["0", "-1", "201", "1.5", "1.0", "1_0", "+1", "many", ""])
def test_a_page_has_1_to_200_rows(api, limit):
    response = api.get(f"/books?{urlencode({'limit': limit})}")

    assert response.status_code == 422
    assert [mistake["pointer"] for mistake in response.json()["errors"]] == ["query/limit"]


def test_a_page_has_fifty_rows_unless_asked(api):
    Book.objects.bulk_create([Book(title=f"{number:03}") for number in range(51)])

    assert [len(results) for results in walk(api, "/books")] == [50, 1]
    assert [len(results) for results in walk(api, "/books?limit=200")] == [51]


def test_a_link_to_the_next_page_fits_a_request_line_whatever_is_looked_for_and_found(api):
    rare = "".join(chr(0x20000 + number) for number in range(200))
    add(rare, rare)

    link = page(api, f"/books?{urlencode({'limit': 1, 'sort': '-title', 'q': rare[:100]})}")["next"]

    assert len(link) < 4_000
    assert titles(page(api, link)) == [rare]
