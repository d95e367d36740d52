import json
import logging

import pytest
from django.contrib.auth.models import Permission

from bookshelf_site.access.models import ApiKey, KeptAnswer
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.relay import Relay
from bookshelf_site.webhooks.models import Webhook
from tests.given import a_book
from tests.webhooks.conftest import secret_of
from tests.webhooks.listening import answering

pytestmark = pytest.mark.django_db
UNKNOWN = "0199c8f0-7d2a-7c3e-9f43-8b7c1c9b2f10"


@pytest.fixture
def api(api_of):
    return api_of("Integration")


@pytest.fixture
def added(api, listener):
    return api.post("/webhooks", {"url": listener.url, "event_types": ["catalog.*"], "description": "web shop"}).json()


def errors(response):
    return [(error["pointer"], error["detail"]) for error in response.json()["errors"]]


def test_a_webhook_is_added_and_its_secret_told_once(api, listener):
    response = api.post("/webhooks", {"url": listener.url, "event_types": ["orders.*", "catalog.book_added"]})

    webhook = Webhook.objects.get()
    told = response.json()
    assert response.status_code == 201
    assert response.headers["Location"].endswith(f"/api/v1/webhooks/{webhook.pk}")
    assert told["secret"] == secret_of(webhook)
    assert told == {
        "id": str(webhook.pk),
        "url": listener.url,
        "event_types": ["catalog.book_added", "orders.*"],
        "description": "",
        "status": "enabled",
        "disabled_reason": None,
        "disabled_at": None,
        "failing_since": None,
        "last_success_at": None,
        "created_at": told["created_at"],
        "updated_at": told["updated_at"],
        "secret": told["secret"],
    }
    read = api.get(response.headers["Location"]).json()
    assert read == {name: value for name, value in told.items() if name != "secret"}
    assert api.get("/webhooks").json() == {"results": [read], "next": None, "previous": None}


@pytest.mark.parametrize(
    ("url", "detail"),
    [
        ("https://127.0.0.1/hooks", "127.0.0.1 is not on the public internet; a webhook leads nowhere else"),
        ("https://169.254.169.254/latest", "169.254.169.254 is not on the public internet"),
        ("http://hooks.test/", "must begin with https://"),
        ("https://anna:pw@hooks.test/", "must hold no user name and no password"),
        ("https://nowhere.internal/", "nowhere.internal can't be resolved to an address"),
    ],
)
def test_an_address_that_can_not_be_one_is_refused(api, names, url, detail):
    names["hooks.test"], names["nowhere.internal"] = [["93.184.216.34"]], [[]]

    response = api.post("/webhooks", {"url": url, "event_types": ["*"]})

    assert response.status_code == 422
    assert response.json()["code"] == "validation_failed"
    ((pointer, said),) = errors(response)
    assert pointer == "#/url"
    assert said.startswith(detail)
    assert not Webhook.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("event_types", "pointer"),
    [
        ([], "#/event_types"),
        (["orders.order_lost"], "#/event_types"),
        (["order.*"], "#/event_types"),
        (["events.*"], "#/event_types"),
        (["events.delivery_retried"], "#/event_types"),
        (["orders*"], "#/event_types"),
        ([""], "#/event_types/0"),
        (["x" * 101], "#/event_types/0"),
        ([7], "#/event_types/0"),
        ("orders.*", "#/event_types"),
    ],
)
def test_a_type_that_no_event_has_is_refused(api, listener, event_types, pointer):
    response = api.post("/webhooks", {"url": listener.url, "event_types": event_types})

    assert response.status_code == 422
    assert [place for place, _ in errors(response)] == [pointer]
    assert not Webhook.objects.exists()


def test_sent_again_it_is_not_added_again_and_its_secret_not_told_again(api, listener):
    body = {"url": listener.url, "event_types": ["*"]}
    first = api.post("/webhooks", body, headers={"Idempotency-Key": "1"})
    second = api.post("/webhooks", body, headers={"Idempotency-Key": "1"})

    assert (first.status_code, second.status_code) == (201, 409)
    assert (second.json()["code"], second.json()["existing_id"]) == ("already_created", first.json()["id"])
    assert first.json()["secret"] not in json.dumps(list(KeptAnswer.objects.values()), default=str)
    assert Webhook.objects.count() == 1


def test_it_is_changed(api, added, listener):
    response = api.patch(
        f"/webhooks/{added['id']}", {"url": f"{listener.url}/new", "event_types": ["*"], "description": None}
    )

    told = response.json()
    assert response.status_code == 200
    assert (told["url"], told["event_types"], told["description"]) == (f"{listener.url}/new", ["*"], "")
    assert "secret" not in told
    (changed,) = Event.objects.filter(name="webhooks.webhook_changed")
    assert changed.data["event_types"] == ["*"]
    assert changed.actor == ApiKey.objects.get().actor


def test_to_change_nothing_is_no_event(api, added):
    assert api.patch(f"/webhooks/{added['id']}", {}).status_code == 200
    assert api.patch(f"/webhooks/{added['id']}", {"event_types": ["catalog.*"], "status": "enabled"}).status_code == 200

    assert not Event.objects.exclude(name="webhooks.webhook_added").exists()


@pytest.mark.parametrize(
    "body",
    [
        *({"url": "https://10.0.0.1/"}, {"event_types": []}, {"status": "paused"}, {"secret": "x"}, {"url": None}),
        {"description": "x" * 201},
    ],
)
def test_what_can_not_be_is_not_changed(api, added, settings, body):
    settings.WEBHOOKS_ALLOW_PRIVATE = False
    before = api.get(f"/webhooks/{added['id']}").json()

    assert api.patch(f"/webhooks/{added['id']}", body).status_code == 422

    assert api.get(f"/webhooks/{added['id']}").json() == before


def test_it_is_disabled_and_enabled_again(api, added, listener):
    path = f"/webhooks/{added['id']}"
    a_book("owed")
    disabled = api.patch(path, {"status": "disabled"}).json()
    a_book("missed")
    Relay().drain()

    assert (disabled["status"], disabled["disabled_reason"]) == ("disabled", "by_hand")
    assert disabled["disabled_at"]
    enabled = api.patch(path, {"status": "enabled"}).json()
    assert (enabled["status"], enabled["disabled_reason"], enabled["disabled_at"]) == ("enabled", None, None)
    Relay().drain()
    assert listener.received == []


def test_it_is_removed(api, added, listener):
    a_book()
    response = api.delete(f"/webhooks/{added['id']}")

    Relay().drain()
    assert (response.status_code, response.content, response.headers.get("Content-Type")) == (204, b"", None)
    assert listener.received == []
    assert api.get(f"/webhooks/{added['id']}").status_code == 404


def test_its_secret_is_rotated_and_told_once(api, added, listener):
    response = api.post(f"/webhooks/{added['id']}/rotate", headers={"Idempotency-Key": "1"})
    again = api.post(f"/webhooks/{added['id']}/rotate", headers={"Idempotency-Key": "1"})

    new = response.json()["secret"]
    assert (response.status_code, again.status_code) == (200, 409)
    assert new != added["secret"]
    assert again.json()["code"] == "already_created"
    a_book()
    Relay().drain()
    for secret in (new, added["secret"]):
        listener.received[0].verified(secret)


def test_a_ping_is_on_its_way_and_then_in_the_log(api, added, listener):
    response = api.post(f"/webhooks/{added['id']}/ping")

    assert response.status_code == 202
    sent = response.json()
    assert (sent["event_type"], sent["status"], sent["attempts"]) == ("bookshelf.ping", "pending", 0)
    Relay().drain()
    (logged,) = api.get(f"/webhooks/{added['id']}/deliveries").json()["results"]
    assert logged["id"] == sent["id"] == listener.received[0].id
    assert (logged["status"], logged["response_status"], logged["response_body"]) == ("delivered", 200, "thank you")


def test_the_log_tells_what_came_of_it(api, added, listener):
    a_book()
    listener.then(answering(500, b"oops"))
    Relay().drain()

    (logged,) = api.get(f"/webhooks/{added['id']}/deliveries").json()["results"]

    event = Event.objects.get(name="catalog.book_added")
    assert logged == {
        "id": str(event.uid),
        "event_type": "catalog.book_added",
        "occurred_at": logged["occurred_at"],
        "status": "pending",
        "attempts": 1,
        "attempted_at": logged["attempted_at"],
        "duration_ms": logged["duration_ms"],
        "response_status": 500,
        "response_body": "oops",
        "error": "answered 500",
        "next_attempt_at": logged["next_attempt_at"],
        "waits_for": None,
    }
    assert logged["occurred_at"] <= logged["attempted_at"] < logged["next_attempt_at"]
    assert api.get(f"/webhooks/{added['id']}").json()["failing_since"] == logged["attempted_at"]


def test_the_log_has_pages(api, added, listener, django_assert_num_queries):
    for number in range(5):
        a_book(f"volume {number}")
    Relay().drain()
    path = f"/webhooks/{added['id']}/deliveries?limit=2"

    with django_assert_num_queries(4):  # key, webhook, deliveries, attempts
        first = api.get(path).json()
    second = api.get(first["next"]).json()
    third = api.get(second["next"]).json()

    pages = [[one["id"] for one in page["results"]] for page in (first, second, third)]
    newest_first = Event.objects.filter(name="catalog.book_added").order_by("-pk").values_list("uid", flat=True)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [uid for page in pages for uid in page] == [str(uid) for uid in newest_first]
    assert api.get(second["previous"]).json()["results"] == first["results"]


def test_it_is_sent_again(api, added, listener):
    a_book()
    Relay().drain()
    path = f"/webhooks/{added['id']}/deliveries"
    (logged,) = api.get(path).json()["results"]

    response = api.post(f"{path}/{logged['id']}/resend")

    owed = response.json()
    assert (response.status_code, owed["status"], owed["error"]) == (202, "pending", "")
    Relay().drain()
    assert listener.ids == [logged["id"]] * 2


def test_a_disabled_webhook_is_sent_nothing_again(api, added, listener):
    a_book()
    Relay().drain()
    api.patch(f"/webhooks/{added['id']}", {"status": "disabled"})

    response = api.post(f"/webhooks/{added['id']}/deliveries/{listener.ids[0]}/resend")

    assert (response.status_code, response.json()["code"]) == (409, "webhook_disabled")
    assert Delivery.objects.get(target=Webhook.objects.get().target).status == "done"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/webhooks/{UNKNOWN}"),
        ("PATCH", f"/webhooks/{UNKNOWN}"),
        ("DELETE", f"/webhooks/{UNKNOWN}"),
        ("POST", f"/webhooks/{UNKNOWN}/ping"),
        ("POST", f"/webhooks/{UNKNOWN}/rotate"),
        ("GET", f"/webhooks/{UNKNOWN}/deliveries"),
        ("POST", f"/webhooks/{UNKNOWN}/deliveries/{UNKNOWN}/resend"),
    ],
)
def test_what_is_not_there_is_not_found(api, method, path):
    response = api.generic(method, path, "{}" if method == "PATCH" else "", content_type="application/json")

    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert response.json()["detail"] == "There is no such webhook."


def test_a_message_of_another_webhook_is_not_found(api, added, listener):
    a_book()
    Relay().drain()
    other = api.post("/webhooks", {"url": listener.url, "event_types": ["*"]}).json()

    response = api.post(f"/webhooks/{other['id']}/deliveries/{listener.ids[0]}/resend")

    assert response.status_code == 404
    assert len(listener.received) == 1


@pytest.mark.parametrize("group", ["Read-only", "Bookseller"])
def test_who_is_told_what_is_not_everybodys_business(api_of, group):
    response = api_of(group).get("/webhooks")

    assert (response.status_code, response.json()["permission"]) == (403, "webhooks.view_webhook")


@pytest.mark.parametrize("group", ["Manager", "Integration"])
def test_managers_and_integrations_may_do_everything(group):
    from django.contrib.auth.models import Group

    theirs = Group.objects.get(name=group).permissions.filter(content_type__app_label="webhooks")

    assert set(theirs) == set(Permission.objects.filter(content_type__app_label="webhooks"))
    assert theirs.count() == 4


def test_the_secret_is_in_no_list_no_event_no_log_and_no_refusal(api, listener, caplog):
    caplog.set_level(logging.DEBUG)
    added = api.post(
        "/webhooks", {"url": f"{listener.url}?token=t0ken", "event_types": ["*"]}, headers={"Idempotency-Key": "1"}
    ).json()
    path = f"/webhooks/{added['id']}"
    rotated = api.post(f"{path}/rotate").json()
    listener.then(answering(500), answering(302, Location="/x"))
    api.post(f"{path}/ping")
    a_book()
    Relay().drain()

    said = [
        api.get("/webhooks").content.decode(),
        api.get(path).content.decode(),
        api.get(f"{path}/deliveries").content.decode(),
        api.patch(path, {"description": "x"}).content.decode(),
        api.post(f"{path}/ping").content.decode(),
        api.patch(path, {"secret": added["secret"]}).headers.get("Location", ""),
        api.post("/webhooks", {"url": "https://x:y@z/", "event_types": ["*"]}).content.decode(),
        api.get("/events").content.decode(),
        json.dumps(list(Event.objects.values("data", "actor", "stream")), default=str),
        json.dumps(list(Delivery.objects.values()), default=str),
        json.dumps([one.body.decode() for one in listener.received]),
        caplog.text,
    ]
    for secret in (added["secret"], rotated["secret"], added["secret"].removeprefix("whsec_")):
        assert [text for text in said if secret in text] == []
    # what the address holds is its owner's: it stands with the webhook, and nowhere else
    assert [place for place, text in enumerate(said) if "t0ken" in text] == [0, 1, 3]
