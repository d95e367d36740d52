from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from catalog.models import Book, BookDetails
from catalog.services import add_to_catalog

pytestmark = pytest.mark.django_db


@pytest.fixture
def migrate():
    migration = import_module("catalog.migrations.0004_who_may_import")
    return lambda: migration.let_import(apps, connection.schema_editor())


@pytest.fixture
def cut():
    migration = import_module("catalog.migrations.0005_words_that_fit_an_index")
    then = MigrationLoader(connection).project_state([("catalog", "0005_words_that_fit_an_index")]).apps
    return lambda: migration.cut(then, connection.schema_editor())


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


def test_of_words_that_are_there_so_much_is_kept_as_of_new_ones(cut):
    long, short = (add_to_catalog(BookDetails(title=title), opening_stock=0) for title in ("㌘" * 100, "Emma"))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalog_book SET words = %s WHERE title <> 'Emma'", [" " + "クラム" * 100])

    cut()

    assert Book.objects.get(pk=long.pk).words == " " + ("クラム" * 100)[:200]
    assert Book.objects.get(pk=short.pk).words == " emma"
