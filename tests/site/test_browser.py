import pytest
from django.contrib.auth import get_user_model

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_staff_log_in_to_an_admin_that_needs_nobody_else(page):
    get_user_model().objects.create_superuser("bea", password="a long one for bea")

    page.goto("/admin/")
    page.get_by_label("Username").fill("bea")
    page.get_by_label("Password").fill("a long one for bea")
    page.get_by_role("button", name="Log in").click()

    page.get_by_role("button", name="Log out").wait_for()
