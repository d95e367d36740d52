import re
from decimal import Decimal

import pytest
from django.core.cache import cache

from bookshelf_site.desk import figures
from catalog.services import reprice
from tests.given import a_book, an_order

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite")]

HOME = "/admin/"


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch):
    cache.clear()
    monkeypatch.setattr(figures, "SLOW_SECONDS", float("inf"))


@pytest.fixture
def trade():
    emma = a_book("Emma", copies=9)
    for copies in (2, 1):
        an_order((emma, copies))
    return emma


def panels(page):
    return {panel.chart.name: panel for panel in page.context["panels"]}


def test_every_chart_is_drawn_with_its_figures_as_a_table(desk, trade):
    page = desk.get(HOME)

    html = page.content.decode()
    assert [panel.chart.name for panel in page.context["panels"]] == ["sales", "orders", "best-sellers", "stock-value"]
    assert html.count('<svg class="chart ') == html.count('<details class="as-table">') == 4
    for panel in page.context["panels"]:
        assert [mark.figure for mark in panel.chart.marks] == list(panel.chart.figures)
        assert html.count(f'<td class="number">{panel.chart.figures[-1].text}</td>')


def test_the_headlines_add_the_charts_up(desk, trade):
    found = panels(desk.get(HOME))

    assert (found["sales"].headline, found["orders"].headline) == ("38.97 USD", "2 orders")
    assert sum(figure.value for figure in found["sales"].chart.figures) == Decimal("38.97")
    assert found["stock-value"].headline == "116.91 USD"
    assert [figure.text for figure in found["stock-value"].chart.figures] == ["77.94 USD", "38.97 USD"]


def test_each_day_leads_to_the_orders_of_that_day(desk, trade):
    today = panels(desk.get(HOME))["orders"].chart.figures[-1]

    assert desk.get(today.url).context["cl"].result_count == int(today.value) == 2


def test_a_best_seller_leads_to_its_book(desk, trade):
    [best] = panels(desk.get(HOME))["best-sellers"].chart.figures

    assert (best.label, best.text) == ("Emma · Jane Austen", "3")
    assert desk.get(best.url).status_code == 200


def test_books_without_a_price_are_named(desk, trade):
    reprice(book_id=a_book("A gift", copies=3).pk, price=None)

    assert "1 book on the shelf has no price (3 copies), and counts as nothing: A gift × 3" in desk.open(HOME).text


def test_it_says_when_the_figures_were_true(desk, trade):
    assert len(re.findall(r"As of \d\d:\d\d:\d\d\.", desk.open(HOME).text)) == 4


def test_no_style_and_no_script_stands_in_the_page(desk, trade):
    html = desk.open(HOME).html

    assert " style=" not in html
    assert "<style" not in html
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*json)", html)
