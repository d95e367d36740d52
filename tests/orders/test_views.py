import re
from decimal import Decimal

import pytest
from django.template.defaultfilters import date

from bookshelf_site.events.models import Event
from orders import services
from orders.models import Contact, Order
from tests.desk import Page
from tests.given import a_book, a_waiting_order, an_order, books

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite")]

BEN = Contact(
    customer_name="Ben Okafor",
    customer_email="ben@example.com",
    phone="555 0100",
    fulfilment="ship",
    street="12 Library Lane",
    city="Springfield",
    postal_code="12345",
    country="US",
    note="rings twice",
)


def sent(contact=BEN):
    return an_order((a_book("Emma", isbn="9780141439587", copies=5), 2), contact=contact)


def confirmed(order):
    return services.confirm_order(order_id=order.pk)


def shipped(order, tracking=""):
    return services.ship_order(order_id=confirmed(order).pk, tracking=tracking)


def cancelled(order, reason="customer"):
    return services.cancel_order(order_id=order.pk, reason=reason)


@pytest.fixture
def shown(client):
    def shown(order):
        response = client.get(order.status_path)
        assert response.status_code == 200
        return Page(response.content.decode())

    return shown


def collected():
    return sent(Contact(customer_name="Alice Johnson"))


@pytest.mark.parametrize(
    ("order", "sentence"),
    [
        (sent, "We have your order."),
        (
            lambda: a_waiting_order((a_book(copies=1), 3)),
            "Some of your books are here; we are waiting for the rest.",
        ),
        (lambda: confirmed(collected()), "Your books are ready for you to collect."),
        (lambda: confirmed(sent()), "Your books are set aside and will be packed."),
        (lambda: shipped(collected()), "Your books have been handed over."),
        (lambda: shipped(sent()), "Your books are packed and on their way."),
        (lambda: cancelled(sent()), "Your order is cancelled."),
    ],
)
def test_one_sentence_says_where_the_books_are(shown, order, sentence):
    page = shown(order())

    [heading] = re.findall(r"<h1>(.*?)</h1>", page.html, re.DOTALL)
    assert heading.strip() == sentence


def test_lines_quantities_prices_and_total_are_shown(shown):
    page = shown(sent())

    assert "Emma 2 × $12.99 · ISBN 9780141439587 $25.98 Total $25.98" in page.text


def test_prices_stay_as_they_were_ordered(shown):
    from bookshelf_site.money import Money
    from catalog.services import reprice

    order = sent()
    reprice(book_id=order.lines.get().book_id, price=Money(Decimal("99.00"), "USD"))

    assert "2 × $12.99" in shown(order).text


def test_a_line_says_how_many_copies_it_waits_for(shown):
    assert "waiting for 2 copies" in shown(a_waiting_order((a_book(copies=1), 3))).text


@pytest.mark.parametrize(
    ("prepare", "steps"),
    [
        (lambda order: order, ["Ordered*", "Confirmed", "On its way"]),
        (confirmed, ["Ordered", "Confirmed*", "On its way"]),
        (shipped, ["Ordered", "Confirmed", "On its way*"]),
        (cancelled, ["Ordered", "Cancelled*"]),
        (lambda order: cancelled(confirmed(order)), ["Ordered", "Confirmed", "Cancelled*"]),
    ],
)
def test_the_timeline_marks_the_current_step(shown, prepare, steps):
    page = shown(prepare(sent()))

    found = re.findall(r'<li class="is-\w+"( aria-current="step")?>\s*<span class="step-name">(.*?)</span>', page.html)
    assert [f"{name}{'*' if current else ''}" for current, name in found] == steps


def test_each_step_says_when_it_was(shown):
    order = shipped(sent())

    times = re.findall(r'<time datetime="(.*?)">', shown(order).html)

    assert times == [date(at, "c") for at in (order.placed_at, order.confirmed_at, order.shipped_at)]


def test_the_tracking_number_is_told(shown):
    assert "The carrier’s tracking number is 1Z999." in shown(shipped(sent(), "1Z999")).text


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("customer", "We cancelled it as you wished."),
        ("out_of_stock", "a book that you ordered can’t be had."),
        ("expired", "It was not confirmed in time"),
        ("duplicate", "It had been placed twice"),
        ("fraud", "If this surprises you, please get in touch."),
        ("other", "If this surprises you, please get in touch."),
    ],
)
def test_a_cancelled_order_says_why_in_words_for_the_customer(shown, reason, words):
    page = shown(cancelled(sent(), reason))

    assert words in page.text
    assert "fraud" not in page.text


def test_the_page_says_how_to_reach_the_shop(shown, settings):
    settings.SHOP_CONTACT = "hello@bookshelf.example"

    page = shown(sent())

    assert "mailto:hello@bookshelf.example" in page.links


def test_nothing_on_the_page_tells_who_or_where_the_customer_is(shown):
    page = shown(sent())

    assert "Hello Ben." in page.text
    for secret in ("Okafor", "ben@example", "555 0100", "Library Lane", "Springfield", "12345", "rings twice"):
        assert secret not in page.html


def test_the_page_is_private(client):
    headers = client.get(sent().status_path).headers

    assert headers["Cache-Control"] == "private, no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Robots-Tag"] == "noindex"
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "Set-Cookie" not in headers


def test_looking_changes_nothing(client):
    order = sent()
    before = Order.objects.values().get()
    events = Event.objects.count()

    for _ in range(3):
        client.get(order.status_path)
        client.head(order.status_path)

    assert Order.objects.values().get() == before
    assert Event.objects.count() == events


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_the_page_takes_no_other_method(client, method):
    assert getattr(client, method)(sent().status_path).status_code == 405


UNKNOWN = "x" * 43
MALFORMED = ["a", "%00", "é", "x" * 5000, "..", "<script>", "%F0%9F%93%9A", "'; DROP TABLE orders_order; --"]


def without_its_own(headers):
    return {name: value for name, value in headers.items() if name != "X-Request-ID"}


@pytest.mark.parametrize("token", MALFORMED)
def test_every_token_that_opens_nothing_gets_the_same_answer(client, token):
    sent()
    unknown = client.get(f"/o/{UNKNOWN}/")

    malformed = client.get(f"/o/{token}/")

    assert (unknown.status_code, malformed.status_code) == (404, 404)
    assert malformed.content == unknown.content
    if token != "..":  # the client takes it for the folder above
        assert without_its_own(malformed.headers) == without_its_own(unknown.headers)
        assert malformed.headers["Cache-Control"] == "private, no-store"


def test_a_wrong_token_costs_what_an_unknown_one_costs(client, django_assert_num_queries):
    sent()

    for token in (UNKNOWN, "short", "%00"):
        with django_assert_num_queries(1):
            client.get(f"/o/{token}/")


def test_neither_the_id_nor_the_number_opens_the_page(client):
    order = sent()

    assert client.get(f"/o/{order.pk}/").status_code == 404
    assert client.get(f"/o/{order.number}/").status_code == 404


def test_a_link_is_followed_without_its_last_slash(client):
    order = sent()

    assert client.get(order.status_path.rstrip("/"), follow=True).status_code == 200


def test_the_page_costs_the_same_for_many_lines(client, django_assert_max_num_queries):
    order = an_order(*[(book, 1) for book in books(50, copies=1)])

    with django_assert_max_num_queries(4):
        response = client.get(order.status_path)

    assert response.status_code == 200


@pytest.mark.parametrize("end", [shipped, cancelled])
def test_where_nothing_more_is_to_come_the_page_has_no_script(shown, end):
    assert "<script" not in shown(end(sent())).html


def test_the_page_is_small_over_the_wire(shown):
    from gzip import compress

    from tests.conftest import ROOT

    # The page itself is not compressed: that would tell whoever sees its length what is in it.
    page = shown(an_order(*[(book, 1) for book in books(20, copies=1)])).html.encode()
    style, script = [compress((ROOT / "static" / name).read_bytes()) for name in ("bookshelf.css", "status.js")]

    assert len(page) + len(style) + len(script) < 30_000


def test_a_title_can_not_break_out_of_the_page(shown):
    page = shown(an_order((a_book("<script>alert(1)</script>", copies=1), 1)))

    assert "alert(1)<" not in page.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.html


def test_a_line_that_was_cancelled_is_struck_out_and_not_paid_for(shown):
    order = an_order((a_book("Emma", copies=1), 1), (a_book("Persuasion", copies=1), 1))
    services.cancel_line(order_id=order.pk, line_id=order.lines.get(title="Emma").pk)

    page = shown(order)

    assert "Emma 1 × $12.99 cancelled $12.99" in page.text
    assert "<del>$12.99</del>" in page.html
    assert "Total $12.99" in page.text
