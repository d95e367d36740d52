import copy
import pickle

import pytest
from django.db import transaction

from bookshelf_site.events.models import Event
from bookshelf_site.money import Money
from catalog.events import BookRepriced, BookWithdrawn
from catalog.models import Book, BookDetails


def new_book(title="The Great Gatsby", isbn=None):
    return Book.added(BookDetails(title=title, isbn=isbn), price=None, opening_stock=0)


def names():
    return list(Event.objects.order_by("id").values_list("name", flat=True))


def test_what_a_method_raises_waits_for_save():
    book = new_book()

    book.withdraw()

    assert [type(event).name for event in book.raised_events] == ["catalog.book_added", "catalog.book_withdrawn"]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda book: pickle.loads(pickle.dumps(book))])
def test_a_copy_has_raised_nothing(duplicate):
    book = new_book()

    assert duplicate(book).raised_events == ()
    assert len(book.raised_events) == 1


@pytest.mark.django_db
def test_saving_writes_what_was_raised_in_the_stream_of_the_row_once():
    book = new_book()

    book.save()
    book.save()

    assert names() == ["catalog.book_added"]
    assert Event.objects.get().stream == f"catalog.book:{book.pk}"
    assert Event.objects.get().sender is Book


@pytest.mark.django_db(transaction=True)
def test_a_row_that_can_not_be_saved_has_no_event():
    new_book(isbn="9780743273565").save()

    with pytest.raises(Exception, match=r"(?i)unique"):
        new_book(isbn="9780743273565").save()

    assert names() == ["catalog.book_added"]


@pytest.mark.django_db(transaction=True)
def test_a_change_whose_event_can_not_be_stored_is_not_made():
    book = new_book()
    book.save()
    book.withdraw()
    book.raise_event(BookWithdrawn(book_id=book.id, title="x", uid=Event.objects.get().uid))

    with pytest.raises(Exception, match=r"(?i)unique"):
        book.save()

    assert Book.objects.get().status == "active"
    assert names() == ["catalog.book_added"]


@pytest.mark.django_db
def test_bulk_create_and_bulk_update_emit_what_was_raised():
    books = [new_book(f"Volume {number}") for number in range(3)]
    Book.objects.bulk_create(books)

    for book in books:
        book.withdraw()
    Book.objects.bulk_update(books, ["status", "version"])

    assert names() == ["catalog.book_added"] * 3 + ["catalog.book_withdrawn"] * 3
    assert set(Book.objects.values_list("status", flat=True)) == {"withdrawn"}


@pytest.mark.django_db
def test_bulk_create_emits_nothing_for_rows_that_may_not_be_written():
    with pytest.raises(ValueError, match="ignore_conflicts"):
        Book.objects.bulk_create([new_book()], ignore_conflicts=True)

    assert not Book.objects.exists()
    assert names() == []


@pytest.mark.django_db
def test_update_and_delete_pass_no_event_by():
    new_book().save()

    with pytest.raises(TypeError, match="passes the events by"):
        Book.objects.filter(title="The Great Gatsby").update(title="Trimalchio")
    with pytest.raises(TypeError, match="passes the events by"):
        Book.objects.all().delete()

    assert Book.objects.get().title == "The Great Gatsby"


@pytest.mark.django_db(transaction=True)
def test_a_row_is_locked_inside_a_transaction_only():
    with pytest.raises(RuntimeError, match="inside a unit of work only"):
        Book.objects.locked()


@pytest.mark.django_db
def test_a_locked_row_is_the_row():
    new_book().save()

    with transaction.atomic():
        book = Book.objects.locked().get()

    assert book.title == "The Great Gatsby"


@pytest.mark.django_db
def test_raising_changes_nobody_elses_event():
    book = new_book()
    event = BookRepriced(book_id=book.id, old_price=None, new_price=Money.zero("USD"))

    book.raise_event(event)
    book.save()

    assert event.stream == ""
