import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_staff_log_in_to_an_admin_that_needs_nobody_else(page):
    get_user_model().objects.create_superuser("bea", password="a long one for bea")

    page.goto("/admin/")
    page.get_by_label("Username").fill("bea")
    page.get_by_label("Password").fill("a long one for bea")
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_role("button", name="Log out")).to_be_visible(timeout=60_000)
