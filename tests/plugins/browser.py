"""The fixture `page`: a page of Chromium that looks at the live server, and only at it.

The test fails if a page wrote an error to the console, raised one, or asked another host for anything.
"""

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.plugins.facilities import chromium

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def _playwright() -> Iterator[Playwright]:
    # It keeps an event loop in this thread; without this Django takes every later test for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def _browser(_playwright: Playwright) -> Iterator[Browser]:
    browser = _playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def page(_browser: Browser, live_server: Any) -> Iterator[Page]:
    complaints: list[str] = []
    context = _browser.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.extend(_foreign(request.url, live_server.url)))
    yield page
    context.close()
    assert complaints == []


def _foreign(url: str, home: str) -> list[str]:
    parts = urlsplit(url)
    return [] if parts.scheme in {"data", "blob"} or parts.netloc == urlsplit(home).netloc else [f"asked {url}"]
