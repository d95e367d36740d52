import pytest
from django.test import Client

from bookshelf_site.events.models import Event
from orders import services
from orders.models import Order
from tests import states
from tests.desk import Desk, Page
from tests.given import raised, stock

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer():
    """A browser that sends the form that is on the page; without the token of the form it is refused."""
    return Desk(enforce_csrf_checks=True)


def path(order):
    return f"{order.status_path}cancel/"


def test_the_customer_calls_the_order_off(customer):
    order = states.placed()
    gatsby = order.lines.get(title="The Great Gatsby").book

    [form] = customer.open(path(order)).forms
    response = customer.post(path(order), form.values)

    order.refresh_from_db()
    assert (response.status_code, response.headers["Location"]) == (303, order.status_path)
    assert (order.status, order.cancel_reason) == ("CANCELLED", "customer")
    assert stock(gatsby) == (5, 0)
    event = Event.objects.get(name="orders.order_cancelled")
    assert (event.actor, event.data["reason"]) == ("customer", "customer")
    assert "We cancelled it as you wished." in customer.open(order.status_path).text


def test_following_the_link_only_asks(customer):
    order = states.placed()

    page = customer.open(path(order))

    assert "Cancel this order?" in page.text
    assert "$35.48" in page.text
    assert Order.objects.get().status == "PENDING"
    assert raised("orders.order_cancelled") == 0


def test_a_form_of_another_site_is_refused(customer):
    order = states.placed()

    assert customer.post(path(order)).status_code == 403
    assert Order.objects.get().status == "PENDING"


def test_the_page_offers_it_as_long_as_it_can_be_done(client):
    order = states.placed()

    def offers():
        return "cancel/" in Page(client.get(order.status_path).content.decode()).links

    before = offers()
    services.confirm_order(order_id=order.pk)

    assert (before, offers()) == (True, False)


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda order: services.confirm_order(order_id=order.pk), "We have confirmed it meanwhile."),
        (
            lambda order: services.ship_order(order_id=services.confirm_order(order_id=order.pk).pk),
            "Your books have already left the shop.",
        ),
    ],
)
def test_who_comes_too_late_is_told_so(customer, act, why):
    order = states.placed()
    [form] = customer.open(path(order)).forms
    act(order)
    before = Order.objects.values().get()

    response = customer.post(path(order), form.values)

    page = Page(response.content.decode())
    assert response.status_code == 409
    assert why in page.text
    assert page.forms == []
    assert Order.objects.values().get() == before


def test_who_looks_too_late_is_told_so(customer):
    assert "This order can no longer be cancelled here" in customer.open(path(states.confirmed())).text


def test_twice_is_as_good_as_once(customer):
    order = states.placed()
    [form] = customer.open(path(order)).forms

    answers = [customer.post(path(order), form.values).status_code for _ in range(2)]

    assert answers == [303, 303]
    assert raised("orders.order_cancelled") == 1
    assert customer.get(path(order)).headers["Location"] == order.status_path


def test_no_path_is_told_to_anyone_and_the_form_still_says_whence_it_comes(client):
    headers = client.get(path(states.placed())).headers

    assert headers["Referrer-Policy"] == "strict-origin"
    assert headers["Cache-Control"] == "private, no-store"
    assert headers["X-Robots-Tag"] == "noindex"


def test_a_token_that_opens_nothing_cancels_nothing():
    client = Client()
    unknown = client.get(f"/o/{'x' * 43}/")

    response = client.post(f"/o/{'x' * 43}/cancel/")

    assert (response.status_code, response.content) == (404, unknown.content)
