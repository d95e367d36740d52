"""The order's page as a browser that looks at it asks for it again and again."""

import re
from dataclasses import replace
from typing import Any

import pytest
from django.utils import translation

from bookshelf_site.events.models import Event
from inventory.services import receive_copies
from orders import services
from orders.models import Contact, Order
from tests import states
from tests.desk import Page
from tests.given import a_book, a_waiting_order, an_order

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite")]


@pytest.fixture
def asked(client):
    """Asks for the page of an order, as one who has seen it as this."""

    def asked(order, seen=""):
        return client.get(order.status_path, headers={"If-None-Match": seen} if seen else {})

    return asked


@pytest.fixture
def page(asked):
    return lambda order: Page(asked(order).content.decode())


def test_who_has_seen_it_as_it_is_gets_nothing_more_for_one_query(asked, django_assert_num_queries):
    order = states.part_waiting()
    first = asked(order)

    with django_assert_num_queries(1):
        second = asked(order, first.headers["ETag"])

    assert (first.status_code, second.status_code, second.content) == (200, 304, b"")
    assert second.headers["ETag"] == first.headers["ETag"]
    assert second.headers["Cache-Control"] == "private, no-store"
    assert "Set-Cookie" not in second.headers


def test_a_proxy_may_have_weakened_what_was_seen(asked):
    order = states.placed()

    assert asked(order, f"W/{asked(order).headers['ETag']}").status_code == 304


def receive(order):
    receive_copies(book_id=order.lines.get(title="The Great Gatsby").book_id, quantity=1)


def put_back(order):
    services.put_back_line(order_id=order.pk, line_id=order.lines.get(title="Emma").pk)


CHANGES: dict[str, tuple[Any, Any]] = {
    "confirmed": (states.placed, lambda order: services.confirm_order(order_id=order.pk)),
    "shipped": (states.confirmed, lambda order: services.ship_order(order_id=order.pk)),
    "cancelled": (states.placed, lambda order: services.cancel_order(order_id=order.pk, reason="other")),
    "a copy comes in": (states.part_waiting, receive),
    "copies are put back": (states.part_waiting, put_back),
    "split": (states.part_waiting, lambda order: services.split_order(order_id=order.pk)),
    "a line is off": (
        states.placed,
        lambda order: services.cancel_line(order_id=order.pk, line_id=order.lines.get(title="Emma").pk),
    ),
    "another language": (
        states.placed,
        lambda order: services.amend_contact(order_id=order.pk, changes={"language": "de"}),
    ),
    "another name": (
        states.placed,
        lambda order: services.amend_contact(order_id=order.pk, changes={"customer_name": "Zoe"}),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_is_shown(asked, change):
    prepare, act = CHANGES[change]
    order = prepare()
    before = asked(order)

    act(order)
    after = asked(order, before.headers["ETag"])

    assert after.status_code == 200
    assert after.content != before.content
    assert asked(order, after.headers["ETag"]).status_code == 304


def test_copies_that_come_back_are_shown_even_before_the_order_has_heard_of_it(asked):
    from inventory.models import Allocation

    order = states.handed_over()
    before = asked(order)
    Allocation.objects.filter(line_id=order.lines.get(title="Emma").pk).update(returned=1)

    after = asked(order, before.headers["ETag"])

    assert after.status_code == 200
    assert "1 of 3 copies has come back to us." in Page(after.content.decode()).text


@pytest.mark.parametrize(("name", "value"), [("SHOP_NAME", "Corner Books"), ("SHOP_CONTACT", "555 0100")])
def test_another_setting_of_the_shop_is_shown(asked, settings, name, value):
    order = states.placed()
    before = asked(order)

    setattr(settings, name, value)

    assert asked(order, before.headers["ETag"]).status_code == 200


def test_two_orders_are_never_seen_as_the_same(asked):
    assert asked(states.placed()).headers["ETag"] != asked(states.placed()).headers["ETag"]


@pytest.mark.parametrize("state", states.STATES)
def test_every_state_has_one_sentence_one_current_step_and_is_followed_to_its_end(page, state):
    order = states.STATES[state]()

    html = page(order).html

    assert len(re.findall(r"<h1>\S.+</h1>", html)) == 1
    assert html.count('aria-current="step"') == 1
    assert ("data-followed" in html) == ("status.js" in html) == (order.status in {"PENDING", "CONFIRMED"})


SENTENCES = {
    "placed": "We have your order. Hello Alice. All your copies are kept for you. Next, we check the order",
    "part-waiting": "Some of your books are here; we are waiting for the rest. Hello Alice. 2 of 3 copies are kept",
    "all-waiting": "We have your order and are waiting for your books. Hello Alice. They are not in the shop yet.",
    "filled": "We have your order. Hello Alice. All your copies are kept for you.",
    "confirmed": "Your books are ready for you to collect. Hello Alice. Come by when it suits you",
    "to-be-packed": "Your books are set aside and will be packed. Hello Ben. All your copies are kept",
    "handed-over": "Your books have been handed over. Hello Alice. We hope that you enjoy them.",
    "on-its-way": "Your books are packed and on their way. Hello Ben. The carrier’s tracking number is RR123456785US.",
    "untracked": "Your books are packed and on their way. Hello Ben. The carrier has them;",
    "part-returned": "Your books have been sent to you. Hello Ben. 1 of 3 copies has come back to us.",
    "returned": "Your books have come back to us. Hello Ben. We have all of them again.",
    "cancelled-expired": "Your order is cancelled. Hello Alice. It was not confirmed in time",
    "cancelled-customer": "Your order is cancelled. Hello Alice. We cancelled it as you wished.",
}


@pytest.mark.parametrize("state", SENTENCES)
def test_it_begins_with_where_the_books_are_and_what_comes_next(page, state):
    assert SENTENCES[state] in page(states.STATES[state]()).text


def test_while_copies_are_waited_for_that_is_the_current_step(page):
    text = page(states.part_waiting()).text

    assert "Waiting for copies now Confirmed still to come" in text


def test_when_everything_came_back_that_is_the_last_step(page):
    assert re.search(
        '<li class="is-done" aria-current="step">\\s*<span class="step-name">Returned', page(states.returned()).html
    )
    assert "Returned" not in page(states.part_returned()).text


def test_an_order_that_was_split_names_the_other_and_opens_it_not(page):
    first = states.split()
    second = first.splits.get()

    shown, other = page(first), page(second)

    assert (
        f"is now order {second.number}. It has a page and a link of its own. We send you its link by mail."
        in shown.text
    )
    assert f"These are the copies of order {first.number} that were not in the shop yet." in other.text
    assert second.token not in shown.html
    assert first.token not in other.html


def test_without_an_address_the_link_of_the_other_order_has_to_be_asked_for(page):
    order = a_waiting_order((a_book(copies=1), 2))
    services.split_order(order_id=order.pk)

    assert "Ask us for its link." in page(order).text


@pytest.mark.parametrize(
    ("language", "sentence", "price", "day"),
    [
        ("en", "Some of your books are here; we are waiting for the rest.", "$35.48", "Nov. 23, 2026, 9:30 a.m."),
        ("de", "Ein Teil Ihrer Bücher ist da; auf den Rest warten wir.", "35,48 $", "23. November 2026 09:30"),
        ("fr", "Une partie de vos livres est là ; nous attendons le reste.", "35,48 $US", "23 novembre 2026 09:30"),
    ],
)
def test_the_orders_language_is_spoken_whatever_the_browser_asks_for(client, language, sentence, price, day):
    import time_machine

    with time_machine.travel("2026-11-23 09:30:00+00:00", tick=False):
        order = states.part_waiting(replace(states.COLLECTED, language=language))

    response = client.get(order.status_path, headers={"Accept-Language": "it, fr;q=0.9, de;q=0.8"})

    text = re.sub(r"[\u00a0\u202f]", " ", Page(response.content.decode()).text)
    assert sentence in text
    assert price in text
    assert day in text
    assert f'<html lang="{language}" dir="ltr">' in response.content.decode()
    assert response.headers["Content-Language"] == language
    assert translation.get_language() == "en"


@pytest.mark.parametrize(
    ("language", "one", "two"),
    [
        ("de", "1 von 3 Exemplaren ist für Sie zurückgelegt.", "2 von 3 Exemplaren sind für Sie zurückgelegt."),
        ("fr", "1 exemplaire sur 3 est réservé pour vous.", "2 exemplaires sur 3 sont réservés pour vous."),
    ],
)
def test_one_and_several_are_told_apart(page, language, one, two):
    contact = replace(states.COLLECTED, language=language)

    assert one in page(states.placed(contact, here=(1, 0))).text
    assert two in page(states.placed(contact, here=(1, 1))).text


def test_a_language_that_is_spoken_no_more_gives_way_to_english(asked, settings):
    order = states.placed(replace(states.COLLECTED, language="fr"))
    settings.LANGUAGES = [("en", "English")]

    assert "We have your order." in Page(asked(order).content.decode()).text


@pytest.mark.parametrize("path", ["/o/", "/o/a/b/", "/o/a/b", "/o/a//", "/o/%2F/", "/o/a/cancel/"])
def test_a_link_with_more_in_it_is_as_unknown_as_any_other(client, path, django_assert_num_queries):
    unknown = client.get(f"/o/{'x' * 43}/")

    with django_assert_num_queries(1):
        other = client.get(path)

    assert (other.status_code, other.content) == (404, unknown.content)


def test_an_old_link_is_as_unknown_as_any_other(client):
    order = states.placed()
    old = order.status_path
    unknown = client.get(f"/o/{'x' * 43}/")
    services.rotate_link(order_id=order.pk)

    assert (client.get(old).status_code, client.get(old).content) == (404, unknown.content)
    assert client.get(Order.objects.get().status_path).status_code == 200


def test_an_unknown_link_leads_to_who_sends_it_again_in_the_browsers_language(client):
    response = client.get("/o/unknown/", headers={"Accept-Language": "de"})

    page = Page(response.content.decode())
    assert "Dieser Link öffnet keine Bestellung" in page.text
    assert "/orders/find/" in page.links


def test_the_token_is_in_no_event(client):
    order = states.split()
    client.get(order.status_path)
    services.rotate_link(order_id=order.pk)

    tokens = Order.objects.values_list("token", flat=True)

    told = [f"{event.data}{event.personal}{event.stream}" for event in Event.objects.all()]
    assert not [text for text in told for token in [order.token, *tokens] if token in text]


def test_the_token_is_in_no_line_of_the_log(client, capsys):
    import io
    import logging

    from bookshelf_site import logs

    order = states.placed()
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    formatter = logs.configuration("json")["formatters"]["lines"]
    handler.setFormatter(
        logs.MaskingFormatter(processors=formatter["processors"], foreign_pre_chain=formatter["foreign_pre_chain"])
    )
    logging.getLogger().addHandler(handler)
    try:
        client.get(order.status_path)
        client.get(f"{order.status_path}cancel/")
    finally:
        logging.getLogger().removeHandler(handler)

    assert output.getvalue().count('"path": "/o/…/') == 2
    assert order.token not in output.getvalue()


def test_a_reader_of_the_page_gets_it_whole_without_a_script(page):
    text = page(an_order((a_book(copies=1), 1), contact=Contact(customer_name="Alice Johnson"))).text

    assert "Load this page again to see what is new." in text
