import pytest
from django.contrib.admin.models import LogEntry, LogEntryManager
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookshelf_site.events.models import Event
from inventory.models import Notification
from inventory.services import return_copies
from orders import services
from orders.models import Contact, Order
from tests.given import a_book, a_waiting_order, an_order, books, promised, raised, stock

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite")]

LIST = "/admin/orders/order/"
ADD = "/admin/orders/order/add/"
BEN = Contact(customer_name="Ben Okafor", customer_email="ben@example.com", phone="555 0100")


def page_of(order):
    return f"{LIST}{order.pk}/change/"


def status_of(order):
    return Order.objects.get(pk=order.pk).status


def confirmed(order):
    return services.confirm_order(order_id=order.pk)


def shipped(order):
    return services.ship_order(order_id=confirmed(order).pk)


def chosen(*orders):
    return [str(order.pk) for order in orders]


def messages(response):
    return [str(message) for message in response.context["messages"]]


def line(index, book, quantity):
    return {f"lines-{index}-book": str(book.pk), f"lines-{index}-quantity": str(quantity)}


# Placing an order


def test_an_order_is_placed_with_several_lines(desk):
    emma, persuasion = a_book("Emma", copies=5), a_book("Persuasion", copies=5)

    response = desk.send(ADD, "order_form", customer_name="Alice", **line(0, emma, 2), **line(2, persuasion, 1))

    order = Order.objects.get()
    assert response.redirect_chain == [(page_of(order), 302)]
    assert (order.customer_name, order.status, str(order.total)) == ("Alice", "PENDING", "38.97 USD")
    assert promised(order) == [(2, 2), (1, 1)]
    assert order.placed_by == "user:bookseller"
    assert LogEntry.objects.get().object_id == str(order.pk)


def test_lines_of_one_book_are_added_up(desk):
    emma = a_book(copies=5)

    desk.send(ADD, "order_form", customer_name="Alice", **line(0, emma, 2), **line(1, emma, 1))

    assert promised(Order.objects.get()) == [(3, 3)]


def test_too_many_copies_are_named_at_their_line(desk):
    emma, persuasion = a_book("Emma", copies=5), a_book("Persuasion", copies=1)

    response = desk.send(ADD, "order_form", customer_name="Alice", **line(0, emma, 1), **line(2, persuasion, 2))

    forms = response.context["inline_admin_formsets"][0].formset.forms
    assert [form.errors for form in forms] == [
        {},
        {},
        {"quantity": ["Line 2, 'Persuasion': 2 requested, 1 available"]},
    ]
    assert not Order.objects.exists()
    assert stock(emma) == (5, 0)


def test_a_book_that_is_not_for_sale_is_named_at_its_line(desk):
    response = desk.send(ADD, "order_form", customer_name="Alice", **line(0, a_book(price=None, copies=5), 1))

    assert "has no price" in response.context["inline_admin_formsets"][0].formset.forms[0].errors["book"][0]
    assert not Order.objects.exists()


def test_an_order_without_lines_is_refused(desk):
    response = desk.send(ADD, "order_form", customer_name="Alice")

    assert response.context["inline_admin_formsets"][0].formset.non_form_errors() == [
        "An order has 1 to 200 lines, not 0"
    ]
    assert not Order.objects.exists()


@pytest.mark.parametrize("quantity", ["0", "-5", "1.5", "1000000000", ""])
def test_a_quantity_that_is_none_is_refused(desk, quantity):
    emma = a_book(copies=5)

    response = desk.send(ADD, "order_form", customer_name="Alice", **line(0, emma, quantity))

    assert list(response.context["inline_admin_formsets"][0].formset.forms[0].errors) == ["quantity"]
    assert not Order.objects.exists()
    assert stock(emma) == (5, 0)


@pytest.mark.parametrize(
    ("contact", "field"),
    [
        ({"customer_name": " "}, "customer_name"),
        ({"customer_email": "no address"}, "customer_email"),
        ({"fulfilment": "ship"}, "street"),
        ({"fulfilment": "ship", "street": "1 Road", "city": "York", "country": "UK"}, "postal_code"),
        ({"language": "xx"}, "language"),
    ],
)
def test_a_wrong_contact_is_named_at_its_field(desk, contact, field):
    values = {"customer_name": "Alice"} | contact

    response = desk.send(ADD, "order_form", **values, **line(0, a_book(copies=5), 1))

    assert list(response.context["adminform"].form.errors) == [field]
    assert not Order.objects.exists()


# The order's page


def test_the_page_shows_lines_copies_and_what_happened(desk):
    order = confirmed(an_order((a_book("Emma", copies=5), 2)))

    page = desk.open(page_of(order))

    assert f"Order {order.number} Confirmed" in page.text
    assert "Emma Jane Austen 2 2 5 on hand, 2 promised 3 free 12.99 USD 25.98 USD Total 25.98 USD" in page.text
    assert "Placed" in page.text
    assert page.text.index("Placed") < page.text.index("Confirmed", page.text.index("Placed"))


def test_the_timeline_names_who_did_it(desk):
    order = an_order((a_book(copies=5), 2))
    desk.send(page_of(order), "confirm")

    timeline = desk.get(page_of(order)).context["timeline"]

    assert [(happening.label, happening.actor) for happening in timeline] == [
        ("Placed", "the shop itself"),
        ("Confirmed", "bookseller"),
    ]


def test_a_waiting_line_says_how_many_copies_are_missing(desk):
    order = a_waiting_order((a_book(copies=1), 3))

    assert "3 1 2 missing 1 on hand, 1 promised 0 free , 2 waited for" in desk.open(page_of(order)).text


def test_the_contact_is_put_right(desk):
    order = an_order((a_book(copies=5), 1), contact=BEN)

    desk.send(page_of(order), "order_form", customer_name="Benjamin Okafor", note="rings twice")

    order.refresh_from_db()
    assert (order.customer_name, order.note, order.phone) == ("Benjamin Okafor", "rings twice", "555 0100")
    assert LogEntry.objects.get().is_change()


def test_an_address_that_is_not_complete_is_named_at_its_field(desk):
    order = an_order((a_book(copies=5), 1))

    response = desk.send(page_of(order), "order_form", fulfilment="ship", street="1 Road", city="York", country="UK")

    assert response.context["adminform"].form.errors == {"postal_code": ["Is needed to ship the order"]}
    assert Order.objects.get().fulfilment == "collect"


def test_a_shipped_order_has_no_field_to_edit(desk):
    order = shipped(an_order((a_book(copies=5), 1)))

    form = desk.open(page_of(order)).form("order_form")

    assert set(form.values) == {"csrfmiddlewaretoken"}
    assert form.buttons == []


def test_a_form_that_stood_open_while_the_order_was_shipped_is_refused(desk):
    order = an_order((a_book(copies=5), 1), contact=BEN)
    sent = {name: value[0] for name, value in desk.open(page_of(order)).form("order_form").values.items()}
    shipped(order)

    response = desk.post(page_of(order), sent | {"customer_name": "Somebody Else"})

    assert response.context["adminform"].form.non_field_errors() == [
        "An order that is SHIPPED can't be changed any more."
    ]
    assert Order.objects.get().customer_name == "Ben Okafor"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "SHIPPED"),
        ("total_amount", "0.01"),
        ("currency", "EUR"),
        ("token", "x" * 43),
        ("number", "AAAAAAAAA"),
        ("placed_by", "key:evil"),
        ("shipped_at", "2020-01-01"),
        ("tracking", "1Z"),
    ],
)
def test_what_the_shop_decides_is_no_field(desk, field, value):
    order = an_order((a_book(copies=5), 1))
    before = getattr(order, field)

    desk.send(page_of(order), "order_form", **{field: value, f"{field}_0": value})

    assert getattr(Order.objects.get(), field) == before
    assert status_of(order) == "PENDING"


@pytest.mark.parametrize("shipped", [False, True])
def test_an_address_is_called_the_same_whether_it_can_be_changed_or_not(desk, shipped):
    order = an_order((a_book(copies=1), 1))
    if shipped:
        services.confirm_order(order_id=order.pk)
        services.ship_order(order_id=order.pk)

    text = desk.open(f"{LIST}{order.pk}/change/").text

    assert "E-mail:" in text
    assert "Customer email" not in text


def test_the_lines_of_an_order_are_no_fields(desk):
    order = an_order((a_book(copies=5), 1))
    management = {"lines-TOTAL_FORMS": "1", "lines-INITIAL_FORMS": "1", "lines-0-id": str(order.lines.get().pk)}

    desk.send(page_of(order), "order_form", **management, **{"lines-0-quantity": "4", "lines-0-DELETE": "on"})

    assert [line.quantity for line in order.lines.all()] == [1]


def test_no_order_is_ever_deleted(admin_client):
    order = an_order((a_book(copies=5), 1))

    assert admin_client.post(f"{LIST}{order.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Order.objects.filter(pk=order.pk).exists()


# Notes of the staff


def test_a_note_stands_in_the_timeline_with_who_wrote_it(desk):
    order = shipped(an_order((a_book(copies=5), 1)))

    response = desk.send(page_of(order), "add_note", text="rang twice\r\n<b>angry</b>")

    assert messages(response) == [f"{order.number}: note added"]
    happening = response.context["timeline"][-1]
    assert (happening.label, happening.actor, happening.said) == ("Note", "bookseller", "rang twice\n<b>angry</b>")
    assert "rang twice<br>&lt;b&gt;angry&lt;/b&gt;" in response.page.html


def test_a_note_is_for_the_staff_alone(desk, client, api):
    order = an_order((a_book(copies=5), 1))
    told = list(Notification.objects.values_list("message"))

    desk.send(page_of(order), "add_note", text="a difficult person")

    assert "difficult" not in client.get(order.status_path).content.decode()
    assert "difficult" not in api.get("/events").content.decode()
    assert list(Notification.objects.values_list("message")) == told


def test_an_empty_note_is_refused(desk):
    order = an_order((a_book(copies=5), 1))

    response = desk.send(page_of(order), "add_note", text=" ")

    assert "a note says something" in messages(response)[0]
    assert order.timeline.count() == 1


# The customer's link


def test_the_customers_link_is_on_the_page_and_never_in_a_list(desk):
    order = an_order((a_book(copies=5), 1))

    assert order.status_url in desk.open(page_of(order)).html
    assert order.token not in desk.open(LIST).html
    assert order.token not in desk.open(f"{LIST}?q={order.number}").html


def test_the_link_is_replaced_by_one_click(desk, client):
    order = an_order((a_book(copies=5), 1))

    desk.send(page_of(order), "rotate_link")

    new = Order.objects.get()
    assert new.token != order.token
    assert client.get(order.status_path).status_code == 404
    assert client.get(new.status_path).status_code == 200


# Transitions of one order


def test_an_order_goes_its_way_by_buttons(desk):
    emma = a_book(copies=5)
    order = an_order((emma, 2))

    desk.send(page_of(order), "confirm")
    was = status_of(order)
    response = desk.send(page_of(order), "ship", tracking="1Z999")

    order.refresh_from_db()
    assert (was, order.status, order.tracking) == ("CONFIRMED", "SHIPPED", "1Z999")
    assert stock(emma) == (3, 0)
    assert messages(response) == [f"{order.number}: shipped"]
    assert set(Event.objects.filter(name__startswith="orders.").values_list("actor", flat=True)) == {
        "",
        "user:bookseller",
    }


def test_an_order_is_cancelled_with_a_reason(desk):
    emma = a_book(copies=5)
    order = an_order((emma, 2))
    question = f"{LIST}{order.pk}/cancel/"
    form = next(form for form in desk.open(question).forms if "reason" in form.values)

    desk.post(question, form.values | {"reason": ["duplicate"], "note": ["rang twice"]})

    order.refresh_from_db()
    assert (order.status, order.cancel_reason, order.cancel_note) == ("CANCELLED", "duplicate", "rang twice")
    assert stock(emma) == (5, 0)


def test_looking_at_the_question_cancels_nothing(desk):
    order = an_order((a_book(copies=5), 2))

    desk.open(f"{LIST}{order.pk}/cancel/")

    assert status_of(order) == "PENDING"


def test_an_unknown_reason_is_asked_for_again(desk):
    order = an_order((a_book(copies=5), 2))

    response = desk.post(f"{LIST}{order.pk}/cancel/", {"reason": "boredom"})

    assert list(response.context["form"].errors) == ["reason"]
    assert status_of(order) == "PENDING"


@pytest.mark.parametrize(
    ("prepare", "buttons"),
    [
        (lambda order: order, {"confirm", "cancel"}),
        (confirmed, {"ship", "cancel"}),
        (shipped, set()),
    ],
)
def test_only_what_is_allowed_now_is_offered(desk, prepare, buttons):
    order = prepare(an_order((a_book(copies=5), 1)))

    page = desk.open(page_of(order))

    doors = [*page.links, *(form.action for form in page.forms)]
    assert {name for name in ("confirm", "ship", "cancel") if f"{LIST}{order.pk}/{name}/" in doors} == buttons


def test_a_forbidden_transition_is_told_and_changes_nothing(desk):
    order = an_order((a_book(copies=5), 1))

    response = desk.post(f"{LIST}{order.pk}/ship/", follow=True)

    assert messages(response) == [
        f"{order.number}: An order that is PENDING can't become SHIPPED; allowed from here: CONFIRMED, CANCELLED."
    ]
    assert status_of(order) == "PENDING"


@pytest.mark.parametrize("door", ["confirm", "ship", "rotate_link"])
def test_a_transition_needs_a_post(desk, door):
    order = an_order((a_book(copies=5), 1))

    assert desk.get(f"{LIST}{order.pk}/{door}/").status_code == 405


@pytest.mark.parametrize("door", ["confirm", "ship", "cancel", "rotate_link"])
def test_an_unknown_order_is_not_found(desk, door):
    assert desk.post(f"{LIST}0198c0de-0000-7000-8000-000000000000/{door}/").status_code == 404


# Several orders at once


def test_several_orders_are_confirmed_at_once(desk):
    emma = a_book(copies=5)
    orders = [an_order((emma, 1)) for _ in range(3)]

    response = desk.send(LIST, "changelist-form", action="confirm", _selected_action=chosen(*orders))

    assert messages(response) == ["3 confirmed"]
    assert {status_of(order) for order in orders} == {"CONFIRMED"}


def test_one_refusal_stops_no_other_and_says_why(desk):
    emma = a_book(copies=9)
    ready = [confirmed(an_order((emma, 1))) for _ in range(7)]
    pending = an_order((emma, 1))

    response = desk.send(LIST, "changelist-form", action="ship", _selected_action=chosen(*ready, pending))

    why = "An order that is PENDING can't become SHIPPED; allowed from here: CONFIRMED, CANCELLED."
    assert messages(response) == [f"7 shipped, 1 refused: {pending.number}: {why}"]
    assert {status_of(order) for order in ready} == {"SHIPPED"}
    assert status_of(pending) == "PENDING"
    assert LogEntry.objects.count() == 7


def test_each_refusal_is_told_in_one_sentence_with_the_others(desk):
    emma = a_book(copies=2)
    orders = [an_order((emma, 1)), an_order((emma, 1))]

    response = desk.post(LIST, {"action": "ship", "_selected_action": [order.pk for order in orders]}, follow=True)

    why = "An order that is PENDING can't become SHIPPED; allowed from here: CONFIRMED, CANCELLED"
    [told] = messages(response)
    assert told.startswith("0 shipped, 2 refused: ")
    assert told.count(why) == 2
    assert ".;" not in told


def test_an_order_that_waits_is_refused_for_what_it_waits_for(desk):
    emma = a_book("Emma", copies=1)
    ready, waits = confirmed(an_order((emma, 1))), a_waiting_order((emma, 2))

    response = desk.send(LIST, "changelist-form", action="ship", _selected_action=chosen(ready, waits))

    why = "The order still waits for copies of Emma: receive them, or split the order."
    assert messages(response) == [f"1 shipped, 1 refused: {waits.number}: {why}"]
    assert (status_of(ready), status_of(waits)) == ("SHIPPED", "PENDING")


def test_each_order_of_several_costs_the_same(desk):
    emma = a_book(copies=50)

    def queries_to_ship(count):
        orders = [confirmed(an_order((emma, 1))) for _ in range(count)]
        with CaptureQueriesContext(connection) as queries:
            desk.post(LIST, {"action": "ship", "_selected_action": chosen(*orders)})
        assert {status_of(order) for order in orders} == {"SHIPPED"}
        return len(queries)

    two, four, eight = queries_to_ship(2), queries_to_ship(4), queries_to_ship(8)

    assert eight - four == 2 * (four - two)
    assert (four - two) / 2 <= 40


def test_an_order_that_waits_is_not_offered_to_be_confirmed(desk):
    page = desk.open(page_of(a_waiting_order((a_book("Emma", copies=1), 3))))

    assert [form.action for form in page.forms if form.action.endswith("/confirm/")] == []
    assert "This order waits for copies." in page.text


def test_nothing_is_done_that_can_not_be_written_down(desk, monkeypatch):
    order = an_order((a_book(copies=5), 1))

    def fails(*arguments, **options):
        raise OSError("the log is full")

    monkeypatch.setattr(LogEntryManager, "log_actions", fails)
    with pytest.raises(OSError, match="the log is full"):
        desk.post(f"{LIST}{order.pk}/confirm/")

    assert status_of(order) == "PENDING"


def test_an_order_that_waits_for_copies_is_not_confirmed(desk):
    order = a_waiting_order((a_book("Emma", copies=1), 3))

    response = desk.send(LIST, "changelist-form", action="confirm", _selected_action=chosen(order))

    assert "still waits for copies of Emma" in messages(response)[0]
    assert status_of(order) == "PENDING"


def test_several_orders_are_cancelled_after_a_question(desk):
    emma = a_book(copies=5)
    orders = [an_order((emma, 1)), confirmed(an_order((emma, 2)))]

    question = desk.send(LIST, "changelist-form", action="cancel", _selected_action=chosen(*orders))
    asked = {status_of(order) for order in orders}
    form = next(form for form in question.page.forms if "reason" in form.values)
    response = desk.post(LIST, form.values | {"reason": ["out_of_stock"]}, follow=True)

    assert asked == {"PENDING", "CONFIRMED"}
    assert messages(response) == ["2 cancelled"]
    assert {status_of(order) for order in orders} == {"CANCELLED"}
    assert stock(emma) == (5, 0)


def a_closed_order():
    order = an_order((a_book("Emma", copies=2), 2))
    services.cancel_order(order_id=order.pk, reason="customer")
    return order


def test_a_customers_data_is_erased_after_a_question(staff_of):
    desk, order = staff_of("Manager"), a_closed_order()

    question = desk.open(f"{LIST}{order.pk}/erase/")
    response = desk.post(f"{LIST}{order.pk}/erase/", follow=True)

    assert f"{LIST}{order.pk}/erase/" not in desk.open(page_of(order)).links
    assert order.number in question.text
    assert messages(response) == [f"{order.number}: the customer’s data is erased"]
    assert Order.objects.get().customer_name == "(erased)"
    assert raised("orders.customer_erased") == 1


def test_nobody_else_may_erase_a_customer(desk):
    order = a_closed_order()

    assert f"{LIST}{order.pk}/erase/" not in desk.open(page_of(order)).links
    assert desk.post(f"{LIST}{order.pk}/erase/").status_code == 403
    assert Order.objects.get().customer_name == "Alice Johnson"


def test_the_customer_of_an_open_order_is_not_erased(staff_of):
    desk, order = staff_of("Manager"), an_order((a_book("Emma", copies=2), 2))

    response = desk.post(f"{LIST}{order.pk}/erase/", follow=True)

    assert "ship or cancel" in messages(response)[0]
    assert Order.objects.get().customer_name == "Alice Johnson"


# Lines


def ask(desk, order, line, name):
    path = f"{LIST}{order.pk}/lines/{line.pk}/{name}/"
    assert path in desk.open(page_of(order)).links
    form = next(form for form in desk.open(path).forms if form.id != "logout-form" and form.method == "post")
    return desk.post(path, form.values, follow=True)


def test_what_waits_is_split_off(desk):
    order = a_waiting_order((a_book("Emma", copies=1), 3), (a_book("Persuasion", copies=5), 1))

    response = desk.send(page_of(order), "split")

    new = Order.objects.get(split_from=order)
    assert "split; what waits is an order of its own" in messages(response)[0]
    assert promised(order) == [(1, 1), (1, 1)]
    assert promised(new) == [(2, 0)]
    assert f"Split into {new.number}" in response.page.text
    assert f"Split off from {order.number}" in desk.open(page_of(new)).text


def test_an_order_that_waits_for_nothing_is_not_offered_to_be_split(desk):
    order = an_order((a_book(copies=5), 1))

    page = desk.open(page_of(order))
    response = desk.post(f"{LIST}{order.pk}/split/", follow=True)

    assert f"{LIST}{order.pk}/split/" not in [form.action for form in page.forms]
    assert "An order is split when" in messages(response)[0]
    assert Order.objects.count() == 1


@pytest.mark.parametrize("name", ["put_back", "cancel"])
def test_why_it_was_done_to_a_line_stands_in_the_timeline(desk, name):
    order = an_order((a_book("Emma", copies=2), 2), (a_book("Persuasion", copies=2), 1))
    line = order.lines.get(title="Emma")

    desk.post(f"{LIST}{order.pk}/lines/{line.pk}/{name}/", {"reason": "reads it elsewhere"})

    assert "2 × Emma: reads it elsewhere" in desk.open(f"{LIST}{order.pk}/change/").text


def test_a_reason_that_is_too_long_is_refused_and_nothing_done(desk):
    order = an_order((a_book("Emma", copies=2), 2))

    page = desk.post(f"{LIST}{order.pk}/lines/{order.lines.get().pk}/put_back/", {"reason": "x" * 201})

    assert "at most 200 characters" in page.content.decode()
    assert raised("orders.copies_put_back") == 0


def test_copies_are_put_back_and_go_to_who_waits(desk):
    emma = a_book("Emma", copies=2)
    order, waiting = an_order((emma, 2)), a_waiting_order((emma, 2))

    response = ask(desk, order, order.lines.get(), "put_back")

    assert messages(response) == [f"{order.number}: copies put back to waiting"]
    assert (promised(order), promised(waiting)) == ([(2, 0)], [(2, 2)])
    assert response.context["timeline"][-1].said == "2 × Emma"


def test_one_line_is_cancelled(desk):
    emma, persuasion = a_book("Emma", copies=5), a_book("Persuasion", copies=5)
    order = an_order((emma, 2), (persuasion, 1))

    response = ask(desk, order, order.lines.get(book=emma), "cancel")

    assert messages(response) == [f"{order.number}: line cancelled"]
    assert (stock(emma), stock(persuasion)) == ((5, 0), (5, 1))
    assert str(response.context["order"].total) == "12.99 USD"
    assert response.context["timeline"][-1].said == "2 × Emma"


def test_looking_at_a_question_about_a_line_changes_nothing(desk):
    emma = a_book("Emma", copies=5)
    order = an_order((emma, 2), (a_book("Persuasion", copies=5), 1))

    for name in ("put_back", "cancel"):
        desk.open(f"{LIST}{order.pk}/lines/{order.lines.get(book=emma).pk}/{name}/")

    assert stock(emma) == (5, 2)


def test_a_line_of_another_order_is_not_found(desk):
    emma = a_book("Emma", copies=5)
    order, other = an_order((emma, 1)), an_order((emma, 1))

    assert desk.post(f"{LIST}{order.pk}/lines/{other.lines.get().pk}/put_back/").status_code == 404
    assert promised(other) == [(1, 1)]


@pytest.mark.parametrize("prepare", [confirmed, shipped])
def test_lines_are_not_touched_any_more_once_they_are_promised(desk, prepare):
    order = prepare(an_order((a_book("Emma", copies=5), 1), (a_book("Persuasion", copies=5), 1)))
    line = order.lines.all()[0]
    before = promised(order)

    links = desk.open(page_of(order)).links
    responses = [desk.post(f"{LIST}{order.pk}/lines/{line.pk}/{name}/", follow=True) for name in ("put_back", "cancel")]

    assert not [link for link in links if "/lines/" in link]
    assert all("PENDING" in messages(response)[0] for response in responses)
    assert promised(order) == before


def test_a_shipped_line_leads_to_where_its_copies_are_taken_back(desk):
    emma = a_book("Emma", copies=5)
    order = shipped(an_order((emma, 1)))

    assert f"/admin/inventory/stockitem/{emma.pk}/take_back/?order={order.number}" in desk.open(page_of(order)).links


def test_what_came_back_stands_in_the_timeline(desk):
    emma = a_book("Emma", copies=5)
    order = shipped(an_order((emma, 2)))

    return_copies(book_id=emma.pk, order_id=order.pk, quantity=1, reason="bought twice")

    happening = desk.get(page_of(order)).context["timeline"][-1]
    assert (happening.label, happening.said) == ("Copies came back", "1 × Emma")


def test_the_page_shows_how_the_copies_moved(desk):
    order = shipped(an_order((a_book("Emma", copies=5), 2)))

    moved = desk.get(page_of(order)).context["moved"]

    assert [(one.what, one.copies, one.title) for one in moved] == [("Allocated", 2, "Emma"), ("Shipped", 2, "Emma")]


@pytest.mark.parametrize(
    ("group", "doors"),
    [
        ("Bookseller", ["put_back", "cancel"]),
        ("Manager", ["put_back", "cancel"]),
        ("Integration", ["put_back", "cancel"]),
        ("Read-only", []),
    ],
)
def test_each_group_does_to_lines_what_it_may(staff_of, group, doors):
    order = an_order((a_book("Emma", copies=5), 1), (a_book("Persuasion", copies=5), 1))
    person, line = staff_of(group), order.lines.all()[0]
    paths = {name: f"{LIST}{order.pk}/lines/{line.pk}/{name}/" for name in ("put_back", "cancel")}

    links = person.open(page_of(order)).links

    assert [name for name, path in paths.items() if path in links] == doors
    assert [name for name, path in paths.items() if person.get(path).status_code == 200] == doors


# The list


@pytest.mark.parametrize(("copies", "wanted"), [("waiting", ["waits"]), ("here", ["fine"])])
def test_the_list_is_filtered_by_what_waits(desk, copies, wanted):
    orders = {
        "waits": a_waiting_order((a_book("Emma", copies=1), 3), (a_book("Persuasion", copies=0), 1)),
        "fine": an_order((a_book("Sanditon", copies=1), 1)),
    }

    found = desk.get(LIST, {"copies": copies}).context["cl"].result_list

    assert list(found) == [orders[name] for name in wanted]


@pytest.mark.parametrize(
    "text",
    [
        lambda order: f"{order.number[:3]}-{order.number[3:6]} {order.number[6:]}".lower(),
        lambda order: "okafor",
        lambda order: "ben@example",
        lambda order: "Pride",
        lambda order: "978-0-14-143951-8",
        lambda order: "0141439513",
    ],
)
def test_a_search_takes_what_staff_have(desk, text):
    order = an_order((a_book("Pride and Prejudice", isbn="9780141439518", copies=5), 1), contact=BEN)
    an_order((a_book("Emma", copies=5), 1))

    page = desk.get(LIST, {"q": text(order)})

    assert list(page.context["cl"].result_list) == [order]


def test_an_order_is_listed_with_its_lines_counted(desk):
    an_order(*[(book, 1) for book in books(3, copies=1)])

    [order] = desk.get(LIST).context["cl"].result_list

    assert order.line_count == 3


def test_the_list_says_which_order_waits(desk):
    fine, waits = an_order((a_book("Sanditon", copies=1), 1)), a_waiting_order((a_book("Emma", copies=1), 3))

    text = desk.open(LIST).text

    assert f"{waits.number} Alice Johnson Pending waits" in text
    assert f"{fine.number} Alice Johnson Pending waits" not in text


def test_the_list_costs_the_same_for_many(desk, django_assert_max_num_queries):
    emma = a_book(copies=50)
    for _ in range(50):
        an_order((emma, 1))

    with django_assert_max_num_queries(7):
        page = desk.get(LIST)

    assert len(page.context["cl"].result_list) == 50


def test_the_page_of_an_order_costs_the_same_for_many_lines(desk, django_assert_max_num_queries):
    order = an_order(*[(book, 1) for book in books(20, copies=1)])

    with django_assert_max_num_queries(14):
        desk.open(page_of(order))


# Who may do what

DOORS = ["confirm", "ship", "cancel", "rotate_link", "add_note", "split"]


@pytest.mark.parametrize(
    ("group", "doors"),
    [
        ("Bookseller", DOORS),
        ("Manager", DOORS),
        ("Integration", ["confirm", "cancel", "rotate_link", "add_note", "split"]),
        ("Read-only", []),
    ],
)
def test_each_group_does_what_it_may(staff_of, group, doors):
    order, person = an_order((a_book(copies=5), 1)), staff_of(group)

    answers = {door: person.post(f"{LIST}{order.pk}/{door}/").status_code for door in DOORS}

    assert [door for door, answer in answers.items() if answer != 403] == doors


@pytest.mark.parametrize(
    ("group", "actions"),
    [
        ("Bookseller", ["confirm", "ship", "cancel"]),
        ("Manager", ["confirm", "ship", "cancel"]),
        ("Integration", ["confirm", "cancel"]),
        ("Read-only", []),
    ],
)
def test_each_group_is_offered_the_actions_that_it_may_take(staff_of, group, actions):
    an_order((a_book(copies=5), 1))

    page = staff_of(group).get(LIST)

    offered = [name for name, _ in page.context["action_form"].fields["action"].choices]
    assert [name for name in offered if name in {"confirm", "ship", "cancel"}] == actions
    assert {"print_slips", "print_picks", "print_receipts"} <= set(offered)


def test_readers_see_no_button_and_no_link_of_the_customer(staff_of):
    order, reader = an_order((a_book(copies=5), 1)), staff_of("Read-only")

    page = reader.open(page_of(order))

    assert [form.id for form in page.forms if form.method == "post"] == ["logout-form", "order_form"]
    assert page.form("order_form").buttons == []
    assert order.token not in page.html


def test_readers_neither_place_nor_change_orders(staff_of):
    order, reader = an_order((a_book(copies=5), 1)), staff_of("Read-only")

    assert reader.get(ADD).status_code == 403
    assert reader.post(ADD, {"customer_name": "Alice"}).status_code == 403
    assert reader.post(page_of(order), {"customer_name": "Alice"}).status_code == 403
    reader.post(LIST, {"action": "confirm", "_selected_action": chosen(order), "index": "0"})
    assert (Order.objects.count(), status_of(order)) == (1, "PENDING")
