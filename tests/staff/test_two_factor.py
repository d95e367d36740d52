"""Two-factor login, as its user meets it."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from bookshelf_site.staff import two_factor
from bookshelf_site.staff.errors import WrongCode
from tests.desk import Desk, Page
from tests.racing import outcomes, race

pytestmark = pytest.mark.heavy("sqlite")

LOGIN, CODE, PAGE = "/admin/login/", "/admin/login/code/", "/admin/two-factor/"
PASSWORD = "correct horse battery"


@pytest.fixture
def ann(db):
    return User.objects.create_user("ann", password=PASSWORD, is_staff=True)


@pytest.fixture
def codes(ann):
    """The backup codes of ann, who turned it on some time ago."""
    with time_machine.travel(timezone.now() - timedelta(minutes=5)):
        device = two_factor.begin(ann)
        return two_factor.confirm(ann, code_of(device))


def code_of(device, *, later=0):
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    totp.time = timezone.now().timestamp() + later
    return f"{totp.token():06}"


def app(user):
    return TOTPDevice.objects.get(user=user)


def wrong(code):
    return f"{(int(code) + 1) % 1_000_000:06}"


def desk_of(user):
    desk = Desk()
    desk.force_login(user)
    return desk


def by_password(client=None):
    desk = client or Desk()
    answer = desk.post(LOGIN, {"username": "ann", "password": PASSWORD, "next": "/admin/catalog/"})
    return desk, answer


def is_in(desk):
    return desk.get("/admin/").status_code == 200


def test_it_is_set_up_by_a_picture_and_a_code(ann):
    desk = desk_of(ann)

    desk.send(PAGE, "begin-form")
    page = desk.open(PAGE)
    answer = desk.send(PAGE, "confirm-form", code=code_of(app(ann)))

    assert "<svg" in page.html
    assert 'class="qr"' in page.html
    assert two_factor.secret_of(app(ann)) in page.text
    assert "style=" not in page.html[page.html.index('class="two-factor"') :]
    shown = [code.replace("-", "") for code in answer.context["codes"]]
    assert sorted(shown) == sorted(StaticToken.objects.values_list("token", flat=True))
    assert len(set(shown)) == 10
    assert "no-store" in answer.headers["Cache-Control"]


def test_neither_secret_nor_backup_codes_are_shown_again(ann, codes):
    page = desk_of(ann).open(PAGE)

    assert "10 backup codes are left" in page.text
    assert two_factor.secret_of(app(ann)) not in page.text
    assert not any(code in page.html for code in codes)


def test_what_is_not_confirmed_asks_nobody_for_a_code(ann):
    desk = desk_of(ann)
    desk.send(PAGE, "begin-form")
    desk.send(PAGE, "confirm-form", code=wrong(code_of(app(ann))))

    fresh, answer = by_password()

    assert answer.headers["Location"] == "/admin/catalog/"
    assert is_in(fresh)


def test_who_has_it_on_is_asked_for_a_code_after_the_password(ann, codes):
    desk, answer = by_password()

    assert answer.headers["Location"] == f"{CODE}?next=%2Fadmin%2Fcatalog%2F"
    assert not is_in(desk)
    done = desk.post(answer.headers["Location"], {"code": code_of(app(ann)), "next": "/admin/catalog/"})
    assert done.headers["Location"] == "/admin/catalog/"
    assert is_in(desk)


def test_a_code_is_good_for_one_time_only(ann, codes):
    code = code_of(app(ann))
    first, _ = by_password()
    first.post(CODE, {"code": code})
    second, _ = by_password()

    answer = second.post(CODE, {"code": code})

    assert "Each code is good for one time only" in Page(answer.content.decode()).text
    assert is_in(first)
    assert not is_in(second)


@pytest.mark.django_db(transaction=True)
@pytest.mark.heavy("sqlite", "postgresql")
def test_of_two_who_send_one_code_at_once_one_gets_in():
    ann = User.objects.create_user("ann", password=PASSWORD, is_staff=True)
    with time_machine.travel(timezone.now() - timedelta(minutes=5)):
        two_factor.confirm(ann, code_of(two_factor.begin(ann)))
    code = code_of(app(ann))

    done = race([lambda: two_factor.verify(ann, code)] * 2)

    assert outcomes(done)["done"] == 1


@pytest.mark.parametrize("spelling", [str, str.upper, lambda code: code.replace("-", " ")])
def test_a_backup_code_lets_in_once_however_it_is_written(ann, codes, spelling):
    desk, _ = by_password()
    desk.post(CODE, {"code": spelling(codes[0])})
    again, _ = by_password()
    again.post(CODE, {"code": codes[0]})

    assert is_in(desk)
    assert not is_in(again)
    assert StaticToken.objects.count() == 9


def test_wrong_codes_are_counted_with_wrong_passwords(ann, codes):
    desk, _ = by_password()
    for _ in range(5):
        answer = desk.post(CODE, {"code": "not a code"})

    assert answer.status_code == 429
    assert desk.post(CODE, {"code": code_of(app(ann))}).status_code == 429
    assert by_password()[1].status_code == 429
    assert not is_in(desk)


def test_after_a_wrong_code_the_next_has_to_wait_a_moment(ann, codes):
    desk, _ = by_password()
    right = code_of(app(ann))
    desk.post(CODE, {"code": wrong(right)})

    answer = desk.post(CODE, {"code": right})

    assert "Too many wrong codes: try again in 1 s" in Page(answer.content.decode()).text
    assert not is_in(desk)


def test_a_code_without_a_password_is_sent_back_to_it(ann, codes):
    answer = Desk().post(CODE, {"code": code_of(app(ann))})

    assert answer.headers["Location"].startswith(LOGIN)


def test_who_takes_more_than_five_minutes_begins_again(ann, codes):
    desk, _ = by_password()

    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        answer = desk.post(CODE, {"code": code_of(app(ann))})

    assert answer.headers["Location"].startswith(LOGIN)


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}, {"password": "changed"}])
def test_who_was_shut_out_meanwhile_stays_out(ann, codes, change):
    desk, _ = by_password()
    User.objects.filter(pk=ann.pk).update(**change)

    answer = desk.post(CODE, {"code": code_of(app(ann))})

    assert answer.headers["Location"].startswith(LOGIN)
    assert not is_in(desk)


def test_it_is_turned_off_by_password_and_code(ann, codes):
    desk = desk_of(ann)

    desk.send(PAGE, "turn-off-form", password="wrong", code=codes[0])
    desk.send(PAGE, "turn-off-form", password=PASSWORD, code="abcd-efgh")
    assert two_factor.is_on(ann)
    desk.send(PAGE, "turn-off-form", password=PASSWORD, code=code_of(app(ann)))

    assert not two_factor.is_on(ann)
    assert not StaticDevice.objects.exists()
    assert by_password()[1].headers["Location"] == "/admin/catalog/"


def test_new_backup_codes_take_the_place_of_the_old(ann, codes):
    answer = desk_of(ann).send(PAGE, "renew-form", code=code_of(app(ann)))

    assert not set(codes) & set(answer.context["codes"])
    with pytest.raises(WrongCode):
        two_factor.verify(ann, codes[0])
    assert StaticToken.objects.count() == 10


def test_the_app_of_another_is_of_no_use(ann, codes):
    ben = User.objects.create_user("ben", is_staff=True)
    device = two_factor.begin(ben)

    with pytest.raises(WrongCode):
        two_factor.verify(ann, code_of(device))


def test_a_manager_turns_it_off_for_who_lost_the_phone_and_sees_no_secret(ann, codes, staff_of):
    manager = staff_of("Manager")
    secret = two_factor.secret_of(app(ann))

    page = manager.open(f"/admin/auth/user/{ann.pk}/change/")
    asked = manager.open(f"/admin/auth/user/{ann.pk}/two_factor/")
    assert f"/admin/auth/user/{ann.pk}/two_factor/" in page.links
    assert not any(hidden in page.html + asked.html for hidden in (secret, app(ann).key, secret.replace(" ", "")))
    manager.post(f"/admin/auth/user/{ann.pk}/two_factor/")

    assert not two_factor.is_on(ann)
    assert "Turned two-factor login off." in LogEntry.objects.latest("id").change_message
    assert LogEntry.objects.filter(user__username="manager", object_id=ann.pk).exists()


@pytest.mark.parametrize("group", ["Bookseller", "Read-only", "Integration"])
def test_nobody_else_turns_it_off_for_another(ann, codes, staff_of, group):
    assert staff_of(group).post(f"/admin/auth/user/{ann.pk}/two_factor/").status_code == 403
    assert two_factor.is_on(ann)


def test_a_manager_can_not_turn_it_off_for_an_owner(codes, ann, staff_of):
    User.objects.filter(pk=ann.pk).update(is_superuser=True)

    assert staff_of("Manager").post(f"/admin/auth/user/{ann.pk}/two_factor/").status_code == 403
    assert two_factor.is_on(ann)


def test_no_page_of_the_admin_shows_the_devices():
    assert not {TOTPDevice, StaticDevice, StaticToken} & set(admin.site._registry)


def test_the_page_is_for_staff(db, client):
    assert client.get(PAGE).status_code == 302
    client.force_login(User.objects.create_user("customer"))
    assert client.get(PAGE).status_code == 302


def test_managers_see_who_has_it_on(ann, codes, staff_of):
    ann.groups.add(Group.objects.get(name="Bookseller"))

    page = staff_of("Manager").open("/admin/auth/user/")

    assert 'alt="True"' in page.html[page.html.index("field-has_two_factor") :]


def test_a_command_lets_the_only_manager_in_again(ann, codes, capsys):
    call_command("turn_off_two_factor", "ann")

    assert capsys.readouterr().out == "ann logs in by the password alone.\n"
    assert by_password()[1].headers["Location"] == "/admin/catalog/"


@pytest.mark.parametrize(("name", "code"), [("nobody", 2), ("ben", 1)])
def test_the_command_says_when_there_is_nothing_to_turn_off(db, name, code):
    User.objects.create_user("ben")

    with pytest.raises(CommandError) as refused:
        call_command("turn_off_two_factor", name)

    assert refused.value.returncode == code
