import pytest
from django.db import connections
from django.template import loader
from django.test import Client

from tests.desk import Page


def page(client, path="/"):
    return Page(client.get(path).content.decode())


def test_the_root_says_what_runs_here_and_leads_to_the_doors(client, settings):
    settings.SHOP_NAME = "The Corner Bookshop"

    landing = page(client)

    assert "The back office of The Corner Bookshop" in landing.text
    assert {"/admin/", "/api/v1/docs"} <= set(landing.links)
    assert "Looking for your order?" in landing.text


def test_the_root_asks_the_database_nothing(client):
    assert client.get("/").status_code == 200


def test_the_root_tells_how_to_find_a_lost_link(client, settings):
    settings.SHOP_CONTACT = "555 0100"

    landing = page(client)

    assert "/orders/find/" in landing.links
    assert "Ask the shop: 555 0100" in landing.text


def test_an_unknown_page_is_answered_in_the_shops_look(client):
    response = client.get("/nothing/here")

    assert response.status_code == 404
    assert "There is nothing here" in Page(response.content.decode()).text


def test_a_request_that_can_not_be_read_is_answered_in_the_shops_look(client):
    response = client.get("/", HTTP_HOST="evil.example")

    assert response.status_code == 400
    assert "This request can’t be read" in Page(response.content.decode()).text


@pytest.mark.django_db
def test_a_forbidden_page_is_answered_in_the_shops_look(staff_of):
    response = staff_of("Read-only").get("/admin/catalog/book/add/")

    assert response.status_code == 403
    assert "You may not do this" in Page(response.content.decode()).text


@pytest.mark.django_db
def test_a_form_that_is_too_old_is_answered_in_the_shops_look():
    response = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "bea"})

    assert response.status_code == 403
    assert "This form is no longer valid" in Page(response.content.decode()).text


@pytest.mark.django_db
def test_a_failure_is_answered_without_the_database(client, monkeypatch):
    order_page = f"/o/{'x' * 43}/"
    client.raise_request_exception = False

    def broken(*arguments, **options):
        raise OSError("the database is away")

    with monkeypatch.context() as patch:
        for door in ("cursor", "ensure_connection"):
            patch.setattr(type(connections["default"]), door, broken)
        response = client.get(order_page)

    assert response.status_code == 500
    assert "Something went wrong on our side" in Page(response.content.decode()).text


@pytest.mark.parametrize("name", ["400.html", "403.html", "403_csrf.html", "404.html", "500.html", "landing.html"])
def test_a_page_of_the_site_needs_no_script(name):
    html = loader.render_to_string(name, {"shop_name": "Bookshelf"})

    assert "<script" not in html
    assert "style=" not in html
