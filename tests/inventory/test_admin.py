import pytest
from django.contrib.admin.models import LogEntry

from inventory.models import StockItem, StockMovement
from inventory.services import receive_copies
from orders.services import confirm_order, ship_order
from tests.given import a_book, a_waiting_order, an_order, books, ledger, promised, stock

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite")]

LIST = "/admin/inventory/stockitem/"
TASKS = ["receive", "count", "adjust", "take_back", "threshold"]
NOWHERE = "0198c0de-0000-7000-8000-000000000000"


def page_of(book):
    return f"{LIST}{book.pk}/change/"


def do(desk, book, task, **values):
    path = f"{LIST}{book.pk}/{task}/"
    form = next(form for form in desk.open(path).forms if "reason" in form.values)
    return desk.post(path, form.values | {name: [value] for name, value in values.items()}, follow=True)


def test_copies_are_received(desk):
    emma = a_book(copies=1)

    response = do(desk, emma, "receive", quantity="4", reason="delivery note 17")

    assert response.redirect_chain == [(page_of(emma), 302)]
    assert stock(emma) == (5, 0)
    movement = StockMovement.objects.latest("id")
    assert (movement.kind, movement.reason, movement.actor) == ("received", "delivery note 17", "user:bookseller")
    assert LogEntry.objects.get().object_id == str(emma.pk)


def test_what_most_copies_come_by_is_said_already(desk):
    emma = a_book(copies=1)

    do(desk, emma, "receive", quantity="4")

    assert StockMovement.objects.latest("id").reason == "Delivery"


def test_received_copies_go_to_the_order_that_waits(desk):
    emma = a_book(copies=1)
    order = a_waiting_order((emma, 3))

    do(desk, emma, "receive", quantity="4")

    assert promised(order) == [(3, 3)]
    assert stock(emma) == (5, 3)


def test_the_shelf_is_counted(desk):
    emma = a_book(copies=5)

    do(desk, emma, "count", counted="3", reason="stocktake")

    assert stock(emma) == (3, 0)
    assert ledger(emma)[-1] == ("counted", -2, 0)


def test_a_count_that_is_right_moves_nothing(desk):
    emma = a_book(copies=5)

    response = do(desk, emma, "count", counted="5", reason="stocktake")

    assert [str(message) for message in response.context["messages"]] == ["Done: counted, as expected."]
    assert stock(emma) == (5, 0)
    assert ledger(emma)[-1] == ("counted", 0, 0)


def test_damaged_copies_are_written_off(desk):
    emma = a_book(copies=5)

    do(desk, emma, "adjust", kind="damaged", change="-1", reason="coffee")

    assert ledger(emma)[-1] == ("damaged", -1, 0)


@pytest.mark.parametrize(
    ("task", "values", "field"),
    [
        ("receive", {"quantity": "0"}, "quantity"),
        ("receive", {"quantity": "-5"}, "quantity"),
        ("receive", {"quantity": "1.5"}, "quantity"),
        ("receive", {"quantity": "1000000000"}, "quantity"),
        ("receive", {}, "quantity"),
        ("receive", {"quantity": "1", "reason": ""}, "reason"),
        ("take_back", {"order_number": "1", "quantity": "1", "reason": " "}, "reason"),
        ("threshold", {"low_stock_threshold": "2"}, "reason"),
        ("count", {"counted": "-1", "reason": "stocktake"}, "counted"),
        ("count", {"counted": "3"}, "reason"),
        ("count", {"counted": "3", "reason": " "}, "reason"),
        ("adjust", {"kind": "damaged", "change": "1", "reason": "coffee"}, "change"),
        ("adjust", {"kind": "corrected", "change": "0", "reason": "coffee"}, "change"),
        ("adjust", {"kind": "shipped", "change": "-1", "reason": "coffee"}, "kind"),
        ("adjust", {"kind": "lost", "change": "-1"}, "reason"),
    ],
)
def test_a_wrong_value_is_named_at_its_field(desk, task, values, field):
    emma = a_book(copies=5)

    response = do(desk, emma, task, **values)

    assert list(response.context["form"].errors) == [field]
    assert ledger(emma) == [("opening", 5, 0)]


def test_promised_copies_can_not_be_counted_away(desk):
    emma = a_book(copies=5)
    order = an_order((emma, 4))

    response = do(desk, emma, "count", counted="3", reason="stocktake")

    assert order.number in response.context["form"].non_field_errors()[0]
    assert stock(emma) == (5, 4)


# Customers bring copies back


def shipped(order):
    confirm_order(order_id=order.pk)
    return ship_order(order_id=order.pk)


@pytest.mark.parametrize(
    ("condition", "left", "kinds"),
    [("fine", (4, 0), ["returned"]), ("damaged", (3, 0), ["returned", "damaged"])],
)
def test_copies_are_taken_back_in_parts(desk, condition, left, kinds):
    emma = a_book(copies=5)
    order = shipped(an_order((emma, 2)))
    path = f"{LIST}{emma.pk}/take_back/?order={order.number}"
    form = next(form for form in desk.open(path).forms if "reason" in form.values)

    response = desk.post(path, form.values | {"quantity": ["1"], "condition": [condition]}, follow=True)

    assert form.values["order_number"] == [order.number]
    assert response.redirect_chain == [(page_of(emma), 302)]
    assert stock(emma) == left
    assert [kind for kind, *_ in ledger(emma)][3:] == kinds


@pytest.mark.parametrize("write", [str.lower, lambda number: f" {number[:4]}-{number[4:]} "])
def test_the_orders_number_is_taken_in_any_form(desk, write):
    emma = a_book(copies=5)
    order = shipped(an_order((emma, 2)))

    do(desk, emma, "take_back", order_number=write(order.number), quantity="2")

    assert stock(emma) == (5, 0)


def test_more_than_was_sent_does_not_come_back(desk):
    emma = a_book(copies=5)
    order = shipped(an_order((emma, 2)))

    response = do(desk, emma, "take_back", order_number=order.number, quantity="3")

    assert list(response.context["form"].errors) == ["quantity"]
    assert stock(emma) == (3, 0)


def test_an_order_without_the_book_brings_nothing_back(desk):
    emma, order = a_book(copies=5), shipped(an_order((a_book("Persuasion", copies=5), 2)))

    response = do(desk, emma, "take_back", order_number=order.number, quantity="1")

    assert response.context["form"].non_field_errors() == ["This book is on no line of that order."]
    assert stock(emma) == (5, 0)


# When it is low


@pytest.mark.parametrize(("given", "kept", "is_low"), [("7", 7, True), ("0", 0, False), ("", None, False)])
def test_a_book_gets_a_threshold_of_its_own(desk, given, kept, is_low):
    emma = a_book(copies=5)
    path = f"{LIST}{emma.pk}/threshold/"
    form = next(form for form in desk.open(path).forms if "low_stock_threshold" in form.values)

    response = desk.post(path, form.values | {"low_stock_threshold": [given], "reason": ["Sells fast"]}, follow=True)

    item = StockItem.objects.get()
    assert (item.low_stock_threshold, item.is_low) == (kept, is_low)
    assert [str(message) for message in response.context["messages"]] == [f"Done: low at {item.threshold}."]
    assert desk.open(path).form("task").values["low_stock_threshold"] == [given]


def test_the_page_says_who_set_the_threshold_and_why(desk):
    emma = a_book(copies=5)

    desk.post(f"{LIST}{emma.pk}/threshold/", {"low_stock_threshold": "7", "reason": "Sells fast"})
    desk.post(f"{LIST}{emma.pk}/threshold/", {"low_stock_threshold": "", "reason": "Not any more"})

    text = desk.open(f"{LIST}{emma.pk}/change/").text
    assert text.index("the shop’s own Not any more") < text.index("7 Sells fast")


@pytest.mark.parametrize("given", ["-1", "x", "1000001", "1.5"])
def test_a_threshold_that_is_none_is_refused(desk, given):
    emma = a_book(copies=5)

    response = desk.post(f"{LIST}{emma.pk}/threshold/", {"low_stock_threshold": given, "reason": "Sells fast"})

    assert list(response.context["form"].errors) == ["low_stock_threshold"]
    assert StockItem.objects.get().low_stock_threshold is None


# Who waits


def test_who_waits_for_a_book_stands_in_line(desk):
    emma = a_book("Emma", copies=1)
    first, second = a_waiting_order((emma, 3)), a_waiting_order((emma, 2))
    a_book("Persuasion", copies=5)

    page = desk.open(page_of(emma))
    listed = desk.get(LIST, {"level": "waited"}).context["cl"].result_list

    assert f"{first.number} 3 1" in page.text
    line = page.text[page.text.index("Waiting for copies") :]
    assert line.index(f"{first.number} 3 2") < line.index(f"{second.number} 2 2")
    assert [item.pk for item in listed] == [emma.pk]


def test_counters_are_no_fields(desk, admin_client):
    emma = a_book(copies=5)

    for client in (desk, admin_client):
        assert client.post(page_of(emma), {"on_hand": "99", "allocated": "0"}).status_code == 403

    assert stock(emma) == (5, 0)


@pytest.mark.parametrize("rows", ["stockitem", "stockmovement", "notification"])
def test_stock_ledger_and_notifications_are_never_added_or_deleted_by_hand(admin_client, rows):
    an_order((a_book(copies=5), 1))
    listed = f"/admin/inventory/{rows}/"
    [row, *_] = admin_client.get(listed).context["cl"].result_list

    assert admin_client.get(f"{listed}add/").status_code == 403
    assert admin_client.post(f"{listed}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.get(f"{listed}{row.pk}/change/").status_code == 200
    assert admin_client.post(f"{listed}{row.pk}/change/", {"reason": "x"}).status_code == 403


def test_the_page_shows_figures_orders_and_ledger(desk):
    emma = a_book(copies=5)
    order = an_order((emma, 3))

    page = desk.open(page_of(emma))

    assert "On hand 5 Allocated 3 Available 2 low" in page.text
    assert f"{order.number} 3 3" in page.text
    assert page.text.index("Allocated – +3 5 3") < page.text.index("Opening +5 – 5 0")


def test_the_ledger_has_pages(desk):
    emma = a_book(copies=1)
    for quantity in range(1, 61):
        receive_copies(book_id=emma.pk, quantity=quantity)

    first, second = desk.open(page_of(emma)), desk.open(f"{page_of(emma)}?page=2")

    assert "Page 1 of 2" in first.text
    assert "?page=2" in first.links
    assert "Opening" not in first.text
    assert "Opening" in second.text


def test_the_stock_of_no_book_is_not_found(desk):
    assert desk.get(f"{LIST}{NOWHERE}/receive/").status_code == 404


@pytest.mark.parametrize("text", ["0141439580", "978-0-14-143958-7", "emma"])
def test_a_search_takes_what_staff_have(desk, text):
    emma = a_book("Emma", isbn="9780141439587", copies=1)
    a_book("Persuasion", copies=1)

    assert [item.pk for item in desk.get(LIST, {"q": text}).context["cl"].result_list] == [emma.pk]
    movements = desk.get("/admin/inventory/stockmovement/", {"q": text}).context["cl"].result_list
    assert [movement.item_id for movement in movements] == [emma.pk]


@pytest.mark.parametrize(("level", "titles"), [("low", ["Few"]), ("available", ["Few", "Many"])])
def test_the_list_is_filtered_by_level(desk, level, titles):
    for title, copies in (("Many", 9), ("Few", 3), ("Never", 0)):
        a_book(title, copies=copies)

    items = desk.get(LIST, {"level": level}).context["cl"].result_list

    assert [item.book.title for item in items] == titles


@pytest.mark.parametrize(
    ("query", "kinds"),
    [({}, ["allocated", "opening"]), ({"kind__exact": "opening"}, ["opening"]), ({"kind__exact": "lost"}, [])],
)
def test_movements_are_filtered_by_kind(desk, query, kinds):
    an_order((a_book(copies=5), 1))

    movements = desk.get("/admin/inventory/stockmovement/", query).context["cl"].result_list

    assert [movement.kind for movement in movements] == kinds


def test_a_movement_is_listed_with_what_was_before_and_is_after(desk):
    an_order((a_book(copies=5), 3))

    assert "Allocated 5 0 → 3" in desk.open("/admin/inventory/stockmovement/").text


def test_a_notification_leads_to_its_order(desk):
    order = an_order((a_book(copies=5), 1))

    page = desk.open("/admin/inventory/notification/")

    assert f"Order {order.number} placed by Alice Johnson" in page.text
    assert f"/admin/orders/order/{order.pk}/change/" in page.links


@pytest.mark.parametrize("rows", ["stockitem", "stockmovement", "notification"])
def test_the_lists_cost_the_same_for_many(desk, django_assert_max_num_queries, rows):
    for book in books(50, copies=1):
        an_order((book, 1))

    with django_assert_max_num_queries(6):
        page = desk.get(f"/admin/inventory/{rows}/")

    assert len(page.context["cl"].result_list) == 50


@pytest.mark.parametrize(
    ("group", "tasks"),
    [
        ("Bookseller", TASKS),
        ("Manager", TASKS),
        ("Integration", []),
        ("Read-only", []),
    ],
)
def test_each_group_does_what_it_may(staff_of, group, tasks):
    emma, person = a_book(copies=5), staff_of(group)

    answers = {task: person.post(f"{LIST}{emma.pk}/{task}/").status_code for task in TASKS}
    page = person.open(page_of(emma))

    assert [task for task, answer in answers.items() if answer != 403] == tasks
    assert [task for task in answers if f"{LIST}{emma.pk}/{task}/" in page.links] == tasks
    assert StockItem.objects.get().on_hand == 5
