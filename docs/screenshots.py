"""Makes the pictures of the docs: opens a demo shop in a scratch folder, and takes them with Chromium.

.venv/bin/python docs/screenshots.py
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, open_shop(Path(folder)) as shop, sync_playwright() as playwright:
        url, password, status_path = shop
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        take(browser, f"{url}{status_path}", "status")
        take_customers_pages(browser, url)
        take(browser, f"{url}/api/v1/docs", "api", shows=".opblock")
        take_admin(browser, url, password)
        browser.close()


@contextmanager
def open_shop(folder: Path) -> Iterator[tuple[str, str, str]]:
    """A shop that serves until the block ends: its address, the staff's password, the path of an order's page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ.update(
        DATABASE_URL=f"sqlite:///{folder}/shop.sqlite3",
        SECRET_KEY=secrets.token_urlsafe(50),
        PORT=str(port),
        SHOP_CONTACT="hello@example.com",
    )
    manage("migrate", "--verbosity", "0")
    manage("collectstatic", "--no-input", "--verbosity", "0")
    password = re.search(r"password (\S+)", manage("open_shop"))
    newest = "print(Order.objects.confirmed().latest('placed_at').status_path)"
    path = manage("shell", "-v", "0", "-c", f"from orders.models import Order; {newest}").strip()
    config = "python:bookshelf_site.gunicorn_conf"
    server = subprocess.Popen([sys.executable, "-m", "gunicorn", "--config", config], cwd=ROOT)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/readyz")
        yield url, password[1] if password else "", path
    finally:
        server.terminate()
        server.wait()


def manage(*arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def wait_for(url: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"{url} does not answer")


def take(
    browser: Browser,
    url: str,
    name: str,
    *,
    shows: str = "main",
    width: int = 1100,
    scheme: Literal["light", "dark"] = "light",
    full: bool = False,
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto(url)
    page.wait_for_selector(shows)
    picture(page, name, full=full)


EVERY_STATE = """
import json
from dataclasses import replace
from tests.states import STATES, COLLECTED, SENT, on_its_way, part_waiting
paths = {name: make().status_path for name, make in STATES.items()}
for code in ("de", "fr"):
    paths[f"part-waiting-{code}"] = part_waiting(replace(COLLECTED, language=code)).status_path
    paths[f"on-its-way-{code}"] = on_its_way(replace(SENT, language=code)).status_path
print(json.dumps(paths))
"""


def take_customers_pages(browser: Browser, url: str) -> None:
    """An order in every state, each around its page, and what else a customer may see."""
    paths: dict[str, str] = json.loads(manage("shell", "-v", "0", "-c", EVERY_STATE))
    for state, path in paths.items():
        take(browser, f"{url}{path}", f"status-{state}", full=True)
    for state in ("placed", "part-waiting"):
        take(browser, f"{url}{paths[state]}", f"status-{state}-phone", width=320, full=True)
    take(browser, f"{url}{paths['confirmed']}", "status-confirmed-dark", scheme="dark", full=True)
    take(browser, f"{url}{paths['placed']}cancel/", "status-cancel", full=True)
    for name, path in {"landing": "/", "find": "/orders/find/", "find-sent": "/orders/find/sent/"}.items():
        take(browser, f"{url}{path}", name, full=True)
    take(browser, f"{url}/o/unknown/", "find-unknown-link", full=True)


def take_admin(browser: Browser, url: str, password: str) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{url}/admin/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", password)
    page.click("[type=submit]")
    page.goto(f"{url}/admin/orders/order/", wait_until="networkidle")
    picture(page, "admin")


def picture(page: Page, name: str, *, full: bool = False) -> None:
    page.screenshot(path=str(IMAGES / f"{name}.png"), full_page=full)
    page.close()


if __name__ == "__main__":
    main()
