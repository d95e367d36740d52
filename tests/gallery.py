"""Every page of the site, by name, in a shop where each has something to show: what the tests look at, and the guides.

All of it is made by the services as in the shop, whatever else is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import uuid4

import time_machine
from django.contrib.auth.models import User
from django.utils import timezone

from bookshelf_site.events import acting
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.staff import two_factor
from bookshelf_site.webhooks.models import Attempt, SigningSecret, Webhook
from bookshelf_site.webhooks.services import owed
from catalog import imports
from catalog.models import Book, BookDetails
from catalog.services import add_to_catalog, reprice
from inventory import counting
from inventory.models import Notification, StockMovement
from inventory.services import adjust_stock, receive_copies
from orders import services
from orders.models import Order
from tests import states
from tests.given import a_book, a_waiting_order, an_order, usd

LONG = "The Personal History, Adventures, Experience and Observation of David Copperfield the Younger"
PRIDE, EMMA, COPPERFIELD = "9780141439518", "9780141439587", "9780140439441"
BEST_SELLERS = ("9780743273565", "9780142410370", "9780547928227", "9780441172719", "9780451524935", "9780060850524")
RECEIVED = (
    "isbn,title,author,publisher,price,opening stock\n"
    f"{PRIDE},Pride and Prejudice,Jane Austen,Penguin Classics,11.50,\n"
    "9780141439686,Persuasion,Jane Austen,Penguin Classics,9.00,6\n"
    "9780141439808,Mansfield Park,Jane Austen,Penguin Classics,9.00,4\n"
    "9780141439797,Northanger Abbey,Jane Austen,Penguin Classics,,2\n"
    "9780141439610,Sense and Sensibility,Jane Austen,Penguin Classics,9.00,2\n"
    "978014143966,Lady Susan,Jane Austen,Penguin Classics,9.00,2\n"
    "9780141395173,Sanditon,Jane Austen,Penguin Classics,nine,2\n"
)


def in_languages(*codes: str) -> dict[str, Callable[[], Order]]:
    return {
        f"{name}-{code}": partial(make, replace(contact, language=code))
        for code in codes
        for name, make, contact in (
            ("part-waiting", states.part_waiting, states.COLLECTED),
            ("on-its-way", states.on_its_way, states.SENT),
        )
    }


STATES: dict[str, Callable[[], Order]] = states.STATES | in_languages("de", "fr")


def desk_pages(user: User) -> dict[str, str]:
    """Each page of the desk as `user` may see it, by its name."""
    with acting(actor=f"user:{user.username}"):
        pride = _known(PRIDE, "Pride and Prejudice", copies=15)
        _known(EMMA, "Emma", copies=3)
        details = BookDetails(title=LONG, author="Charles Dickens", isbn=COPPERFIELD)
        copperfield = add_to_catalog(details, price=usd("17.00"), opening_stock=0)
        _move(pride)
        sent, packed, waits = _take_orders(pride, copperfield)
        feeds = _hand_in_feeds()
        _count()
        webhook = _listen(sent)
        two_factor.begin(user)
    return _desk(user, pride, {"sent": sent, "packed": packed, "waits": waits}, feeds, webhook)


def _known(isbn: str, title: str, *, copies: int) -> Book:
    found = Book.objects.by_isbn([isbn])
    return found[isbn] if isbn in found else a_book(title, isbn=isbn, price="10.00", copies=copies)


def _move(pride: Book) -> None:
    reprice(book_id=pride.pk, price=usd("10.50"))
    reprice(book_id=pride.pk, price=usd("11.00"))
    receive_copies(book_id=pride.pk, quantity=6, reason="Delivery 2041")
    adjust_stock(book_id=pride.pk, change=-1, kind=StockMovement.Kind.DAMAGED, reason="Torn cover")


def _take_orders(pride: Book, copperfield: Book) -> tuple[Order, Order, Order]:
    """One that was sent, one that is packed now, and one that waits for copies."""
    sent = an_order((pride, 2), contact=replace(states.SENT, phone="555 0100", note="Ring twice, please"))
    services.add_note(order_id=sent.pk, text="Rang: sends her nephew if it doesn’t arrive by Friday")
    services.confirm_order(order_id=sent.pk)
    services.ship_order(order_id=sent.pk, tracking="RR123456785US")
    packed = an_order((pride, 1), (_known(EMMA, "Emma", copies=3), 1), contact=states.SENT)
    services.confirm_order(order_id=packed.pk)
    waits = a_waiting_order((pride, 1), (copperfield, 2))
    return Order.objects.get(pk=sent.pk), Order.objects.get(pk=packed.pk), waits


def _hand_in_feeds() -> dict[str, str]:
    """Imports: one taken over, one to be said yes to, one that is broken, and one that waits for its turn."""
    done = imports.hand_in([RECEIVED.encode()], file_name="penguin-november.csv", wishes=imports.Wishes())
    imports.work_on(lambda: False)
    imports.apply(feed_id=done.pk)
    imports.work_on(lambda: False)
    changed = RECEIVED.replace("9.00", "9.50").replace("9780141439610,Sense", "9780140430721,Sense")
    ready = imports.hand_in([changed.encode()], file_name="penguin-december.csv", wishes=imports.Wishes())
    broken = imports.hand_in([b"nonsense"], file_name="a-name-without-a-break" * 4, wishes=imports.Wishes())
    imports.work_on(lambda: False)
    waiting = imports.hand_in([RECEIVED.encode()], file_name="onix-all-publishers.xml", wishes=imports.Wishes())
    found = {"done": done, "ready": ready, "broken": broken, "waiting": waiting}
    return {name: f"/admin/catalog/feedimport/{feed.pk}/change/" for name, feed in found.items()}


def _count() -> None:
    for text in (PRIDE, PRIDE, "17", EMMA, "2"):
        counting.scan(text=text, token=uuid4())


def customers_pages(wanted: Iterable[str] = STATES) -> dict[str, str]:
    """The page of an order in each state, of which some are seen in other languages too, and the pages around it."""
    orders = {state: STATES[state]() for state in {"placed", *wanted}}
    pages = {f"status-{state}": order.status_path for state, order in orders.items()}
    return {
        "landing": "/",
        **pages,
        "status-cancel": f"{pages['status-placed']}cancel/",
        "find": "/orders/find/",
        "find-sent": "/orders/find/sent/",
        "find-unknown-link": "/o/unknown/",
        "nowhere": "/nowhere",
        "problems": "/docs/problems/",
        "problem": "/docs/problems/insufficient_stock",
        "login": "/admin/login/",
    }


def _listen(order: Order) -> Webhook:
    """A webhook that was told of an order, after one failure, and could not be told the last of it yet."""
    now, told = timezone.now(), Event.objects.filter(stream=f"orders.order:{order.pk}").order_by("id")
    webhook = Webhook()  # by hand, for the service asks where the name leads
    webhook.add(
        url="https://till.example.com/bookshelf",
        event_types=["orders.*"],
        description="The till",
        owed_after=Event.objects.latest("id").pk,
    )
    webhook.save()
    SigningSecret.drawn(webhook).save()
    for event in told:
        delivery = owed(webhook, event_id=event.pk, stream="")
        is_last = event.name == "orders.order_shipped"
        delivery.status = Delivery.Status.PENDING if is_last else Delivery.Status.DONE
        delivery.done_at = None if is_last else now
        delivery.attempts, delivery.due = 1, now + timedelta(minutes=40)
        delivery.save()
        _tried(webhook, delivery, 503 if is_last else 204)
    return webhook


def _tried(webhook: Webhook, delivery: Delivery, status: int) -> None:
    Attempt.objects.create(
        webhook=webhook,
        delivery=delivery,
        number=1,
        at=timezone.now(),
        duration_ms=84,
        response_status=status,
        response_body="" if status == 204 else "The till is being updated.",
        is_success=status == 204,
    )


def _desk(user: User, book: Book, orders: dict[str, Order], feeds: dict[str, str], webhook: Webhook) -> dict[str, str]:
    admin = "/admin"
    books, stock, webhooks = f"{admin}/catalog/book", f"{admin}/inventory/stockitem", f"{admin}/webhooks/webhook"
    order = {name: f"{admin}/orders/order/{one.pk}" for name, one in orders.items()}
    line = orders["waits"].lines.earliest("id")
    shipped = Event.objects.get(stream=f"orders.order:{orders['sent'].pk}", name="orders.order_shipped")
    told = Notification.objects.get(order_id=orders["sent"].pk, kind="order_shipped")
    return {
        "start": f"{admin}/",
        "search": f"{admin}/search/?q=pride",
        "search-unknown-isbn": f"{admin}/search/?q=9780140430721",
        "orders": f"{admin}/orders/order/",
        "order": f"{order['waits']}/change/",
        "order-sent": f"{order['sent']}/change/",
        "order-new": f"{admin}/orders/order/add/",
        "order-cancel": f"{order['waits']}/cancel/",
        "order-put-back": f"{order['waits']}/lines/{line.pk}/put_back/",
        "orders-export": f"{admin}/orders/order/export/",
        "slip": f"{order['packed']}/print/slips/",
        "picks": f"{order['packed']}/print/picks/",
        "receipt": f"{order['sent']}/print/receipts/",
        "books": f"{books}/",
        "book": f"{books}/{book.pk}/change/",
        "book-new": f"{books}/add/?isbn=9780140430721",
        "book-withdraw": f"{books}/{book.pk}/withdraw/",
        "books-export": f"{books}/export/",
        "imports": f"{admin}/catalog/feedimport/",
        "import-new": f"{admin}/catalog/feedimport/add/",
        "import-preview": feeds["ready"],
        "import-report": feeds["done"],
        "import-broken": feeds["broken"],
        "import-waiting": feeds["waiting"],
        "stock": f"{stock}/",
        "stock-of-a-book": f"{stock}/{book.pk}/change/",
        "receive": f"{stock}/{book.pk}/receive/",
        "adjust": f"{stock}/{book.pk}/adjust/",
        "take-back": f"{stock}/{book.pk}/take_back/",
        "stocktake": f"{stock}/stocktake/",
        "stocktake-differences": f"{stock}/stocktake/differences/",
        "stocktake-throw-away": f"{stock}/stocktake/throw_away/",
        "waiting": f"{stock}/waiting/",
        "movements": f"{admin}/inventory/stockmovement/",
        "notifications": f"{admin}/inventory/notification/",
        "notification": f"{admin}/inventory/notification/{told.pk}/change/",
        "events": f"{admin}/events/event/",
        "event": f"{admin}/events/event/{shipped.pk}/change/",
        "deliveries": f"{admin}/events/delivery/",
        "delivery": f"{admin}/events/delivery/{Delivery.objects.latest('id').pk}/change/",
        "receivers": f"{admin}/events/receiver/",
        "webhooks": f"{webhooks}/",
        "webhook": f"{webhooks}/{webhook.pk}/change/",
        "webhook-new": f"{webhooks}/add/",
        "webhook-disable": f"{webhooks}/{webhook.pk}/disable/",
        "keys": f"{admin}/access/apikey/",
        "key-new": f"{admin}/access/apikey/add/",
        "users": f"{admin}/auth/user/",
        "user": f"{admin}/auth/user/{user.pk}/change/",
        "user-new": f"{admin}/auth/user/add/",
        "groups": f"{admin}/auth/group/",
        "failed-logins": f"{admin}/staff/failedlogin/",
        "two-factor": f"{admin}/two-factor/",
        "password": f"{admin}/password_change/",
    }


def a_month_of_orders() -> None:
    """What was sold in the days before today, so that the start page has something to draw."""
    books = list(Book.objects.by_isbn(BEST_SELLERS).values())
    now = timezone.now()
    for book in books:
        receive_copies(book_id=book.pk, quantity=60, reason="Christmas trade")
    for day in range(28, 0, -1):
        with time_machine.travel(now - timedelta(days=day)):
            for number in range(1 + (day * 7 + 3) % 4):
                order = an_order((books[(day + number * 2) % len(books)], 1 + (day + number) % 3), contact=states.SENT)
                services.confirm_order(order_id=order.pk)
                services.ship_order(order_id=order.pk)
