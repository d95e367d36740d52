import pytest
from django.test import Client

from bookshelf_site.problems import CODES
from tests.conftest import ApiClient


@pytest.mark.django_db
def test_the_type_of_a_problem_leads_to_a_page_about_it(client):
    refused = ApiClient("wrong").get("/books").json()

    page = client.get(refused["type"].removeprefix("http://127.0.0.1:8000"))

    assert page.status_code == 200
    assert "<h1>No valid API key</h1>" in page.content.decode()
    assert "Send <code>Authorization: Bearer KEY</code>; a key" in page.content.decode()


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_a_page_that_asks_no_database(client, code):
    page = client.get(f"/docs/problems/{code}")

    assert page.status_code == 200
    assert f"<code>{code}</code> · HTTP {CODES[code].status}" in page.content.decode()
    assert "`" not in page.content.decode()


def test_all_codes_are_listed(client):
    listed = client.get("/docs/problems/").content.decode()

    for code in CODES:
        assert f'href="/docs/problems/{code}"' in listed


@pytest.mark.parametrize("path", ["nothing", "bad_request/", "%3Cb%3E"])
def test_another_code_is_not_found(path):
    assert Client().get(f"/docs/problems/{path}").status_code == 404
