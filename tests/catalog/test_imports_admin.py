import csv
import gzip
import io
import zipfile

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile

from catalog import imports
from catalog.imports import working
from catalog.models import Book, FeedImport, FeedPart
from tests.desk import Page
from tests.given import a_book, stock

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite")]

ADD = "/admin/catalog/feedimport/add/"
LIST = "/admin/catalog/feedimport/"
EMMA, PERSUASION = "9780141439587", "9780141439686"
CSV = f"isbn,title,price\n{EMMA},Emma,9.99\n{PERSUASION},Persuasion,8.99\n123,Nothing,1.00\n".encode()


def hand_in(desk, content=CSV, name="feed.csv", **more):
    file = SimpleUploadedFile(name, content)
    response = desk.post(ADD, {"feed": file, "opening_stock": "0", "price": "", **more}, follow=True)
    response.page = Page(response.content.decode())
    return response


def page_of(feed):
    return f"{LIST}{feed.pk}/change/"


def test_a_short_feed_is_looked_through_at_once_and_taken_over_by_one_word(desk):
    a_book("Emma", isbn=EMMA, price="7.99")

    shown = hand_in(desk, opening_stock="4")
    before = Book.objects.count()
    done = desk.send(shown.redirect_chain[0][0], "apply")

    assert "This is what would be done" in shown.page.text
    assert "Read 3 Added 1 Updated 1 Unchanged 0 Rejected 1" in shown.page.text
    assert "not valid: an ISBN has 10 or 13 digits, not 3 3 4" in shown.page.text
    assert before == 1
    assert "Done Read 3 Added 1 Updated 1 Unchanged 0 Rejected 1" in done.page.text
    assert stock(Book.objects.get(isbn=PERSUASION)) == (4, 0)
    assert [str(entry) for entry in LogEntry.objects.order_by("id")] == [
        "Added “feed.csv”.",
        "Changed “feed.csv” — Applied",
    ]


def test_a_packed_feed_is_unpacked(desk):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("feed.csv", CSV)

    shown = hand_in(desk, packed.getvalue(), "feed.zip")

    assert "Read 3 Added 2 Updated 0 Unchanged 0 Rejected 1" in shown.page.text


def test_what_can_not_be_unpacked_says_why_and_keeps_nothing(desk):
    shown = hand_in(desk, gzip.compress(CSV)[:-6], "feed.csv.gz")

    assert "The gzip archive is damaged or cut off: ask for it again, best not packed." in shown.page.text
    assert FeedImport.objects.get().status == "broken"
    assert not FeedPart.objects.exists()


def test_what_is_too_much_when_it_is_unpacked_is_refused(desk, monkeypatch):
    monkeypatch.setattr("catalog.admin.imports.LARGEST_FEED", 2**20)

    shown = hand_in(desk, gzip.compress(CSV + bytes(2**20)), "feed.csv.gz")

    assert "There is more in the file than 1 MB" in shown.page.text
    assert not FeedPart.objects.exists()


def test_a_report_stays_and_its_rejections_can_be_fetched(desk):
    hand_in(desk)
    feed = FeedImport.objects.get()
    imports.apply(feed_id=feed.pk)
    imports.work_on(lambda: False)

    listed = desk.open(LIST)
    answer = desk.get(f"{LIST}{feed.pk}/rejected.csv")
    text = b"".join(answer.streaming_content).decode()

    assert "feed.csv Done" in listed.text
    assert page_of(feed) in listed.links
    [row] = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    assert (row["line"], row["record"], "ISBN" in row["reason"]) == ("4", "3", True)


def test_a_long_feed_shows_how_far_it_is_and_asks_again_by_itself(desk, monkeypatch):
    monkeypatch.setattr(working, "SHORT_BYTES", 10)

    shown = hand_in(desk)

    assert "The file is being looked through" in shown.page.text
    assert '<noscript><meta http-equiv="refresh"' in shown.page.html
    assert "data-polls" in shown.page.html
    imports.work_on(lambda: False)
    path = shown.redirect_chain[0][0]
    again = desk.open(path)
    applied = desk.send(path, "apply")
    imports.work_on(lambda: False)
    over = desk.open(path)
    assert "This is what would be done" in again.text
    assert "The books are being imported" in applied.page.text
    assert "data-polls" not in again.html + over.html
    assert "Done" in over.text


def test_a_feed_that_brings_nothing_new_has_nothing_to_apply(desk):
    a_book("Emma", isbn=EMMA, price="9.99")

    shown = hand_in(desk, f"isbn,title,price\n{EMMA},Emma,9.99\n".encode())

    assert "There is nothing to do" in shown.page.text
    assert "apply" not in [form.id for form in shown.page.forms]


def test_a_broken_file_says_where_and_changes_nothing(desk):
    shown = hand_in(desk, b"<ONIXMessage release='3.0'><Header/><Product>", "feed.xml")

    assert "The file is broken: nothing was imported" in shown.page.text
    assert "line 1" in shown.page.text.lower()
    assert [form.id for form in shown.page.forms if form.method == "post"] == ["logout-form"]


def test_who_may_only_add_and_change_books_does_so_one_by_one(client):
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_book", "add_book", "change_book"]))
    client.force_login(clerk)

    assert client.get(ADD).status_code == 403
    assert ADD not in client.get("/admin/catalog/book/").content.decode()


def test_what_is_cancelled_can_not_be_applied(desk):
    path = hand_in(desk).redirect_chain[0][0]

    cancelled = desk.send(path, "cancel")
    desk.post(path.replace("change", "apply"))

    assert "Cancelled Read 3 Added 0 Updated 0 Unchanged 0 Rejected 1" in cancelled.page.text
    assert FeedImport.objects.get().status == "cancelled"
    assert not Book.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("opening_stock", "-1"), ("opening_stock", ""), ("price", "x"), ("price", "100000"), ("feed", "")],
)
def test_a_wrong_value_is_named_at_its_field(desk, field, value):
    values = {"feed": SimpleUploadedFile("feed.csv", CSV), "opening_stock": "0"} | {field: value}

    response = desk.post(ADD, values)

    assert list(response.context["form"].errors) == [field]
    assert not FeedImport.objects.exists()


def test_a_name_can_do_no_harm(desk):
    hand_in(desk, name="<script>alert(1)</script>.csv" + "x" * 300)

    page = desk.open(page_of(FeedImport.objects.get()))

    assert "<script>alert" not in page.html


@pytest.mark.parametrize("door", ["apply", "cancel"])
def test_a_get_does_nothing(desk, door):
    hand_in(desk)
    feed = FeedImport.objects.get()

    assert desk.get(f"{LIST}{feed.pk}/{door}/").status_code == 405


def test_no_import_is_not_found(desk):
    nowhere = "0198c0de-0000-7000-8000-000000000000"

    assert [desk.get(f"{LIST}{nowhere}/{door}").status_code for door in ("change/", "rejected.csv")] == [404, 404]
    assert desk.post(f"{LIST}{nowhere}/apply/").status_code == 404


@pytest.mark.parametrize(
    ("group", "may"), [("Bookseller", True), ("Manager", True), ("Integration", True), ("Read-only", False)]
)
def test_who_may_add_and_change_books_may_import_them(desk, staff_of, group, may):
    hand_in(desk)
    feed = FeedImport.objects.get()
    person = desk if group == "Bookseller" else staff_of(group)

    shown, answer = person.open(page_of(feed)), person.get(ADD)
    linked = ADD in person.open("/admin/catalog/book/").links
    applied = person.post(f"{LIST}{feed.pk}/apply/")

    assert (answer.status_code == 200, linked, applied.status_code == 302) == (may, may, may)
    assert ("apply" in [form.id for form in shown.forms]) is may
    assert (Book.objects.count() == 2) is may


def test_imports_are_never_deleted_by_hand(desk, admin_client):
    hand_in(desk)
    feed = FeedImport.objects.get()

    assert admin_client.post(f"{LIST}{feed.pk}/delete/", {"post": "yes"}).status_code == 403
