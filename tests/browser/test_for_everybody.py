"""Every page that somebody may see shuts nobody out, in the light and in the dark, and fits the narrowest telephone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User

from tests import gallery
from tests.browser.conftest import sign_in
from tests.effort import IS_THOROUGH

# on the database whose half of a person's run is the shorter one
pytestmark = [pytest.mark.browser, pytest.mark.heavy("postgresql"), pytest.mark.django_db(transaction=True)]

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules that look at colours: what is right without them in the light is so in the dark."""
AXE = Axe().axe_script
DESKTOP, TELEPHONE = {"width": 1200, "height": 900}, {"width": 320, "height": 640}
CUT = "[...document.querySelectorAll('.results')].some((list) => list.scrollWidth > list.clientWidth)"
STATES = gallery.STATES if IS_THOROUGH else ["part-waiting", "on-its-way", "split", "cancelled-expired"]
EVERY = 1 if IS_THOROUGH else 3
"""Of the desk's pages, which are many and of few kinds, a run in between looks at each third."""


@pytest.fixture
def lenient(page):
    """A page without the CSP, under which axe can't do all that it does to a page."""
    page.goto("/robots.txt")
    context = page.context.browser.new_context(
        base_url=page.url.removesuffix("/robots.txt"), bypass_csp=True, reduced_motion="reduce"
    )
    yield context.new_page()
    context.close()


def violations(page, rules):
    """By axe, which the page holds since it was run once."""
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    found = page.evaluate("(options) => axe.run(options)", options)["violations"]
    return [(one["id"], node["html"][:200], node["failureSummary"]) for one in found for node in one["nodes"]]


def wrong_with(page, path):
    """What is wrong with the page at this address."""
    page.set_viewport_size(DESKTOP)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(path)
    page.add_style_tag(content="* { transition: none !important }")  # halfway between two colours there is no contrast
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.evaluate(AXE)
    found = [("a column is cut",)] if page.evaluate(CUT) else []
    found += [("light", *one) for one in violations(page, WCAG)]
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    found += [("dark", *one) for one in violations(page, COLOURS)]
    page.set_viewport_size(TELEPHONE)
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        found.append(("too wide",))
    return found


def test_no_page_of_the_desk_shuts_anybody_out(lenient):
    boss = User.objects.create_superuser("boss")
    pages = gallery.desk_pages(boss)
    sign_in(lenient, boss)

    looked_at = dict(list(pages.items())[::EVERY])
    wrong = {name: found for name, path in looked_at.items() if (found := wrong_with(lenient, path))}

    assert wrong == {}


def test_no_page_of_the_customers_shuts_anybody_out(lenient):
    pages = gallery.customers_pages(STATES)

    wrong = {name: found for name, path in pages.items() if (found := wrong_with(lenient, path))}

    assert wrong == {}
