"""Makes the pictures of the docs: opens a demo shop in a scratch folder, and takes them with Chromium.

.venv/bin/python docs/screenshots.py [NAME …]
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
DESK: ViewportSize = {"width": 1200, "height": 760}
PAGE: ViewportSize = {"width": 900, "height": 700}
TELEPHONE: ViewportSize = {"width": 320, "height": 640}
MOST_HIGH = 1300

Scheme = Literal["light", "dark"]
BOTH: tuple[Scheme, ...] = ("light", "dark")
LIGHT: tuple[Scheme, ...] = ("light",)

OF_THE_DESK = (
    *("start", "search", "orders", "order", "slip", "picks", "receipt", "books", "book", "import-preview"),
    *("import-report", "stocktake", "stocktake-differences", "waiting", "receive", "events", "deliveries"),
    *("receivers", "webhooks", "webhook", "users", "two-factor"),
)
ON_PAPER = ("slip", "picks", "receipt")
"""White whatever the time of day."""
ON_A_TELEPHONE = ("status-placed", "status-part-waiting", "status-on-its-way")


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A page as it is to be seen."""

    name: str
    path: str
    size: ViewportSize
    schemes: tuple[Scheme, ...] = BOTH
    shows: str = "h1"


def main(wanted: Sequence[str]) -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, open_shop(Path(folder)) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        # the desk first: the customers' orders would crowd its lists
        for shots, sign_in in ((shots_of_the_desk, True), (shots_of_the_customers, False)):
            context = browser.new_context(base_url=url, reduced_motion="reduce")
            page = context.new_page()
            if sign_in:
                log_in(page)
            for shot in shots():
                if not wanted or shot.name in wanted:
                    take(page, shot, browser)
            context.close()
        browser.close()


def shots_of_the_desk() -> list[Shot]:
    paths = made("desk_pages(User.objects.get(username='admin'))")
    return [
        Shot(name=f"desk-{name}", path=paths[name], size=DESK, schemes=LIGHT if name in ON_PAPER else BOTH)
        for name in OF_THE_DESK
    ]


def shots_of_the_customers() -> list[Shot]:
    """An order in every state, and what else a customer or a program's author may see."""
    paths = made("customers_pages()")
    return [
        *(Shot(name=name, path=path, size=PAGE) for name, path in paths.items() if name != "nowhere"),
        *(Shot(name=f"{name}-phone", path=paths[name], size=TELEPHONE) for name in ON_A_TELEPHONE),
        Shot(name="api", path="/api/v1/docs", size=DESK, schemes=LIGHT, shows=".opblock"),
    ]


def made(pages: str) -> dict[str, str]:
    """The pages that `tests.gallery` makes, by their names."""
    imported = "import json; from django.contrib.auth.models import User; from tests.gallery import *"
    found: dict[str, str] = json.loads(manage("shell", "-v", "0", "-c", f"{imported}; print(json.dumps({pages}))"))
    return found


# The shop


@contextmanager
def open_shop(folder: Path) -> Iterator[str]:
    """A shop that has been open for a month, and serves until the block ends: its address."""
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
    os.environ["PASSWORD"] = password[1] if password else ""
    manage("shell", "-v", "0", "-c", "from tests.gallery import a_month_of_orders; a_month_of_orders()")
    config = "python:bookshelf_site.gunicorn_conf"
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--config", config], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/readyz")
        yield url
    finally:
        server.terminate()
        server.wait()


def manage(*arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def wait_for(url: str) -> None:
    for _ in range(600):
        try:
            urllib.request.urlopen(url).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"{url} does not answer")


# The pictures


def log_in(page: Page) -> None:
    page.goto("/admin/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", os.environ["PASSWORD"])
    page.click("[type=submit]")
    page.wait_for_selector(".tasks")


def take(page: Page, shot: Shot, browser: Browser) -> None:
    for scheme in shot.schemes:
        page.set_viewport_size(shot.size)
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.goto(shot.path, wait_until="networkidle")
        page.wait_for_selector(shot.shows)
        high = min(int(page.evaluate("document.documentElement.scrollHeight")), MOST_HIGH)
        # as high as the page, for what sticks to the window ends where it does
        page.set_viewport_size({"width": shot.size["width"], "height": max(high, shot.size["height"])})
        name = shot.name if scheme == "light" else f"{shot.name}-dark"
        (IMAGES / f"{name}.png").write_bytes(in_few_colours(page.screenshot(), browser))


FEW_COLOURS = """async (png) => {
  const image = await createImageBitmap(await (await fetch("data:image/png;base64," + png)).blob());
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const palette = [...counts].sort((one, other) => other[1] - one[1]).slice(0, 64).map(([colour]) => colour);
  const parts = (colour) => [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
  const rows = palette.map(parts);
  const nearest = new Map();
  for (const colour of counts.keys()) {
    const [red, green, blue] = parts(colour);
    let best = 0, least = Infinity;
    rows.forEach(([r, g, b], place) => {
      const far = (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2;
      if (far < least) [best, least] = [place, far];
    });
    nearest.set(colour, best);
  }
  const places = Uint8Array.from(pixels, (pixel) => nearest.get(pixel));
  let text = "";
  for (let at = 0; at < places.length; at += 32768) text += String.fromCharCode(...places.subarray(at, at + 32768));
  return { width: image.width, height: image.height, palette: rows.flat(), places: btoa(text) };
}"""


def in_few_colours(png: bytes, browser: Browser) -> bytes:
    """The same picture with the 64 colours that it has most of: a third of the size, and no eye sees it."""
    page = browser.new_page()
    found: dict[str, Any] = page.evaluate(FEW_COLOURS, base64.b64encode(png).decode())
    page.close()
    width, height, places = found["width"], found["height"], base64.b64decode(found["places"])
    lines = b"".join(b"\0" + places[at : at + width] for at in range(0, width * height, width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", bytes(found["palette"])), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(named: tuple[bytes, bytes]) -> bytes:
    name, content = named
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


if __name__ == "__main__":
    main(sys.argv[1:])
