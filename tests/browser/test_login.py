"""Two-factor login in the browser, on a phone's width."""

import time

import pytest
from django.contrib.auth.models import User
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def log_in(page):
    page.goto("/admin/login/")
    page.get_by_label("Username").fill("ann")
    page.get_by_label("Password").fill("correct horse battery")
    page.keyboard.press("Enter")


def code_of(device):
    totp = TOTP(device.bin_key)
    totp.time = time.time()
    return f"{totp.token():06}"


def test_staff_turn_it_on_and_log_in_by_it(page):
    User.objects.create_user("ann", password="correct horse battery", is_staff=True)
    page.set_viewport_size({"width": 320, "height": 700})

    log_in(page)
    page.get_by_role("link", name="Two-factor login").click()
    page.get_by_role("button", name="Set up two-factor login").click()
    picture = page.get_by_role("img", name="QR code").bounding_box()
    page.get_by_role("textbox", name="Code").fill(code_of(TOTPDevice.objects.get()))
    page.keyboard.press("Enter")
    page.locator(".codes code").first.wait_for()
    codes = page.locator(".codes code").all_inner_texts()

    assert picture["x"] + picture["width"] <= 320
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert len(codes) == 10
    page.get_by_role("button", name="Log out").click()
    log_in(page)
    page.get_by_label("Code").fill(codes[0])
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Log out").wait_for()
