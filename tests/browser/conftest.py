"""Who looks at the pages in the browser."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from playwright.sync_api import expect

# As long as a machine with other things to do may take.
expect.set_options(timeout=60_000)
BACKEND = "django.contrib.auth.backends.ModelBackend"


def sign_in(page, user):
    """The login is played where it is what is looked at."""
    client = Client()
    client.force_login(user, backend=BACKEND)
    page.goto("/robots.txt")
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": page.url}])
    return page


@pytest.fixture
def bea(page):
    """The page of a bookseller who is signed in."""
    bookseller = User.objects.create_user("bea", is_staff=True)
    bookseller.groups.add(Group.objects.get(name="Bookseller"))
    return sign_in(page, bookseller)
