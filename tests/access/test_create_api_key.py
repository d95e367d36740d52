from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from bookshelf_site.access.models import ApiKey

pytestmark = pytest.mark.django_db


def create(*arguments):
    out = StringIO()
    call_command("create_api_key", *arguments, stdout=out)
    return out.getvalue()


def test_it_prints_a_key_that_works_and_nothing_else():
    printed = create("web shop", "--group", "Integration")

    secret = printed.removesuffix("\n")
    assert "\n" not in secret
    assert Client().get("/api/v1/books", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    key = ApiKey.objects.get()
    assert (key.name, key.expires_at) == ("web shop", None)
    assert (key.account.has_usable_password(), key.account.is_staff) == (False, False)
    assert [group.name for group in key.account.groups.all()] == ["Integration"]


def test_the_key_may_expire():
    create("intern", "--group", "Read-only", "--expires-days", "30")

    expires_at = ApiKey.objects.get().expires_at
    assert expires_at is not None
    assert abs(expires_at - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["web shop", "--group", "Pirates"], "There is no group 'Pirates'; there are Bookseller, Integration, Manager"),
        (["", "--group", "Integration"], "name: say in 1 to 100 characters"),
        (["x" * 101, "--group", "Integration"], "name: say in 1 to 100 characters"),
        (["two\nlines", "--group", "Integration"], "name: say in 1 to 100 characters"),
        (["web shop", "--group", "Integration", "--expires-days", "0"], "--expires-days is a number from 1 to"),
    ],
)
def test_what_makes_no_sense_is_refused_and_makes_nothing(arguments, said):
    with pytest.raises(CommandError, match=said) as refused:
        create(*arguments)

    assert refused.value.returncode == 2
    assert not ApiKey.objects.exists()
    assert not User.objects.exists()
