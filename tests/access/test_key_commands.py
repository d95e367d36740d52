from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from bookshelf_site.access.models import ApiKey
from bookshelf_site.access.services import create_api_key

pytestmark = pytest.mark.django_db


def run(*arguments):
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().strip()


def opens(secret):
    return Client().get("/api/v1/books", headers={"Authorization": f"Bearer {secret}"}).status_code == 200


@pytest.fixture
def made():
    return create_api_key(name="till", group=Group.objects.get(name="Bookseller"))


def test_a_rotated_key_is_followed_by_the_one_that_is_printed(made):
    key, old = made

    new = run("rotate_api_key", key.prefix)

    assert (opens(new), opens(old)) == (True, False)


def test_the_old_key_may_be_good_a_little_longer(made):
    key, old = made

    new = run("rotate_api_key", key.prefix, "--overlap-minutes", "10")

    assert (opens(new), opens(old)) == (True, True)
    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        assert (opens(new), opens(old)) == (True, False)


def test_a_revoked_key_opens_nothing(made):
    key, secret = made

    assert run("revoke_api_key", key.prefix) == ""
    assert not opens(secret)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rotate_api_key", "00000000"], "There is no key that begins with bs_00000000_."),
        (["revoke_api_key", "00000000"], "There is no key that begins with bs_00000000_."),
        (["rotate_api_key", "PREFIX", "--overlap-minutes", "-1"], "--overlap-minutes is a number from 0 to 43200."),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(made, arguments, said):
    key, secret = made

    with pytest.raises(CommandError) as refused:
        run(*[key.prefix if argument == "PREFIX" else argument for argument in arguments])

    assert (str(refused.value), refused.value.returncode) == (said, 2)
    assert opens(secret)
    assert ApiKey.objects.count() == 1


def test_a_key_that_opens_nothing_is_not_rotated(made):
    key, _ = made
    run("revoke_api_key", key.prefix)

    with pytest.raises(CommandError, match="this key is revoked: make a new one"):
        run("rotate_api_key", key.prefix)
