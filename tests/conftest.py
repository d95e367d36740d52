import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from bookshelf_site.words import forget_samples
from tests.desk import Desk
from tests.plugins.pristine import pristine

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """On SQLite a file: processes and threads of a test must meet in it as they do in production."""
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = f"{connection.settings_dict['NAME']}.test"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock():
        pristine.remember()


@pytest.fixture(scope="module", autouse=True)
def _no_dead_rows() -> Iterator[None]:
    """What the tests of a file rolled back fills PostgreSQL's tables until somebody clears it away; it must not itself.

    By a connection beside Django's, which are the tests'.
    """
    yield
    if connection.vendor == "postgresql" and pristine.tables:
        with psycopg.connect(**connection.get_connection_params(), autocommit=True) as beside:
            beside.execute("VACUUM (SKIP_LOCKED)")


@pytest.fixture(autouse=True)
def _nothing_sampled() -> None:
    """What a search remembers of the books of another test says nothing of this one's."""
    forget_samples()


@pytest.fixture
def child_environment(transactional_db: None) -> dict[str, str]:
    """The environment for `python manage.py …` in a process of its own, on the database of this test."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        url = f"sqlite:///{name}"
    else:
        url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    return {**os.environ, "DATABASE_URL": url}


@pytest.fixture(scope="session")
def _zeal_installed() -> None:
    from zeal.constants import initialize_app_registry
    from zeal.patch import patch

    initialize_app_registry()
    patch()


@pytest.fixture
def no_query_in_a_loop(_zeal_installed: None) -> Iterator[None]:
    """Fails the test at the second query that differs from the first only in its row (N+1)."""
    from zeal import zeal_context

    with zeal_context():
        yield


class ApiClient(Client):
    """A program with an API key: bodies as JSON; paths below /api/v1, or links that it was given.

    Its methods take less than Django's, hence the ignored overrides.
    """

    def __init__(self, secret: str) -> None:
        super().__init__(headers={"Authorization": f"Bearer {secret}"})

    def generic(self, method: str, path: str, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        path = path.removeprefix(settings.PUBLIC_URL)
        return super().generic(method, path if path.startswith("/api") else f"/api/v1{path}", *args, **kwargs)

    def post(self, path: str, data: Any = "", content_type: str = "application/json", **kwargs: Any) -> Any:  # type: ignore[override]
        return super().post(path, data, content_type, **kwargs)

    def patch(self, path: str, data: Any = "", content_type: str = "application/json", **kwargs: Any) -> Any:  # type: ignore[override]
        return super().patch(path, data, content_type, **kwargs)


@pytest.fixture
def api_of(db: None) -> Callable[[str], ApiClient]:
    """Makes a program whose key is in the group of that name."""
    from django.contrib.auth.models import Group

    from bookshelf_site.access.limits import admit
    from bookshelf_site.access.services import create_api_key

    def program(group: str) -> ApiClient:
        key, secret = create_api_key(name="till", group=Group.objects.get(name=group))
        admit(key)  # it has drawn its first requests, so that reading writes nothing
        return ApiClient(secret)

    return program


@pytest.fixture
def api(api_of: Callable[[str], ApiClient]) -> ApiClient:
    """A program that may do everything."""
    return api_of("Manager")


@pytest.fixture
def staff_of(db: None) -> Callable[[str], Desk]:
    """Makes a member of staff in the group of that name, called after it, signed in to the admin."""
    from django.contrib.auth.models import Group, User

    def sign_in(group: str) -> Desk:
        user = User.objects.create_user(group.lower(), is_staff=True)
        user.groups.add(Group.objects.get(name=group))
        desk = Desk()
        desk.force_login(user)
        return desk

    return sign_in


@pytest.fixture
def desk(staff_of: Callable[[str], Desk]) -> Desk:
    """A bookseller at work."""
    return staff_of("Bookseller")
