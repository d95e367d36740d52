import io
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry

from inventory.models import Scan, StockMovement
from inventory.services import receive_copies
from tests.desk import Page
from tests.given import a_book, a_waiting_order, an_order, stock

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite")]

LIST = "/admin/inventory/stockitem/"
STOCKTAKE = f"{LIST}stocktake/"
DIFFERENCES = f"{STOCKTAKE}differences/"
EMMA, PERSUASION = "9780141439587", "9780141439686"
GROUPS = [("Bookseller", True), ("Manager", True), ("Integration", False), ("Read-only", False)]


def scan(desk, text):
    """As a browser without script does it."""
    response = desk.send(STOCKTAKE, "scan", text=text)
    assert response.status_code == 200
    return response


def apply(desk, **changes):
    return desk.send(DIFFERENCES, "task", **changes)


def said(response):
    return [str(message) for message in response.context["messages"]]


def test_each_scan_is_saved_and_said_at_once(desk):
    a_book("Emma", isbn=EMMA, copies=5)

    one, two = scan(desk, EMMA), scan(desk, f"{EMMA}51299")

    assert "Emma: 1 copy" in one.page.text
    assert "Emma: 2 copies" in two.page.text
    assert "Books 1 Copies 2" in two.page.text


def test_a_script_gets_what_changes_as_json(desk):
    a_book("Emma", isbn=EMMA, copies=5)

    def sent(text):
        answer = desk.post(
            f"{STOCKTAKE}scan/", {"text": text, "token": uuid4()}, headers={"accept": "application/json"}
        )
        return answer.json()

    heard = sent(EMMA)
    assert (heard["kind"], heard["said"], "Emma" in heard["counted"]) == ("heard", "Emma: 1 copy", True)
    assert [sent(text)["kind"] for text in (PERSUASION, "9780141439586", " ")] == ["unknown", "wrong", "wrong"]


def test_unknown_and_misread_are_said_differently(desk):
    a_book("Emma", isbn=EMMA, copies=5)

    unknown, misread, number = scan(desk, PERSUASION), scan(desk, "9780141439586"), scan(desk, "12")

    assert f"{PERSUASION} is not in the catalogue." in unknown.page.text
    assert "verdict is-unknown" in unknown.page.html
    assert "Its check digit does not fit" in misread.page.text
    assert "verdict is-wrong" in misread.page.html
    assert "nothing was scanned yet" in number.page.text
    assert not Scan.objects.exists()


def test_a_count_goes_on_after_the_browser_was_closed(desk, staff_of):
    a_book("Emma", isbn=EMMA, copies=5)
    scan(desk, EMMA)
    desk.logout()
    manager = staff_of("Manager")
    manager.force_login(desk_user("bookseller"))

    assert "Books 1 Copies 1" in manager.open(STOCKTAKE).text


def desk_user(name):
    from django.contrib.auth.models import User

    return User.objects.get(username=name)


def test_others_who_count_are_named_and_not_mixed_in(desk, staff_of):
    a_book("Emma", isbn=EMMA, copies=5)
    scan(desk, EMMA)

    page = staff_of("Manager").open(STOCKTAKE)

    assert "bookseller: 1 book" in page.text
    assert "Nothing is counted yet." in page.text


def test_a_stocktake_is_looked_at_before_it_is_applied(desk):
    emma, persuasion = a_book("Emma", isbn=EMMA, copies=5), a_book("Persuasion", isbn=PERSUASION, copies=1)
    scan(desk, f"{EMMA},3"), scan(desk, PERSUASION)

    question = desk.open(DIFFERENCES)
    looked_at = stock(emma)
    response = apply(desk, reason="autumn")

    assert "2 books were counted. 1 differs from the stock. The others are right." in question.text
    assert f"Emma {EMMA} 5 3 -2" in question.text
    assert looked_at == (5, 0)
    assert response.redirect_chain == [(LIST, 302)]
    assert said(response) == ["Stocktake applied: 2 books counted, 1 of them put right."]
    assert (stock(emma), stock(persuasion)) == ((3, 0), (1, 0))
    movement = StockMovement.objects.latest("id")
    assert (movement.kind, movement.reason, movement.actor) == ("counted", "autumn", "user:bookseller")
    assert LogEntry.objects.get().object_id == str(emma.pk)
    assert "Nothing is counted yet." in desk.open(STOCKTAKE).text


def test_a_book_that_another_counts_too_is_pointed_out(desk, staff_of):
    a_book("Emma", isbn=EMMA, copies=5), a_book("Persuasion", isbn=PERSUASION, copies=5)
    scan(staff_of("Manager"), f"{EMMA},2")
    scan(desk, f"{EMMA},3"), scan(desk, PERSUASION)

    page = desk.open(DIFFERENCES)

    assert page.text.count("Others are counting it too (manager: 2)") == 1
    assert page.text.index("Others are counting") < page.text.index("Persuasion")


def test_a_stocktake_needs_a_reason(desk):
    emma = a_book("Emma", isbn=EMMA, copies=5)
    scan(desk, EMMA)

    response = apply(desk, reason=" ")

    assert list(response.context["form"].errors) == ["reason"]
    assert stock(emma) == (5, 0)


def test_a_count_below_what_is_promised_names_the_orders(desk):
    emma = a_book("Emma", isbn=EMMA, copies=5)
    order = an_order((emma, 4))
    scan(desk, f"{EMMA},3")

    question, response = desk.open(DIFFERENCES), apply(desk)

    assert order.number in question.text
    assert "Nothing was changed." in said(response)[0]
    assert stock(emma) == (5, 4)


def test_a_book_that_stands_in_the_way_is_left_out(desk):
    emma, persuasion = a_book("Emma", isbn=EMMA, copies=5), a_book("Persuasion", isbn=PERSUASION, copies=5)
    an_order((emma, 4))
    scan(desk, EMMA), scan(desk, PERSUASION)

    desk.send(DIFFERENCES, str(emma.pk))
    apply(desk)

    assert (stock(emma), stock(persuasion)) == ((5, 4), (1, 0))


def test_a_stocktake_of_old_figures_is_shown_again(desk):
    emma = a_book("Emma", isbn=EMMA, copies=5)
    scan(desk, f"{EMMA},3")
    question = desk.open(DIFFERENCES).form("task").values
    receive_copies(book_id=emma.pk, quantity=1)

    response = desk.post(DIFFERENCES, question)

    assert "Copies came or went since the differences were shown: Emma" in said(response)[0]
    assert f"Emma {EMMA} 6 3 -3" in Page(response.content.decode()).text
    assert stock(emma) == (6, 0)


@pytest.mark.parametrize("on_hand", ["", "nonsense", "=", "0=99999999999999999999", f"{'-' * 36}=5"])
def test_figures_that_were_tampered_with_apply_nothing(desk, on_hand):
    emma = a_book("Emma", isbn=EMMA, copies=5)
    scan(desk, EMMA)

    response = apply(desk, on_hand=on_hand)

    assert response.status_code == 200
    assert stock(emma) == (5, 0)


def test_what_is_counted_is_undone_scan_by_scan_or_as_a_whole(desk):
    a_book("Emma", isbn=EMMA, copies=5)
    scan(desk, EMMA), scan(desk, EMMA)

    desk.send(STOCKTAKE, "take_back")
    left = desk.open(STOCKTAKE).text
    question = desk.open(f"{STOCKTAKE}throw_away/").text
    desk.send(f"{STOCKTAKE}throw_away/", "task")

    assert "Books 1 Copies 1" in left
    assert "1 book is counted." in question
    assert "Nothing is counted yet." in desk.open(STOCKTAKE).text


def test_without_a_count_there_are_no_differences(desk):
    assert said(desk.get(DIFFERENCES, follow=True)) == ["Nothing is counted yet."]


# Lists and files


def test_of_a_list_the_wrong_lines_are_named_and_kept(desk):
    a_book("Emma", isbn=EMMA, copies=5)

    response = desk.send(STOCKTAKE, "list", scans=f"{EMMA},4\n{PERSUASION}\n<b>")

    assert said(response) == ["1 book added, 4 copies."]
    assert f"line 2, “{PERSUASION}”: is not in the catalogue" in response.page.text
    assert response.page.form("list").values["scans"] == [f"{PERSUASION}\n<b>"]


def test_a_file_is_counted_and_then_applied_like_any_count(desk):
    emma, persuasion = a_book("Emma", isbn=EMMA, copies=5), a_book("Persuasion", isbn=PERSUASION, copies=1)
    table = io.BytesIO(f"isbn,counted\n{EMMA},4\n{PERSUASION},0\n123,1\n".encode())
    table.name = "counts.csv"

    response = desk.post(f"{STOCKTAKE}list/", {"table": table}, follow=True)
    apply(desk)

    assert "line 4" in Page(response.content.decode()).text
    assert (stock(emma), stock(persuasion)) == ((4, 0), (0, 0))


def test_a_file_without_columns_is_named_at_its_field(desk):
    table = io.BytesIO(b"a,b\n1,2\n")
    table.name = "counts.csv"

    response = desk.post(f"{STOCKTAKE}list/", {"table": table})

    assert list(response.context["list_form"].errors) == ["table"]
    assert not Scan.objects.exists()


# Who may


@pytest.mark.parametrize(("group", "may"), GROUPS)
def test_who_may_adjust_the_stock_may_take_stock(staff_of, group, may):
    person = staff_of(group)
    a_book("Emma", isbn=EMMA, copies=5)

    answers = {person.get(path).status_code for path in (STOCKTAKE, DIFFERENCES, f"{STOCKTAKE}throw_away/")}
    sent = [
        person.post(f"{STOCKTAKE}{name}/", {"text": EMMA, "token": uuid4()}).status_code
        for name in ("scan", "list", "take_back", f"leave_out/{uuid4()}")
    ]

    assert (403 not in answers) is may
    assert (403 not in sent) is may
    assert (STOCKTAKE in person.open(LIST).links) is may


# The waiting list


def test_who_waits_is_listed_by_book_the_oldest_first(desk):
    emma, persuasion = a_book("Emma", isbn=EMMA), a_book("Persuasion", isbn=PERSUASION)
    a_book("Nobody wants it")
    first, second, third = (
        a_waiting_order((persuasion, 2)),
        a_waiting_order((emma, 1)),
        a_waiting_order((persuasion, 3)),
    )

    page = desk.open(f"{LIST}waiting/")

    assert [
        page.text.index(text) for text in ("Persuasion", first.number, third.number, "Emma", second.number)
    ] == sorted(page.text.index(text) for text in ("Persuasion", first.number, third.number, "Emma", second.number))
    assert "5 copies missing" in page.text
    assert "Nobody wants it" not in page.text
    assert f"/admin/orders/order/{first.pk}/change/" in page.links


def test_the_waiting_list_is_bounded(desk, django_assert_max_num_queries, monkeypatch):
    from inventory.admin import waiting

    monkeypatch.setattr(waiting, "BOOKS_PER_PAGE", 2)
    monkeypatch.setattr(waiting, "SHOWN_LINES", 2)
    for number in range(3):
        book = a_book(f"Volume {number}")
        for _ in range(3):
            a_waiting_order((book, 1))

    with django_assert_max_num_queries(9):
        page = desk.open(f"{LIST}waiting/")

    assert page.text.count("All 3 lines") == 2
    assert ("Volume 1" in page.text, "Volume 2" in page.text, "?page=2" in page.links) == (True, False, True)


@pytest.mark.parametrize("group", ["Bookseller", "Manager", "Integration", "Read-only"])
def test_who_sees_the_stock_sees_who_waits(staff_of, group):
    a_waiting_order((a_book("Emma"), 1))

    page = staff_of(group).open(f"{LIST}waiting/")

    assert "Emma" in page.text
    assert ("Receive copies" in page.text) is (group in {"Bookseller", "Manager"})
