import pytest
from django.contrib.admin.models import LogEntry

from bookshelf_site.events.models import Delivery
from bookshelf_site.events.relay import Relay
from bookshelf_site.webhooks.models import Webhook
from bookshelf_site.webhooks.services import add_webhook
from tests.given import a_book
from tests.webhooks.conftest import secret_of
from tests.webhooks.listening import answering

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite")]
LIST = "/admin/webhooks/webhook/"


@pytest.fixture
def desk(staff_of):
    return staff_of("Manager")


@pytest.fixture
def page(told):
    return f"{LIST}{told.pk}/change/"


def press(desk, webhook, task):
    response = desk.post(f"{LIST}{webhook.pk}/{task}/", follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_a_webhook_is_added_and_its_secret_shown_once(desk, listener):
    response = desk.send(
        f"{LIST}add/", "webhook_form", url=listener.url, event_types="orders.*, catalog.*", description="Web shop"
    )

    webhook = Webhook.objects.get()
    assert (webhook.url, webhook.event_types, webhook.description) == (
        listener.url,
        ["catalog.*", "orders.*"],
        "Web shop",
    )
    assert secret_of(webhook) in response.page.html
    assert "no-store" in response.headers["Cache-Control"]
    for path in (LIST, f"{LIST}{webhook.pk}/change/", f"{LIST}{webhook.pk}/history/"):
        assert secret_of(webhook) not in desk.open(path).html
    assert secret_of(webhook) not in str([list(LogEntry.objects.values()), desk.cookies, dict(desk.session)])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "https://127.0.0.1/"}, "127.0.0.1 is not on the public internet"),
        ({"url": "http://hooks.test/"}, "Must begin with https://"),
        ({"event_types": "orders.order_lost"}, "No event is of the type orders.order_lost"),
        ({"event_types": " , "}, "Name 1 to 50"),
    ],
)
def test_what_can_not_be_is_said_at_its_field_and_nothing_is_lost(desk, names, settings, changes, said):
    names["hooks.test"] = [["93.184.216.34"]]
    given = {"url": "https://hooks.test/", "event_types": "*", "description": "Web shop"} | changes

    response = desk.send(f"{LIST}add/", "webhook_form", **given)

    assert said in response.page.text
    assert response.page.form("webhook_form").values["description"] == ["Web shop"]
    assert not Webhook.objects.exists()


def test_it_is_changed(desk, told, page, listener):
    shown = desk.open(page).form("webhook_form").values
    assert shown["event_types"] == ["catalog.*, inventory.*, orders.*"]

    desk.send(page, "webhook_form", event_types="*", description="All of it")

    told.refresh_from_db()
    assert (told.event_types, told.description) == (["*"], "All of it")


def test_its_health_is_in_the_list(desk, told, listener, django_assert_max_num_queries):
    assert "Nothing sent yet" in desk.open(LIST).text
    a_book("first")
    Relay().drain()
    assert "Gets through" in desk.open(LIST).text

    a_book("second")
    a_book("third")
    listener.then(answering(503, Retry_After="600"))
    Relay().drain()

    for number in range(5):
        add_webhook(url=f"{listener.url}/{number}", event_types=["*"])
    with django_assert_max_num_queries(12):
        shown = desk.open(LIST)
    assert "Failing" in shown.text
    assert '<td class="field-waiting">2</td>' in shown.html


@pytest.mark.parametrize(("health", "shown"), [("well", 1), ("failing", 0), ("disabled", 1)])
def test_the_list_can_be_asked_for_what_is_not_well(desk, told, listener, health, shown):
    press(desk, add_webhook(url=listener.url, event_types=["*"]), "disable")

    assert f"{shown} webhook" in desk.open(f"{LIST}?health={health}").text


def test_its_page_tells_what_came_of_each_message(desk, told, page, listener):
    a_book()
    listener.then(answering(500, b"<script>alert(1)</script>"))
    Relay().drain()

    shown = desk.open(page)

    assert "catalog.book_added" in shown.text
    assert "answered 500" in shown.text
    assert "&lt;script&gt;alert(1)" in shown.html
    assert "<script>alert(1)" not in shown.html


def test_a_message_is_sent_again(desk, told, page, listener):
    a_book()
    Relay().drain()

    desk.send(page, "resend")
    Relay().drain()

    assert len(listener.received) == 2


def test_a_ping_is_sent(desk, told, page, listener):
    response = desk.send(page, "ping")
    Relay().drain()

    assert "on its way" in response.page.text
    assert len(listener.received) == 1


def test_it_is_disabled_after_a_question_and_enabled_again(desk, told, page):
    path = f"{LIST}{told.pk}/disable/"
    assert "It is told nothing any more" in desk.open(path).text
    assert Webhook.objects.get().is_enabled

    desk.post(path)
    assert not Webhook.objects.get().is_enabled
    assert "It is disabled and told nothing." in desk.open(page).text

    desk.send(page, "enable")
    assert Webhook.objects.get().is_enabled


def test_its_secret_is_rotated_after_a_question(desk, told):
    old, path = secret_of(told), f"{LIST}{told.pk}/rotate/"
    desk.open(path)
    assert secret_of(told) == old

    response = desk.post(path)

    assert secret_of(told) != old
    assert secret_of(told) in response.content.decode()
    assert "no-store" in response.headers["Cache-Control"]


def test_it_is_removed_after_a_question(desk, told):
    path = f"{LIST}{told.pk}/remove/"
    desk.open(path)
    assert Webhook.objects.exists()

    response = desk.post(path, follow=True)

    assert "removed" in response.content.decode()
    assert not Webhook.objects.exists()


@pytest.mark.parametrize("task", ["ping", "enable", "resend"])
def test_nothing_is_done_by_looking(desk, told, listener, task):
    a_book()
    Relay().drain()
    event = Delivery.objects.get(target=told.target).event
    path = f"deliveries/{event.uid}/resend" if task == "resend" else task

    assert desk.get(f"{LIST}{told.pk}/{path}/").status_code == 405


@pytest.mark.parametrize("task", ["ping", "enable", "disable", "rotate", "remove", "change"])
@pytest.mark.parametrize("group", ["Bookseller", "Read-only"])
def test_webhooks_are_not_everybodys_business(staff_of, told, listener, group, task):
    other = staff_of(group)

    assert other.post(f"{LIST}{told.pk}/{task}/").status_code == 403
    assert other.get(LIST).status_code == 403
    assert Webhook.objects.get().is_enabled
    assert listener.received == []
