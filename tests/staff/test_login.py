"""The login: how often it may be tried, from where, and what is kept of it."""

from datetime import timedelta

import pytest
import time_machine
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from bookshelf_site.staff.models import FailedLogin
from tests.desk import Desk
from tests.racing import outcomes, race

pytestmark = pytest.mark.heavy("sqlite")

LOGIN = "/admin/login/"
PASSWORD = "correct horse battery"


@pytest.fixture
def ann(db):
    return User.objects.create_user("ann", password=PASSWORD, is_staff=True)


def attempt(password="wrong", *, name="ann", client=None, **extra):
    return (client or Desk()).post(LOGIN, {"username": name, "password": password}, **extra)


def fail(times, **options):
    return [attempt(**options).status_code for _ in range(times)]


def test_staff_log_in_and_come_to_where_they_wanted_to_be(ann):
    desk = Desk()

    arrived = desk.post(
        f"{LOGIN}?next=/admin/catalog/", {"username": "ann", "password": PASSWORD, "next": "/admin/password_change/"}
    )

    assert arrived.headers["Location"] == "/admin/password_change/"
    assert attempt(PASSWORD).headers["Location"] == "/admin/"
    assert desk.get(LOGIN).headers["Location"] == "/admin/"


def test_the_login_leads_to_no_other_site(ann):
    arrived = Desk().post(LOGIN, {"username": "ann", "password": PASSWORD, "next": "https://evil.example/"})

    assert arrived.headers["Location"] == "/admin/"


def test_who_is_not_staff_is_not_let_in(db):
    User.objects.create_user("customer", password=PASSWORD)

    assert attempt(PASSWORD, name="customer").status_code == 200


def test_after_five_wrong_passwords_the_right_one_has_to_wait(ann):
    assert fail(4) == [200] * 4

    locked = attempt()
    right = attempt(PASSWORD)

    assert [locked.status_code, right.status_code] == [429, 429]
    assert 0 < int(right.headers["Retry-After"]) <= 15 * 60
    until = timezone.localtime(AccessAttempt.objects.get().attempt_time + settings.AXES_COOLOFF_TIME)
    assert "Try again at" in right.content.decode()
    assert str(until.minute) in right.content.decode()


def test_after_a_quarter_of_an_hour_the_login_is_open_again(ann):
    with time_machine.travel(timezone.now() - timedelta(minutes=16), tick=False):
        fail(5)

    assert attempt(PASSWORD).status_code == 302


def test_who_tries_on_meanwhile_does_not_wait_longer_for_it(ann):
    with time_machine.travel(timezone.now() - timedelta(minutes=14)):
        fail(5)
    fail(3)

    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        assert attempt(PASSWORD).status_code == 302


def test_a_success_forgets_what_failed_before(ann):
    fail(4)
    attempt(PASSWORD)

    assert fail(4) == [200] * 4


def test_another_name_and_another_address_do_not_wait(ann):
    User.objects.create_user("ben", password=PASSWORD, is_staff=True)
    fail(5)

    assert attempt(PASSWORD, name="ben").status_code == 302
    assert attempt(PASSWORD, REMOTE_ADDR="192.0.2.7").status_code == 302
    assert attempt(PASSWORD).status_code == 429


def test_who_changes_the_browser_waits_all_the_same(ann):
    for number in range(5):
        attempt(headers={"user-agent": f"browser {number}"})

    assert attempt(PASSWORD, headers={"user-agent": "another"}).status_code == 429


def test_behind_a_proxy_the_client_counts_and_not_the_proxy(ann, settings):
    from ipaddress import ip_network

    settings.TRUSTED_PROXIES = [ip_network("10.0.0.0/8")]
    fail(5, REMOTE_ADDR="10.0.0.1", headers={"x-forwarded-for": "192.0.2.1"})

    assert attempt(PASSWORD, REMOTE_ADDR="10.0.0.1", headers={"x-forwarded-for": "192.0.2.2"}).status_code == 302
    assert attempt(PASSWORD, REMOTE_ADDR="10.0.0.1", headers={"x-forwarded-for": "192.0.2.1"}).status_code == 429


def test_who_is_no_proxy_can_not_pretend_to_be_somewhere_else(ann):
    for number in range(5):
        attempt(headers={"x-forwarded-for": f"192.0.2.{number}"})

    assert attempt(PASSWORD, headers={"x-forwarded-for": "192.0.2.99"}).status_code == 429
    assert [one.ip_address for one in AccessAttempt.objects.all()] == ["127.0.0.1"]


def test_a_login_over_a_socket_without_an_address_is_counted_too(ann):
    fail(5, REMOTE_ADDR="")

    assert attempt(PASSWORD, REMOTE_ADDR="").status_code == 429


def test_no_password_is_kept(ann):
    attempt("hunter2-typed-in-haste")

    kept = AccessAttempt.objects.get()
    assert "hunter2" not in f"{vars(kept)}"


@pytest.mark.django_db(transaction=True)
@pytest.mark.heavy("sqlite", "postgresql")
def test_tries_at_once_are_all_counted():
    User.objects.create_user("ann", password=PASSWORD, is_staff=True)

    done = race([attempt] * 5)

    assert outcomes(done) == {"done": 5}
    assert attempt(PASSWORD).status_code == 429


def test_a_manager_lets_somebody_try_again(ann, staff_of):
    fail(5)
    manager = staff_of("Manager")
    failed = FailedLogin.objects.get()

    page = manager.open("/admin/staff/failedlogin/")
    manager.post("/admin/staff/failedlogin/", {"action": "unlock", "_selected_action": [failed.pk]})

    assert "ann" in page.text
    assert attempt(PASSWORD).status_code == 302


@pytest.mark.parametrize("group", ["Bookseller", "Read-only", "Integration"])
def test_only_managers_see_who_failed(ann, staff_of, group):
    assert staff_of(group).get("/admin/staff/failedlogin/").status_code == 403


def test_a_password_is_changed_by_who_knows_the_old_one(ann, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher", *settings.PASSWORD_HASHERS]
    desk = Desk()
    desk.force_login(ann)
    new = {"new_password1": "a new and longer one", "new_password2": "a new and longer one"}

    desk.post("/admin/password_change/", {"old_password": "wrong", **new})
    assert attempt("a new and longer one").status_code == 200
    desk.post("/admin/password_change/", {"old_password": PASSWORD, **new})

    assert attempt("a new and longer one").status_code == 302
    assert User.objects.get().password.startswith("argon2")


@pytest.mark.parametrize("weak", ["short", "password123", "1234567890"])
def test_a_weak_password_is_refused(ann, weak):
    desk = Desk()
    desk.force_login(ann)

    answer = desk.post(
        "/admin/password_change/", {"old_password": PASSWORD, "new_password1": weak, "new_password2": weak}
    )

    assert "new_password2" in answer.context["form"].errors
    assert attempt(weak).status_code == 200
