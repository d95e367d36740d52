from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.utils import timezone

from bookshelf_site.access.models import ApiKey
from bookshelf_site.access.services import create_api_key, revoke_api_key

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite")]

LIST = "/admin/access/apikey/"


@pytest.fixture
def manager(staff_of):
    return staff_of("Manager")


def made(name="till", **options):
    return create_api_key(name=name, group=Group.objects.get(name="Integration"), **options)


def test_a_key_is_shown_once(manager):
    group = Group.objects.get(name="Integration")

    response = manager.send(f"{LIST}add/", "apikey_form", name="till", group=str(group.pk), expires_in_days="30")

    key = ApiKey.objects.get()
    secret = response.context["key"]
    assert ApiKey.presented(secret) == key
    assert secret in response.page.html
    assert "no-store" in response.headers["Cache-Control"]
    assert list(key.account.groups.all()) == [group]
    assert key.expires_at
    assert timedelta(days=29) < key.expires_at - timezone.now() <= timedelta(days=30)
    assert secret not in manager.open(LIST).html
    assert secret not in manager.open(f"{LIST}{key.pk}/change/").html
    assert f"bs_{key.prefix}_…" in manager.open(LIST).text


def test_a_key_lives_until_it_is_revoked_unless_told(manager):
    manager.send(f"{LIST}add/", "apikey_form", name="till", group=str(Group.objects.get(name="Integration").pk))

    assert ApiKey.objects.get().expires_at is None


@pytest.mark.parametrize(
    ("field", "value"), [("name", ""), ("name", "x" * 101), ("group", "0"), ("expires_in_days", "0")]
)
def test_a_wrong_value_is_named_at_its_field(manager, field, value):
    values = {"name": "till", "group": str(Group.objects.get(name="Integration").pk)} | {field: value}

    response = manager.send(f"{LIST}add/", "apikey_form", **values)

    assert list(response.context["adminform"].form.errors) == [field]
    assert not ApiKey.objects.exists()


def test_nobody_makes_a_key_that_may_do_more_than_they(manager):
    owners = Group.objects.create(name="Owners")
    owners.permissions.set(Permission.objects.filter(codename="delete_user"))

    response = manager.send(f"{LIST}add/", "apikey_form", name="till", group=str(owners.pk))

    assert "it may do more than you" in response.page.text.lower()
    assert not ApiKey.objects.exists()


def test_keys_are_revoked_from_the_list(manager):
    key, secret = made()
    other, _ = made("web shop")

    manager.send(LIST, "changelist-form", action="revoke", _selected_action=[str(key.pk)])

    assert ApiKey.presented(secret) is None
    other.refresh_from_db()
    assert other.revoked_at is None


@pytest.mark.parametrize(("action", "opens"), [("rotate", False), ("rotate_with_overlap", True)])
def test_a_key_is_rotated_and_its_successor_shown_once(manager, action, opens):
    key, secret = made()

    response = manager.send(LIST, "changelist-form", action=action, _selected_action=[str(key.pk)])

    successor = ApiKey.presented(response.context["key"])
    assert successor is not None
    assert (successor.name, successor.account) == ("till", key.account)
    assert (ApiKey.presented(secret) is not None) == opens
    assert response.context["key"] in response.page.html
    assert response.context["key"] not in manager.open(LIST).html


def test_one_key_is_rotated_at_a_time(manager):
    keys = [made()[0], made()[0]]

    response = manager.send(LIST, "changelist-form", action="rotate", _selected_action=[str(key.pk) for key in keys])

    assert ApiKey.objects.count() == 2
    assert "Select one key" in response.page.text


def test_a_key_that_opens_nothing_is_not_rotated(manager):
    key, _ = made()
    revoke_api_key(key_id=key.pk)

    response = manager.send(LIST, "changelist-form", action="rotate", _selected_action=[str(key.pk)])

    assert ApiKey.objects.count() == 1
    assert "this key is revoked" in response.page.text


def test_nobody_rotates_a_key_that_may_do_more_than_they(manager):
    key, secret = made()
    key.account.user_permissions.add(Permission.objects.get(codename="delete_session"))

    manager.send(LIST, "changelist-form", action="rotate", _selected_action=[str(key.pk)])

    assert ApiKey.objects.count() == 1
    assert ApiKey.presented(secret) == key


def test_the_list_tells_the_state_of_each_key(manager):
    made("live one")
    made("expired one", expires_in=timedelta(days=-1))
    revoke_api_key(key_id=made("revoked one")[0].pk)

    rows = manager.get(LIST).context["cl"].result_list

    assert {key.name: str(key.state) for key in rows} == {
        "live one": "live",
        "expired one": "expired",
        "revoked one": "revoked",
    }


def test_nothing_of_a_key_is_a_field(manager):
    key, _ = made()

    assert manager.post(f"{LIST}{key.pk}/change/", {"name": "evil", "hash": "0" * 64}).status_code == 403

    key.refresh_from_db()
    assert key.name == "till"


def test_no_key_is_deleted(admin_client):
    key, _ = made()

    assert admin_client.post(f"{LIST}{key.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("group", ["Bookseller", "Read-only", "Integration"])
def test_who_holds_which_key_is_the_managers_business(staff_of, group):
    key, _ = made()
    person = staff_of(group)

    assert person.get(LIST).status_code == 403
    assert person.get(f"{LIST}add/").status_code == 403
    assert person.get(f"{LIST}{key.pk}/change/").status_code == 403


def test_a_manager_makes_colleagues(manager):
    response = manager.send(
        "/admin/auth/user/add/",
        "user_form",
        username="ben",
        password1="a long one for ben",
        password2="a long one for ben",
    )

    assert response.status_code == 200
    assert User.objects.filter(username="ben").exists()
    assert "Groups" in manager.open("/admin/").text


def test_the_lists_cost_the_same_for_many(manager, django_assert_max_num_queries):
    for number in range(30):
        made(f"key {number}")

    with django_assert_max_num_queries(8):
        manager.get(LIST)
