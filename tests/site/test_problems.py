import json
import logging
import re

import pytest
from django.db import OperationalError
from django.test import Client

from bookshelf_site import problems
from bookshelf_site.api import api as the_api
from bookshelf_site.errors import DomainError, FieldError, RefusedToStaff
from bookshelf_site.staff.errors import WrongCode
from catalog.models import Book

EMMA = {"title": "Emma", "author": "Jane Austen", "price": None}


def refusal(response):
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"] == f"http://127.0.0.1:8000/docs/problems/{problem['code']}"
    assert problem["title"] == problems.CODES[problem["code"]].title
    return response.status_code, problem["code"]


def kinds(base):
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_every_refusal_of_the_shop_stands_in_the_catalogue_under_its_status():
    for kind in kinds(DomainError):
        if not kind.__module__.startswith("tests.") and not issubclass(kind, RefusedToStaff):
            assert (kind.code, problems.CODES[kind.code].status) == (kind.code, kind.status)


@pytest.mark.parametrize("code", problems.CODES)
def test_every_code_of_the_catalogue_is_explained(code):
    assert re.fullmatch(r"[a-z_]+", code)
    assert problems.CODES[code].text.endswith(".")


@pytest.mark.parametrize(
    ("field", "pointer"),
    [
        ("", "#"),
        ("price", "#/price"),
        ("lines/0/quantity", "#/lines/0/quantity"),
        ("query/limit", "query/limit"),
    ],
)
def test_a_mistake_points_at_its_place(field, pointer):
    assert problems.pointer(field) == pointer


@pytest.mark.parametrize(
    ("location", "field"),
    [
        (("body", "body"), ""),
        (("body", "body", "lines", 0, "quantity"), "lines/0/quantity"),
        (("body", "body", "a/b~c"), "a~1b~0c"),
        (("body", "body", "% ü\ud800"), "%25%20%C3%BC%3F"),
        (("query", "limit"), "query/limit"),
    ],
)
def test_a_place_is_named_by_its_path(location, field):
    assert problems.path_to(location) == field


def test_a_problem_names_fifty_mistakes_at_most():
    errors = [FieldError(field=f"lines/{number}", code="missing", detail="is required") for number in range(51)]

    assert problems.problem("validation_failed", "wrong", errors=errors).content.count(b"pointer") == 50


# Everywhere under /api


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/books", "/api/v1/nothing", "/api/v1/a%0Ab"]
)
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_unknown_address_is_not_found(client, path, method):
    assert refusal(getattr(client, method)(path)) == (404, "not_found")


def test_an_address_with_a_slash_too_many_is_told_so(client):
    response = client.get("/api/v1/books/")

    assert response.json()["detail"] == "There is nothing at /api/v1/books/. An address ends without a slash."


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("delete", "/api/v1/books", "GET, HEAD, POST"),
        ("put", "/api/v1/orders/00000000-0000-7000-8000-000000000000", "GET, HEAD, PATCH"),
        ("get", "/api/v1/orders/00000000-0000-7000-8000-000000000000/ship", "POST"),
        ("options", "/api/v1/stock", "GET, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(client, method, path, allowed):
    response = getattr(client, method)(path)

    assert refusal(response) == (405, "method_not_allowed")
    assert response.headers["Allow"] == allowed


def test_no_csrf_token_is_asked_for(api):
    strict = Client(enforce_csrf_checks=True, HTTP_AUTHORIZATION=api.defaults["HTTP_AUTHORIZATION"])

    assert strict.post("/api/v1/books", EMMA, content_type="application/json").status_code == 201
    assert refusal(strict.post("/api/v1/nothing")) == (404, "not_found")


# Bodies


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "title=Emma",
        '{"title": "Emma"} trailing',
        '{"title": NaN}',
        '{"opening_stock": Infinity}',
        '{"title": "Emma", "title": "Persuasion"}',
        '{"opening_stock": ' + "9" * 5000 + "}",
        "[" * 100_000,
        b"\xff\xfe\xfa",
        json.dumps(EMMA).encode("utf-16"),
        json.dumps(EMMA).encode("utf-32"),
        b'{"title": "\xed\xa0\x80"}',
    ],
)
def test_a_body_that_is_no_json_is_unreadable(api, body):
    assert refusal(api.post("/books", body)) == (400, "bad_request")
    assert not Book.objects.exists()


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ('{"opening_stock": ' + "9" * 5000 + "}", "A number in the body is too long."),
        ("[" * 100_000, "The body is nested too deeply."),
        (b'{"title": "\xe9"}', "The body must be JSON in UTF-8, and its byte 11 is not."),
    ],
)
def test_what_is_wrong_with_a_body_is_said_in_the_shops_words(api, body, detail):
    assert api.post("/books", body).json()["detail"] == detail


def test_a_byte_order_mark_is_passed_over(api):
    assert api.post("/books", json.dumps(EMMA).encode("utf-8-sig")).status_code == 201


def test_a_host_that_is_not_the_shops_is_told_to_a_program_in_its_own_format(client):
    for path in ("/api/v1/books", "/api/nowhere"):
        response = client.get(path, HTTP_HOST="evil.example")

        assert refusal(response) == (400, "bad_request")
        assert response.json()["detail"] == "The `Host` header names no host of this shop."


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", ""]
)
def test_a_body_that_is_sent_as_something_else_is_unreadable(api, content_type):
    response = api.post("/books", '{"title": "Emma"}', content_type=content_type)

    assert refusal(response) == (400, "bad_request")
    assert "Content-Type: application/json" in response.json()["detail"]
    assert not Book.objects.exists()


def test_a_charset_in_the_content_type_is_fine(api):
    response = api.post("/books", json.dumps(EMMA), content_type="application/json; charset=utf-8")

    assert response.status_code == 201


@pytest.mark.parametrize("body", ["", "[]", '"Emma"', "null", "7"])
def test_a_body_that_is_no_object_is_refused(api, body):
    response = api.post("/books", body)

    assert refusal(response) == (422, "validation_failed")
    assert [mistake["pointer"] for mistake in response.json()["errors"]] == ["#"]


def test_a_body_that_may_be_left_out_is_an_object_if_it_is_sent(api):
    response = api.post("/orders/00000000-0000-7000-8000-000000000000/confirm", "null")

    assert refusal(response) == (422, "validation_failed")
    assert response.json()["detail"] == "the body must be an object"


def test_a_body_in_pieces_is_refused_rather_than_passed_over(api):
    response = api.post("/books", EMMA, headers={"Transfer-Encoding": "chunked"})

    assert refusal(response) == (400, "bad_request")
    assert not Book.objects.exists()


def test_a_body_over_a_mebibyte_is_too_large(api):
    assert refusal(api.post("/books", '{"title": "' + "x" * 2**20 + '"}')) == (413, "too_large")


# What is not the client's fault


def breaking(monkeypatch, error):
    def broken(*args, **kwargs):
        raise error

    monkeypatch.setattr("catalog.services.add_to_catalog", broken)


def test_our_mistake_tells_the_request_id_and_no_more(api, monkeypatch, caplog):
    breaking(monkeypatch, ZeroDivisionError("secret internals"))
    api.raise_request_exception = False

    with caplog.at_level(logging.ERROR):
        response = api.post("/books", EMMA, headers={"X-Request-ID": "req-7"})

    assert refusal(response) == (500, "server_error")
    assert response.json()["request_id"] == "req-7"
    assert "secret" not in response.content.decode()
    assert "secret internals" in caplog.text


def test_our_mistake_is_told_to_who_listens_for_them(api, monkeypatch):
    breaking(monkeypatch, ZeroDivisionError("secret internals"))

    with pytest.raises(ZeroDivisionError):
        api.post("/books", EMMA)


def test_what_no_endpoint_asks_for_is_our_mistake(api, monkeypatch):
    breaking(monkeypatch, WrongCode())
    api.raise_request_exception = False

    assert refusal(api.post("/books", EMMA)) == (500, "server_error")


def test_a_busy_database_asks_for_patience(api, monkeypatch):
    breaking(monkeypatch, OperationalError("database is locked"))

    response = api.post("/books", EMMA)

    assert refusal(response) == (503, "unavailable")
    assert response.headers["Retry-After"] == "2"


# The schema


def test_every_operation_has_a_right_of_its_own_and_tells_what_it_refuses():
    schema = the_api.get_openapi_schema()

    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            ((permission, *others),) = (requirement["ApiKeyAuth"] for requirement in operation["security"])
            for name in (permission, *others):
                assert re.fullmatch(r"[a-z]+\.[a-z_]+", name), (method, path)
            assert {"401", "403", "default"} <= operation["responses"].keys()
            assert ("404" in operation["responses"]) == ("{" in path)


def test_the_permissions_that_operations_need_exist(db):
    from django.contrib.auth.models import Permission

    needed = {
        permission
        for methods in the_api.get_openapi_schema()["paths"].values()
        for operation in methods.values()
        for permission in operation["security"][0]["ApiKeyAuth"]
    }

    known = {
        f"{app}.{codename}" for app, codename in Permission.objects.values_list("content_type__app_label", "codename")
    }
    assert needed <= known
