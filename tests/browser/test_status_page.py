"""The customer's page in Chromium, as it is without any script."""

import pytest
from playwright.sync_api import expect

from orders import services
from tests.given import a_book, an_order

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_page_says_where_the_books_are(page):
    order = an_order((a_book(copies=5), 2))
    services.confirm_order(order_id=order.pk)

    page.goto(order.status_path)

    expect(page.get_by_role("heading", level=1)).to_have_text("Your books are set aside for you.")
    expect(page.locator("[aria-current=step]")).to_contain_text("Confirmed")
    expect(page.get_by_role("row", name="Total")).to_contain_text("25.98 USD")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("status", ["pending", "confirmed", "shipped", "cancelled"])
def test_text_has_enough_contrast_in_every_state(page, status, scheme):
    order = an_order((a_book(copies=5), 2))
    if status in {"confirmed", "shipped"}:
        services.confirm_order(order_id=order.pk)
    if status == "shipped":
        services.ship_order(order_id=order.pk)
    if status == "cancelled":
        services.cancel_order(order_id=order.pk, reason="customer")
    page.emulate_media(color_scheme=scheme)

    page.goto(order.status_path)

    assert page.evaluate(POOR_CONTRAST) == []


POOR_CONTRAST = """() => {
  // WCAG 2.2, 1.4.3: 4.5 to 1 for text, 3 to 1 for large text
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const background = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = channels(getComputedStyle(e).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || element.closest("svg")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [luminance(channels(style.color)), luminance(background(element))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) poor.push(`${element.textContent.trim()}: ${style.color}`);
  }
  return poor;
}"""


def test_targets_are_large_enough_to_hit(page):
    order = an_order((a_book(copies=5), 2))
    page.set_viewport_size({"width": 320, "height": 640})

    page.goto(order.status_path)

    brand = page.locator(".brand").bounding_box()
    assert min(brand["width"], brand["height"]) >= 24


def test_the_first_stop_of_the_keyboard_skips_to_the_content(page):
    page.goto("/")
    page.keyboard.press("Tab")

    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
