from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from bookshelf_site.access.limits import admit
from bookshelf_site.access.models import ApiKey
from bookshelf_site.access.services import create_api_key, revoke_api_key, rotate_api_key
from bookshelf_site.errors import InvalidValue
from bookshelf_site.events import current_actor
from bookshelf_site.events.models import Event
from catalog.models import Book

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(db):
    return create_api_key(name="web shop", group=Group.objects.get(name="Integration"))


def get(authorization, path="/api/v1/books"):
    return Client().get(path, headers={"Authorization": authorization} if authorization else {})


def refusal(response):
    problem = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    return response.status_code, problem["code"], response.headers["WWW-Authenticate"]


def test_a_key_opens_the_api(made):
    _, secret = made

    for sent in (f"Bearer {secret}", f"bearer  {secret} "):
        assert get(sent).status_code == 200


@pytest.mark.parametrize(
    "sent", [None, "", "Bearer", "Bearer ", "Bearer bs_00000000_wrong", "Basic dXNlcjpwYXNz", "Bearer \xe9", "banana"]
)
def test_no_key_or_a_wrong_one_is_refused(made, sent):
    assert refusal(get(sent)) == (401, "unauthenticated", 'Bearer realm="Bookshelf"')


def test_a_key_in_the_address_or_a_cookie_is_none(made):
    _, secret = made
    client = Client()
    client.cookies["Authorization"] = f"Bearer {secret}"

    assert client.get(f"/api/v1/books?key={secret}").status_code == 401


def test_the_secret_is_not_what_is_kept(made):
    key, secret = made

    assert secret not in str(ApiKey.objects.values().get(pk=key.pk))
    assert refusal(get(f"Bearer {key.hash}"))[0] == 401


def test_a_revoked_key_is_refused_at_once(made):
    key, secret = made
    revoke_api_key(key_id=key.pk)

    assert refusal(get(f"Bearer {secret}"))[1] == "unauthenticated"


def test_an_expired_key_is_refused(db):
    _, secret = create_api_key(name="intern", group=Group.objects.get(name="Read-only"), expires_in=timedelta(days=30))

    assert get(f"Bearer {secret}").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(days=30, seconds=1)):
        assert refusal(get(f"Bearer {secret}"))[0] == 401


def test_the_key_of_an_account_that_was_shut_is_refused(made):
    key, secret = made
    key.account.is_active = False
    key.account.save()

    assert refusal(get(f"Bearer {secret}"))[0] == 401


def test_a_right_that_is_taken_away_is_gone_with_the_next_request(made):
    key, secret = made
    key.account.groups.clear()

    response = get(f"Bearer {secret}")

    assert response.status_code == 403
    assert response.json()["permission"] == "catalog.view_book"


def test_a_right_of_the_accounts_own_or_of_a_superuser_is_a_right_too(made):
    key, secret = made
    key.account.groups.clear()
    key.account.user_permissions.add(Permission.objects.get(codename="view_book"))
    by_its_own = get(f"Bearer {secret}").status_code, get(f"Bearer {secret}", "/api/v1/stock").status_code

    key.account.is_superuser = True
    key.account.save()

    assert by_its_own == (200, 403)
    assert get(f"Bearer {secret}", "/api/v1/stock").status_code == 200


@pytest.mark.parametrize(("overlap", "status_of_the_old"), [(timedelta(0), 401), (timedelta(minutes=5), 200)])
def test_a_rotated_key_has_a_successor_with_the_same_rights(made, overlap, status_of_the_old):
    old, old_secret = made

    key, secret = rotate_api_key(key_id=old.pk, overlap=overlap)

    assert (key.name, key.account, key.expires_at) == (old.name, old.account, None)
    assert (get(f"Bearer {secret}").status_code, get(f"Bearer {old_secret}").status_code) == (200, status_of_the_old)
    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        assert (get(f"Bearer {secret}").status_code, get(f"Bearer {old_secret}").status_code) == (200, 401)


def test_a_key_that_opens_nothing_has_no_successor(made):
    key, _ = made
    revoke_api_key(key_id=key.pk)

    with pytest.raises(InvalidValue, match="this key is revoked"):
        rotate_api_key(key_id=key.pk)

    assert ApiKey.objects.count() == 1


def test_the_last_use_is_noted_to_the_hour(made):
    key, secret = made
    noted = []

    with time_machine.travel(datetime(2026, 1, 1, 12, tzinfo=UTC), tick=False) as clock:
        for _ in range(3):
            get(f"Bearer {secret}")
            noted.append(ApiKey.objects.get(pk=key.pk).last_used_at)
            clock.shift(40 * 60)

    assert [use and use.strftime("%H:%M") for use in noted] == ["12:00", "12:00", "13:20"]


def test_a_member_of_staff_who_is_logged_in_does_not_open_the_api(admin_client):
    assert admin_client.get("/api/v1/books").status_code == 401


def test_an_unknown_key_costs_one_query_and_a_good_one_writes_nothing(made, django_assert_num_queries):
    with django_assert_num_queries(1):
        get("Bearer bs_00000000_wrong")
    admit(made[0])
    with django_assert_num_queries(2) as queries:  # the key with its right, and the page
        get(f"Bearer {made[1]}")

    assert all(query["sql"].startswith("SELECT") for query in queries)


def test_what_a_key_does_is_its_deed_and_nobody_elses_after(made, admin_client):
    key, secret = made
    sent = {"content_type": "application/json", "headers": {"Authorization": f"Bearer {secret}"}}

    admin_client.post("/api/v1/books", {"title": "Emma", "author": "Jane Austen", "price": None}, **sent)
    after_the_deed = current_actor()
    refused = admin_client.post("/api/v1/books", {"title": ""}, **sent)
    after_the_refusal = current_actor()

    assert refused.status_code == 422
    assert Event.objects.exists()
    assert [event.actor for event in Event.objects.all()] == [f"key:web shop:{key.prefix}"] * Event.objects.count()
    assert (after_the_deed, after_the_refusal) == ("", "")


def test_two_keys_in_one_thread_do_not_mix(made):
    for name in ("one", "two"):
        _, secret = create_api_key(name=name, group=Group.objects.get(name="Integration"))
        Client().post(
            "/api/v1/books",
            {"title": name},
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )

    for book in Book.objects.all():
        actors = set(Event.objects.filter(data__title=book.title).values_list("actor", flat=True))
        assert [actor.split(":")[1] for actor in actors] == [book.title]
