import json
import signal
from datetime import timedelta
from threading import Event as Moment
from threading import Thread
from uuid import UUID

import pytest
import time_machine
from django.db import connection, connections, transaction
from django.http import HttpResponse
from django.utils import timezone

from bookshelf_site.access import idempotency
from bookshelf_site.access.models import ApiKey, KeptAnswer
from bookshelf_site.api import api as the_api
from catalog.models import Book
from catalog.services import withdraw
from inventory.models import StockMovement
from orders.models import Order
from tests.given import a_book, stock
from tests.racing import race

EMMA = {"title": "Emma", "author": "Jane Austen", "price": {"amount": "12.99", "currency": "USD"}}
REPLAYED = "Idempotent-Replayed"


def keyed(value="4711"):
    return {"Idempotency-Key": value}


def refusal(response):
    return response.status_code, response.json()["code"]


def of_order(book, quantity=1):
    return {"customer_name": "Alice Johnson", "lines": [{"book_id": str(book.pk), "quantity": quantity}]}


@pytest.mark.django_db
def test_the_same_request_again_makes_nothing_more_and_gets_the_same_answer(api):
    first = api.post("/books", EMMA, headers=keyed())
    again = api.post("/books", EMMA, headers=keyed())

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.json()["available"] == 10
    assert [again.headers[name] for name in ("Location", "ETag")] == [
        first.headers[name] for name in ("Location", "ETag")
    ]
    assert (REPLAYED in first.headers, again.headers[REPLAYED]) == (False, "true")
    assert Book.objects.count() == 1


@pytest.mark.django_db
def test_a_repeated_request_gets_the_object_as_it_is_now(api):
    first = api.post("/books", EMMA, headers=keyed())
    withdraw(book_id=UUID(first.json()["id"]))

    again = api.post("/books", EMMA, headers=keyed())

    assert (again.status_code, again.json()["status"], again.headers["ETag"]) == (201, "withdrawn", '"b2-s10.0"')


@pytest.mark.django_db
def test_an_order_sent_twice_is_placed_once_and_the_link_to_its_page_is_told_again(api):
    book = a_book(copies=5)

    first = api.post("/orders", of_order(book, 2), headers=keyed())
    again = api.post("/orders", of_order(book, 2), headers=keyed())

    assert again.json() == first.json()
    assert again.json()["status_url"]
    assert Order.objects.count() == 1
    assert stock(book) == (5, 2)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body", "moved"),
    [
        ("receipts", {"quantity": 3}, (13, 0)),
        ("counts", {"counted": 7, "reason": "stocktake"}, (7, 0)),
        ("adjustments", {"change": -1, "kind": "lost", "reason": "stolen"}, (9, 0)),
    ],
)
def test_copies_move_once(api, path, body, moved):
    book = a_book(copies=10)

    answers = [api.post(f"/stock/{book.pk}/{path}", body, headers=keyed()) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201] * 3
    assert answers[1].json() == answers[0].json()
    assert stock(book) == moved
    assert StockMovement.objects.of_book(book.pk).count() == 2


@pytest.mark.django_db
def test_what_moved_nothing_is_answered_again_too(api):
    book = a_book(copies=10)

    answers = [
        api.post(f"/stock/{book.pk}/counts", {"counted": 10, "reason": "stocktake"}, headers=keyed()) for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].json() == answers[0].json()
    assert answers[1].headers[REPLAYED] == "true"


@pytest.mark.django_db
@pytest.mark.parametrize("verb", ["confirm", "ship", "cancel"])
def test_a_step_of_an_order_is_answered_again_even_when_the_order_has_gone_on(api, verb):
    order = api.post("/orders", of_order(a_book(copies=1))).json()
    if verb == "ship":
        api.post(f"/orders/{order['id']}/confirm")
    body = {"reason": "customer"} if verb == "cancel" else ""

    first = api.post(f"/orders/{order['id']}/{verb}", body, headers=keyed())
    again = api.post(f"/orders/{order['id']}/{verb}", body, headers=keyed())

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()


@pytest.mark.django_db
def test_another_body_under_the_same_key_is_refused(api):
    api.post("/books", EMMA, headers=keyed())

    assert refusal(api.post("/books", EMMA | {"author": ""}, headers=keyed())) == (422, "idempotency_key_reused")
    assert Book.objects.count() == 1


@pytest.mark.django_db
def test_a_key_is_its_callers_own_and_of_one_address(api, api_of):
    book = a_book()

    answers = [
        api.post("/books", EMMA | {"title": "One"}, headers=keyed()),
        api_of("Integration").post("/books", EMMA | {"title": "Two"}, headers=keyed()),
        api.post(f"/books/{book.pk}/withdraw", headers=keyed()),
        api.post(f"/books/{book.pk}/restore", headers=keyed()),
    ]

    assert [(answer.status_code, REPLAYED in answer.headers) for answer in answers] == [
        (201, False),
        (201, False),
        (200, False),
        (200, False),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("value", ["", "two words", "x" * 256, "é", "tab\t"])
def test_a_key_that_is_none_is_refused(api, value):
    response = api.post("/books", EMMA, headers=keyed(value))

    assert refusal(response) == (422, "validation_failed")
    assert [error["pointer"] for error in response.json()["errors"]] == ["header/Idempotency-Key"]
    assert not Book.objects.exists()


@pytest.mark.django_db
def test_a_refused_request_is_not_kept_and_may_be_tried_again(api):
    book = a_book(copies=1)

    refused = api.post("/orders", of_order(book, 2), headers=keyed())
    api.post(f"/stock/{book.pk}/receipts", {"quantity": 1})
    placed = api.post("/orders", of_order(book, 2), headers=keyed())

    assert refusal(refused) == (409, "insufficient_stock")
    assert (placed.status_code, REPLAYED in placed.headers) == (201, False)


@pytest.mark.django_db
def test_a_failure_of_ours_is_not_kept(api, monkeypatch):
    api.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr("orders.models.Order.save", lambda *args, **kwargs: 1 / 0)
        failed = api.post("/orders", of_order(a_book("Emma", copies=1)), headers=keyed())
    kept = KeptAnswer.objects.count()

    placed = api.post("/orders", of_order(Book.objects.get()), headers=keyed())

    assert (refusal(failed), kept) == ((500, "server_error"), 0)
    assert (placed.status_code, Order.objects.count()) == (201, 1)


@pytest.mark.django_db
def test_a_key_is_kept_for_a_day(api):
    first = api.post("/books", EMMA, headers=keyed())

    with time_machine.travel(timezone.now() + timedelta(hours=23, minutes=59)):
        within_a_day = api.post("/books", EMMA, headers=keyed())
    with time_machine.travel(timezone.now() + timedelta(hours=24)):
        after_a_day = api.post("/books", EMMA | {"title": "Persuasion"}, headers=keyed())
        again = api.post("/books", EMMA | {"title": "Persuasion"}, headers=keyed())

    assert within_a_day.json()["id"] == first.json()["id"]
    assert (after_a_day.status_code, after_a_day.json()["title"]) == (201, "Persuasion")
    assert again.json() == after_a_day.json()
    assert sorted(Book.objects.values_list("title", flat=True)) == ["Emma", "Persuasion"]


@pytest.mark.django_db
def test_what_is_kept_no_longer_is_forgotten_when_the_key_is_used(api):
    api.post("/books", EMMA, headers=keyed("old"))

    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        api.get("/books")

    assert not KeptAnswer.objects.exists()


@pytest.mark.django_db
def test_a_request_without_a_key_costs_no_query_more_and_keeps_nothing(api, django_assert_num_queries):
    book = a_book()

    with django_assert_num_queries(5):  # the API key, BEGIN, the book under its lock, COMMIT, the answer
        api.post(f"/books/{book.pk}/restore")

    assert not KeptAnswer.objects.exists()


@pytest.mark.django_db
def test_other_methods_do_not_mind_the_header(api):
    book = a_book()

    answers = [api.patch(f"/books/{book.pk}", {"title": title}, headers=keyed()) for title in ("One", "Two")]

    assert [answer.json()["title"] for answer in answers] == ["One", "Two"]


def test_every_post_knows_how_to_answer_again():
    for _, router in the_api._routers:
        for path in router.path_operations.values():
            for operation in path.operations:
                assert (operation.methods == ["POST"]) == bool(idempotency.answering(operation.view_func)), operation


def test_what_was_shown_once_is_not_shown_again():
    @idempotency.answered_once_by(lambda made, response: {"secret": made})
    def make() -> int:
        return 7

    how = idempotency.answering(make)

    assert how is not None
    with pytest.raises(idempotency.AlreadyCreated) as refused:
        how.read_again(7, HttpResponse())
    assert (refused.value.code, refused.value.extra) == ("already_created", {"existing_id": 7})
    assert idempotency.refusals(make) == {"idempotency_in_progress", "idempotency_key_reused", "already_created"}


# Real commits


@pytest.mark.django_db(transaction=True)
def test_sent_eight_times_at_once_it_takes_effect_once(api):
    book = a_book(copies=20)
    secret = api.defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")

    answers = race([lambda: type(api)(secret).post("/orders", of_order(book, 2), headers=keyed())] * 8)

    assert [answer.status_code for answer in answers] == [201] * 8
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted(REPLAYED in answer.headers for answer in answers) == [False] + [True] * 7
    assert (Order.objects.count(), stock(book)) == (1, (20, 2))


@pytest.mark.django_db(transaction=True)
def test_two_who_take_over_an_expired_key_at_once_make_one_thing(api):
    secret = api.defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    api.post("/books", EMMA, headers=keyed())
    KeptAnswer.objects.update(created_at=timezone.now() - timedelta(days=2))

    answers = race([lambda: type(api)(secret).post("/books", EMMA | {"title": "Persuasion"}, headers=keyed())] * 4)

    assert [answer.status_code for answer in answers] == [201] * 4
    assert Book.objects.filter(title="Persuasion").count() == 1


def hold_the_first(key_id, path, held, let_go):
    """A first request that has claimed its key and isn't through yet."""
    try:
        with transaction.atomic():
            KeptAnswer.objects.create(
                key_id=key_id, request=f"POST {path}", idempotency_key="4711", body_hash="0" * 64, made=None
            )
            held.set()
            let_go.wait(60)
    finally:
        connections.close_all()


@pytest.mark.django_db(transaction=True)
def test_who_is_second_waits_for_the_first_but_not_for_ever(api, monkeypatch):
    monkeypatch.setattr(idempotency, "SECONDS_THE_FIRST_IS_WAITED_FOR", 1)
    key, held, let_go = ApiKey.objects.get(), Moment(), Moment()
    first = Thread(target=hold_the_first, args=(key.pk, "/api/v1/books", held, let_go))
    first.start()
    held.wait(60)

    response = api.post("/books", EMMA, headers=keyed())

    let_go.set()
    first.join()
    assert refusal(response) == (409, "idempotency_in_progress")
    assert response.headers["Retry-After"] == "1"
    assert not Book.objects.exists()
    assert patience() == normal_patience()


def patience():
    """How long the connection waits for a lock, in milliseconds."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            return cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute("SELECT setting::int FROM pg_settings WHERE name = 'lock_timeout'")
        return cursor.fetchone()[0]


def normal_patience():
    return 20_000 if connection.vendor == "sqlite" else 10_000


@pytest.mark.django_db(transaction=True)
def test_what_follows_waits_as_long_as_ever(api):
    api.post("/books", EMMA, headers=keyed())

    assert patience() == normal_patience()


KILLED = """
import json, os, signal, sys
import django
django.setup()
from django.test import Client
from bookshelf_site.access import idempotency

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

{sabotage}
secret, body = sys.argv[1:]
Client(SERVER_NAME="localhost").post(
    "/api/v1/orders", body, content_type="application/json",
    headers={{"Authorization": f"Bearer {{secret}}", "Idempotency-Key": "4711"}},
)
"""

BEFORE_THE_COMMIT = """
from bookshelf_site.access.models import KeptAnswer
KeptAnswer.save = die
"""

AFTER_THE_COMMIT = """
from orders.api.schemas import PlacedOrderOut
PlacedOrderOut.of = die
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("sabotage", "placed"), [(BEFORE_THE_COMMIT, 0), (AFTER_THE_COMMIT, 1)])
def test_a_process_that_dies_before_it_answers_leaves_all_or_nothing_and_a_retry_is_right(
    api, nursery, tmp_path, sabotage, placed
):
    book = a_book(copies=5)
    secret = api.defaults["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    body = json.dumps(of_order(book, 2))

    program = tmp_path / "killed.py"
    program.write_text(KILLED.format(sabotage=sabotage))
    child = nursery().run(str(program), secret, body)
    left = Order.objects.count()
    response = api.post("/orders", body, headers=keyed())

    assert child.returncode == -signal.SIGKILL
    assert left == placed
    assert (response.status_code, response.headers.get(REPLAYED)) == (201, "true" if placed else None)
    assert (Order.objects.count(), stock(book)) == (1, (5, 2))
