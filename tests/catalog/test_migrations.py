from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.db import connection

pytestmark = pytest.mark.django_db


@pytest.fixture
def migrate():
    migration = import_module("catalog.migrations.0004_who_may_import")
    return lambda: migration.let_import(apps, connection.schema_editor())


def holding(*codenames):
    return Permission.objects.filter(content_type__app_label="catalog", codename__in=codenames)


def test_who_could_import_until_now_still_may(migrate):
    clerks, typists = Group.objects.create(name="Clerks"), Group.objects.create(name="Typists")
    clerks.permissions.set(holding("add_book", "change_book"))
    typists.permissions.set(holding("add_book"))
    bea, ben = User.objects.create_user("bea"), User.objects.create_user("ben")
    bea.user_permissions.set(holding("add_book", "change_book"))
    ben.groups.add(typists)

    migrate()

    assert clerks.permissions.filter(codename="import_books").exists()
    assert not typists.permissions.filter(codename="import_books").exists()
    assert (bea.has_perm("catalog.import_books"), ben.has_perm("catalog.import_books")) == (True, False)


def test_a_new_shop_has_nobody_yet(migrate):
    Permission.objects.filter(codename="import_books").delete()

    migrate()

    assert not Permission.objects.filter(codename="import_books").exists()
