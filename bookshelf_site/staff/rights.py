"""Who may make whom what: nobody gives away more than they have, and somebody can always look after the users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.contrib.auth.models import Group, Permission, User
from django.db.models import QuerySet

from bookshelf_site.events import unit_of_work
from bookshelf_site.staff.errors import NoManagerLeft
from bookshelf_site.staff.models import FailedLogin

MANAGES = "auth.change_user"
NO_PASSWORD = "!"  # noqa: S105  # what Django keeps where there is none
BACKEND = "django.contrib.auth.backends.ModelBackend"


def managers() -> QuerySet[User]:
    """Those who can log in and look after users."""
    able = User.objects.with_perm(MANAGES, is_active=True, include_superusers=True, backend=BACKEND)
    return able.filter(is_staff=True).exclude(password__startswith=NO_PASSWORD)


@contextmanager
def somebody_manages() -> Iterator[None]:
    """What is done inside leaves a manager, or is rolled back. Raises NoManagerLeft."""
    with unit_of_work:
        # the last two, each of whom lets the other go: one at a time
        Permission.objects.select_for_update(no_key=True).get(content_type__app_label="auth", codename="change_user")
        could = managers().exists()
        yield
        if could and not managers().exists():
            raise NoManagerLeft


def rights_of_group(group: Group) -> set[str]:
    return _names(group.permissions.all())


def may_look_after(manager: User, user: User) -> bool:
    """Whoever sets a password can do what its user can: that must be no more than they can themselves."""
    if manager.is_superuser:
        return True
    return not user.is_superuser and _own_rights(user) <= manager.get_all_permissions()


def may_give(manager: User, group: Group) -> bool:
    return manager.is_superuser or rights_of_group(group) <= manager.get_all_permissions()


def groups_to_give(manager: User) -> QuerySet[Group]:
    """The groups whose every right is the manager's own."""
    groups = Group.objects.prefetch_related("permissions__content_type")
    return Group.objects.filter(pk__in=[group.pk for group in groups if may_give(manager, group)])


def rights_to_give(manager: User) -> QuerySet[Permission]:
    permissions = Permission.objects.select_related("content_type")
    if manager.is_superuser:
        return permissions
    own = manager.get_all_permissions()
    return permissions.filter(pk__in=[one.pk for one in permissions if _name(one) in own])


def unlock(failed: FailedLogin) -> None:
    """Let the login try again at once."""
    FailedLogin.objects.filter(username=failed.username, ip_address=failed.ip_address).delete()


def _own_rights(user: User) -> set[str]:
    """Also of one who is not active now: they could be made so."""
    own = Permission.objects.filter(user=user) | Permission.objects.filter(group__user=user)
    return _names(own.select_related("content_type"))


def _names(permissions: Iterable[Permission]) -> set[str]:
    return {_name(permission) for permission in permissions}


def _name(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"
