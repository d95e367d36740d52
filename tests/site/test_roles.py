"""Who may look at what and do what in the admin: every page of it, for every group.

A page that is not in the table fails the first test: whoever adds one says whose it is.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.urls import Resolver404, URLPattern, get_resolver, resolve, reverse
from django.utils import timezone
from model_bakery import baker

from bookshelf_site.access.services import create_api_key
from bookshelf_site.events.models import Delivery, Event, Receiver
from bookshelf_site.staff.models import FailedLogin
from bookshelf_site.webhooks.services import owed
from inventory.models import Notification, StockMovement
from orders.models import Order
from tests.desk import Desk, Page
from tests.given import a_book, an_order

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite")]

USERS = {
    "R": "Read-only",
    "I": "Integration",
    "B": "Bookseller",
    "M": "Manager",
    "N": "in no group",
    "S": "superuser",
}
NOBODY, STAFF, ALL = "", "RIBMNS", "RIBMS"
DESK = "IBMS"  # who take orders and keep the catalogue
SHOP = "BMS"  # who stand in it
BOSS = "MS"


@dataclass(frozen=True)
class Row:
    """Whose a page is: to look at it (GET) and to do with it what it is for (POST). None: it isn't asked so."""

    look: str | None
    do: str | None = None


def pages_of(model, *, look, add=NOBODY, change=NOBODY, delete=NOBODY):
    """The five pages that every model has."""
    return {
        f"{model}_changelist": Row(look),
        f"{model}_add": Row(add, add),
        f"{model}_change": Row(look, change),
        f"{model}_history": Row(look),
        f"{model}_delete": Row(delete, delete),
    }


PAGES = {
    "index": Row(STAFF),
    "password_change": Row(STAFF, STAFF),
    "password_change_done": Row(STAFF),
    "two-factor": Row(STAFF, STAFF),
    "search": Row(STAFF),
    "jsi18n": Row(STAFF),
    "autocomplete": Row(ALL),
    **pages_of("catalog_book", look=ALL, add=DESK, change=DESK),
    "catalog_book_isbn": Row(ALL),
    "catalog_book_export": Row(ALL, ALL),
    "catalog_book_withdraw": Row(DESK, DESK),
    "catalog_book_restore": Row(DESK, DESK),
    **pages_of("catalog_feedimport", look=ALL, add=DESK),
    "catalog_feedimport_change": Row(ALL),
    "catalog_feedimport_apply": Row(None, DESK),
    "catalog_feedimport_cancel": Row(None, DESK),
    "catalog_feedimport_rejected": Row(ALL),
    **pages_of("orders_order", look=ALL, add=DESK, change=DESK),
    "orders_order_export": Row(ALL, ALL),
    "orders_order_print": Row(ALL),
    "orders_order_confirm": Row(None, DESK),
    "orders_order_ship": Row(None, SHOP),
    "orders_order_cancel": Row(DESK, DESK),
    "orders_order_rotate_link": Row(None, DESK),
    "orders_order_add_note": Row(None, DESK),
    "orders_order_split": Row(None, DESK),
    "orders_order_erase": Row(BOSS, BOSS),
    "orders_order_line_put_back": Row(DESK, DESK),
    "orders_order_line_cancel": Row(DESK, DESK),
    **pages_of("inventory_stockitem", look=ALL),
    "inventory_stockitem_export": Row(ALL, ALL),
    "inventory_stockitem_waiting": Row(ALL),
    "inventory_stockitem_receive": Row(SHOP, SHOP),
    "inventory_stockitem_count": Row(SHOP, SHOP),
    "inventory_stockitem_adjust": Row(SHOP, SHOP),
    "inventory_stockitem_take_back": Row(SHOP, SHOP),
    "inventory_stockitem_threshold": Row(SHOP, SHOP),
    "inventory_stockitem_stocktake": Row(SHOP),
    "inventory_stockitem_stocktake_scan": Row(None, SHOP),
    "inventory_stockitem_stocktake_list": Row(None, SHOP),
    "inventory_stockitem_stocktake_take_back": Row(None, SHOP),
    "inventory_stockitem_stocktake_leave_out": Row(None, SHOP),
    "inventory_stockitem_stocktake_throw_away": Row(None, SHOP),
    "inventory_stockitem_stocktake_differences": Row(SHOP, SHOP),
    **pages_of("inventory_stockmovement", look=ALL),
    **pages_of("inventory_notification", look=ALL),
    "inventory_notification_send_again": Row(None, SHOP),
    **pages_of("events_event", look=ALL),
    "events_event_replay": Row(None, BOSS),
    **pages_of("events_delivery", look=ALL),
    **pages_of("events_receiver", look=ALL),
    **pages_of("access_apikey", look=BOSS, add=BOSS),
    **pages_of("webhooks_webhook", look="IMS", add="IMS", change="IMS"),
    "webhooks_webhook_ping": Row(None, "IMS"),
    "webhooks_webhook_enable": Row(None, "IMS"),
    "webhooks_webhook_disable": Row("IMS", "IMS"),
    "webhooks_webhook_rotate": Row("IMS", "IMS"),
    "webhooks_webhook_remove": Row("IMS", "IMS"),
    "webhooks_webhook_resend": Row(None, "IMS"),
    **pages_of("auth_user", look=BOSS, add=BOSS, change=BOSS),
    "auth_user_password_change": Row(BOSS, BOSS),
    "auth_user_two_factor": Row(BOSS, BOSS),
    **pages_of("auth_group", look=BOSS, add=BOSS, change=BOSS, delete=BOSS),
    "staff_failedlogin_changelist": Row(BOSS),
    "staff_failedlogin_add": Row(NOBODY, NOBODY),
    "staff_failedlogin_change": Row(NOBODY, NOBODY),
    "staff_failedlogin_history": Row(NOBODY),
    "staff_failedlogin_delete": Row(NOBODY, NOBODY),
}

ACTIONS = {
    "catalog.book": {"withdraw": DESK, "restore": DESK},
    "orders.order": {
        "confirm": DESK,
        "ship": SHOP,
        "cancel": DESK,
        "print_slips": ALL,
        "print_picks": ALL,
        "print_receipts": ALL,
    },
    "inventory.notification": {"send_again": SHOP},
    "events.delivery": {"retry_selected": BOSS, "skip_selected": BOSS},
    "access.apikey": {"revoke": BOSS, "rotate": BOSS, "rotate_with_overlap": BOSS},
    "webhooks.webhook": {"enable": "IMS", "disable": "IMS"},
    "staff.failedlogin": {"unlock": BOSS},
}

NOT_LINKED = {
    *("jsi18n", "autocomplete", "search", "catalog_book_isbn"),  # asked by scripts and by a form
    *("password_change", "password_change_done"),  # nobody here has a password
    *("catalog_feedimport_rejected", "inventory_stockitem_stocktake_differences"),  # nothing was, nothing is counted
    *("catalog_feedimport_history", "inventory_stockitem_history"),  # their pages tell more than Django's
    *("catalog_book_restore", "auth_user_two_factor"),  # it is not withdrawn, they don't have it on
    *("orders_order_erase", "orders_order_line_cancel"),  # it is not closed, and has one line
}
NOT_SENT = {
    *("catalog_feedimport_apply", "catalog_feedimport_cancel"),  # it is not looked through yet
    *("orders_order_ship", "orders_order_split"),  # it is not confirmed, and no line of it waits
    *("inventory_stockitem_stocktake_take_back", "inventory_stockitem_stocktake_leave_out"),  # nothing is counted
    *("inventory_stockitem_stocktake_throw_away", "inventory_stockitem_stocktake_differences"),
    "webhooks_webhook_enable",  # it is
}
"""What is not offered for the rows of this shop, to whoever."""

LINKED = {name for name, row in PAGES.items() if row.look} - NOT_LINKED
BUTTONS = {name for name, row in PAGES.items() if row.do} - NOT_SENT

FOR_WHO_IS_OUT = {"login", "login-code", "logout"}
NOT_ASKED_BY_NAME = {None, "app_list", "view_on_site"}
"""Redirects to pages of the table, and the lists of an app, which `test_the_start_page…` looks at."""


def admin_pages(patterns=None, prefix=""):
    for pattern in patterns or get_resolver().url_patterns:
        route = f"{prefix}{pattern.pattern}"
        if not isinstance(pattern, URLPattern):
            yield from admin_pages(pattern.url_patterns, route)
        elif route.startswith("admin/"):
            yield pattern.name


def test_every_page_is_in_the_table():
    assert set(admin_pages()) - FOR_WHO_IS_OUT - NOT_ASKED_BY_NAME == set(PAGES)


def test_every_action_is_in_the_table():
    found = {
        model._meta.label_lower: {name for _, name, _ in registered._get_base_actions()} - {"delete_selected"}
        for model, registered in dict[Any, Any](admin.site._registry).items()
    }

    assert {label: names for label, names in found.items() if names} == {
        label: set(names) for label, names in ACTIONS.items()
    }


@dataclass
class Shop:
    """A row of everything, and who works here."""

    rows: dict[str, Any]
    order: Order
    desks: dict[str, Desk]
    event: Event

    def address(self, name):
        """A page about one of the rows."""
        app_and_model = "_".join(name.split("_")[:2])
        pk = getattr(self.rows.get(app_and_model), "pk", None)
        special = {
            "two-factor": [],
            "autocomplete": [],
            "orders_order_print": [pk, "slip"],
            "orders_order_line_put_back": [pk, self.order.lines.get().pk],
            "orders_order_line_cancel": [pk, self.order.lines.get().pk],
            "inventory_stockitem_stocktake_leave_out": [pk],
            "webhooks_webhook_resend": [pk, self.event.uid],
        }
        path = name if name == "two-factor" else f"admin:{name}"
        candidates = [special[name]] if name in special else [[], [pk]]
        for arguments in candidates:
            try:
                return reverse(path, args=arguments) + QUERIES.get(name, "")
            except Exception as error:
                last = error
        raise last


QUERIES = {"autocomplete": "?app_label=orders&model_name=orderline&field_name=book&term=e"}


@pytest.fixture
def shop():
    book = a_book(copies=5)
    order = an_order((book, 1))
    key, _ = create_api_key(name="till", group=Group.objects.get(name="Integration"))
    colleague = User.objects.create_user("colleague", is_staff=True)
    event = Event.objects.earliest("id")
    webhook: Any = baker.make("webhooks.Webhook", url="https://example.com/hook")
    owed(webhook, event_id=event.pk, stream="").save()
    rows = {
        "catalog_book": book,
        "catalog_feedimport": baker.make("catalog.FeedImport"),
        "orders_order": order,
        "inventory_stockitem": book,
        "inventory_stockmovement": StockMovement.objects.latest("id"),
        "inventory_notification": Notification.objects.latest("created_at"),
        "events_event": Event.objects.latest("id"),
        "events_delivery": Delivery.objects.latest("id"),
        "events_receiver": Receiver.objects.first() or baker.make(Receiver),
        "access_apikey": key,
        "webhooks_webhook": webhook,
        "auth_user": colleague,
        "auth_group": Group.objects.get(name="Read-only"),
        "staff_failedlogin": baker.make(FailedLogin, username="x", failures_since_start=5, attempt_time=timezone.now()),
    }
    return Shop(rows, order, {letter: signed_in(letter, name) for letter, name in USERS.items()}, event)


def signed_in(letter, name):
    user = User.objects.create_user(name, is_staff=True, is_superuser=letter == "S")
    user.groups.set(Group.objects.filter(name=name))
    desk = Desk()
    desk.force_login(user)
    return desk


def status_of(desk, method, address):
    """What is answered; what it did is undone."""
    before = transaction.savepoint()
    response = getattr(desk, method)(address)
    transaction.savepoint_rollback(before)
    return response


@pytest.mark.parametrize("letter", USERS, ids=USERS.get)
def test_everybody_sees_and_does_exactly_what_they_may(shop, letter):
    desk, wrong, seen = shop.desks[letter], defaultdict(list), {}
    for name, row in PAGES.items():
        for method, allowed in (("get", row.look), ("post", row.do)):
            if allowed is None:
                continue
            response = status_of(desk, method, shop.address(name))
            if (response.status_code != 403) != (letter in allowed):
                wrong[name].append((method, response.status_code))
            elif method == "get" and response.status_code == 200 and "html" in response.headers["Content-Type"]:
                seen[shop.address(name)] = response.content.decode()

    links, buttons = offered_on(seen)
    assert dict(wrong) == {}
    assert actions_on(seen) == actions_of(letter)
    links, buttons = offered_on(seen)
    assert links == {name for name in LINKED if letter in (PAGES[name].look or "")}
    assert buttons == {name for name in BUTTONS if letter in (PAGES[name].do or "")}


def actions_on(pages):
    """By model, the actions that its list offers."""
    return {
        label: offered
        for label in ACTIONS
        if (offered := set(re.findall(r'<option value="(\w+)"', _select(pages, label))))
    }


def _select(pages, label):
    page = pages.get(f"/admin/{label.replace('.', '/')}/", "")
    found = re.search(r'<select name="action".*?</select>', page, re.DOTALL)
    return found[0] if found else ""


def actions_of(letter):
    mine = {label: {name for name, who in actions.items() if letter in who} for label, actions in ACTIONS.items()}
    return {label: actions for label, actions in mine.items() if actions}


def offered_on(pages):
    """To which pages of the table links lead, and which buttons send to."""
    links, buttons = set(), set()
    for address, html in pages.items():
        page = Page(html)
        # no page is reached by its own links: the one that skips to its content, a name at its top
        links |= {named(urljoin(address, link)) for link in page.links if not link.startswith("#")} - {named(address)}
        sending = [form for form in page.forms if form.method == "post" and form.buttons]
        buttons |= {named(urljoin(address, form.action)) for form in sending}
    lists = {name for name in PAGES if name.endswith("_changelist")}
    return links & set(PAGES), (buttons & set(PAGES)) - lists


def named(address):
    path = address.partition("?")[0].partition("#")[0]
    if not path.startswith("/admin/"):
        return None
    try:
        return resolve(path).url_name
    except Resolver404:
        return None
