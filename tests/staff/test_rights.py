"""Users and groups: who may make whom what."""

from functools import partial

import pytest
from django.contrib.auth.models import Group, Permission, User

from bookshelf_site.staff import rights
from bookshelf_site.staff.errors import NoManagerLeft
from tests.desk import Desk
from tests.racing import outcomes, race

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite")]


def group(name):
    return Group.objects.get(name=name)


def member(name, *groups, **options):
    user = User.objects.create_user(name, password="a long one", is_staff=True, **options)
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


def at_work(user):
    desk = Desk()
    desk.force_login(user)
    return desk


def address(user):
    return f"/admin/auth/user/{user.pk}/change/"


@pytest.fixture
def manager():
    return member("manager", "Manager")


@pytest.fixture
def desk(manager):
    return at_work(manager)


def right(name):
    app_label, codename = name.split(".")
    return Permission.objects.get(content_type__app_label=app_label, codename=codename)


def test_a_manager_adds_a_bookseller(desk):
    desk.send(
        "/admin/auth/user/add/", "user_form", username="ben", password1="quite a long one", password2="quite a long one"
    )
    ben = User.objects.get(username="ben")
    desk.send(address(ben), "user_form", is_staff="on", groups=[str(group("Bookseller").pk)])

    ben = User.objects.get(username="ben")
    assert ben.is_staff
    assert ben.has_perm("orders.ship_order")
    assert not ben.has_perm("auth.change_user")


def test_a_manager_makes_nobody_an_owner_and_gives_no_single_rights(desk, manager):
    ben = member("ben")

    page = desk.open(address(ben))
    desk.send(address(ben), "user_form", is_superuser="on", user_permissions=[str(right("auth.delete_user").pk)])
    desk.send(address(manager), "user_form", is_superuser="on")

    assert not {"is_superuser", "user_permissions"} & set(page.form("user_form").values)
    assert not User.objects.filter(is_superuser=True).exists()
    assert not ben.user_permissions.exists()


def test_a_manager_puts_nobody_into_a_group_that_may_do_more(desk, manager):
    Group.objects.create(name="Owners").permissions.set([right("auth.delete_user")])
    ben = member("ben")

    answer = desk.send(address(ben), "user_form", groups=[str(group("Owners").pk)])

    assert "groups" in answer.context["adminform"].form.errors
    assert not ben.groups.exists()
    own = [str(one.pk) for one in manager.groups.all()]
    desk.send(address(manager), "user_form", groups=[*own, str(group("Owners").pk)])
    assert not manager.groups.filter(name="Owners").exists()


def test_a_manager_changes_nobody_who_may_do_more(desk):
    Group.objects.create(name="Owners").permissions.set([right("auth.delete_user")])
    stronger, owner = member("stronger", "Owners"), member("owner", is_superuser=True)

    for user in (stronger, owner):
        page = desk.open(address(user))
        assert not [link for link in page.links if "password" in link and "password_change" not in link]
        assert "salt" not in page.text
        assert page.form("user_form").buttons == []
        assert desk.post(address(user), {"username": "renamed"}).status_code == 403
        assert desk.get(f"/admin/auth/user/{user.pk}/password/").status_code == 403
    assert set(User.objects.values_list("username", flat=True)) == {"manager", "stronger", "owner"}


def test_a_manager_gives_a_group_no_right_they_lack(desk):
    page = desk.open(f"/admin/auth/group/{group('Bookseller').pk}/change/")
    desk.send(
        f"/admin/auth/group/{group('Bookseller').pk}/change/",
        "group_form",
        permissions=[str(right("auth.delete_user").pk)],
    )

    assert "Can delete user" not in page.text
    assert "Can ship" in page.text or group("Bookseller").permissions.filter(codename="ship_order").exists()
    assert not group("Bookseller").permissions.filter(codename="delete_user").exists()


def test_a_manager_leaves_a_group_alone_that_may_do_more(desk):
    owners = Group.objects.create(name="Owners")
    owners.permissions.set([right("auth.delete_user")])

    assert desk.post(f"/admin/auth/group/{owners.pk}/change/", {"name": "Mine"}).status_code == 403
    assert desk.post(f"/admin/auth/group/{owners.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Group.objects.filter(name="Owners").exists()


@pytest.mark.parametrize("change", [{"is_active": []}, {"is_staff": []}, {"groups": []}])
def test_the_last_manager_can_not_shut_themselves_out(desk, manager, change):
    member("ben", "Bookseller")

    answer = desk.send(address(manager), "user_form", **change)

    assert "make somebody else a manager first" in answer.page.text
    manager.refresh_from_db()
    assert (manager.is_active, manager.is_staff, manager.groups.count()) == (True, True, 1)


@pytest.mark.parametrize("change", [{"is_active": []}, {"is_staff": []}, {"groups": []}])
def test_one_of_two_managers_may_go(desk, manager, change):
    member("second", "Manager")

    desk.send(address(manager), "user_form", **change)

    assert [user.username for user in rights.managers()] == ["second"]


@pytest.mark.parametrize(
    "other",
    [
        {"is_active": False},
        {"is_staff": False},
        {"password": "!"},
    ],
)
def test_a_manager_who_can_not_log_in_is_none(desk, manager, other):
    User.objects.filter(pk=member("second", "Manager").pk).update(**other)

    desk.send(address(manager), "user_form", is_active=[])

    manager.refresh_from_db()
    assert manager.is_active


def test_an_owner_is_a_manager_too(desk, manager):
    member("owner", is_superuser=True)

    desk.send(address(manager), "user_form", is_active=[])

    manager.refresh_from_db()
    assert not manager.is_active


def test_the_managers_group_keeps_the_right_that_makes_it_one(desk):
    keep = [str(one.pk) for one in group("Manager").permissions.exclude(codename="change_user")]

    answer = desk.send(f"/admin/auth/group/{group('Manager').pk}/change/", "group_form", permissions=keep)

    assert "make somebody else a manager first" in answer.page.text
    assert group("Manager").permissions.filter(codename="change_user").exists()


def test_the_managers_group_is_not_deleted_under_its_last_manager(desk):
    answer = desk.post(f"/admin/auth/group/{group('Manager').pk}/delete/", {"post": "yes"}, follow=True)

    assert "make somebody else a manager first" in answer.content.decode()
    assert Group.objects.filter(name="Manager").exists()


def test_the_last_manager_keeps_a_password(desk, manager):
    desk.post(f"/admin/auth/user/{manager.pk}/password/", {"usable_password": "false", "unset-password": "1"})

    manager.refresh_from_db()
    assert manager.has_usable_password()


def test_no_user_is_deleted(desk):
    ben = member("ben", "Bookseller")

    assert desk.post(f"/admin/auth/user/{ben.pk}/delete/", {"post": "yes"}).status_code == 403
    desk.post("/admin/auth/user/", {"action": "delete_selected", "_selected_action": [ben.pk], "post": "yes"})

    assert User.objects.filter(pk=ben.pk).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.heavy("sqlite", "postgresql")
def test_of_the_last_two_who_go_at_once_one_stays():
    two = [member("first", "Manager"), member("second", "Manager")]

    def leave(user):
        with rights.somebody_manages():
            User.objects.filter(pk=user.pk).update(is_active=False)

    done = race([partial(leave, user) for user in two])

    assert outcomes(done) == {"done": 1, "NoManagerLeft": 1}
    assert rights.managers().count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.heavy("sqlite", "postgresql")
def test_what_is_refused_is_rolled_back():
    last = member("last", "Manager")

    with pytest.raises(NoManagerLeft), rights.somebody_manages():
        User.objects.filter(pk=last.pk).update(is_active=False)

    last.refresh_from_db()
    assert last.is_active
