"""The wrong ways in: SQL that breaks a rule of the catalogue is refused by the database itself."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from catalog.models import Book
from tests.given import a_book, an_order

pytestmark = pytest.mark.django_db


def sql(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "title = ''",
        "isbn = ''",
        "isbn = '978014143958'",
        "isbn = '978014143958X'",
        "isbn = '9771234567898'",
        "price_amount = -0.01",
        "price_amount = 100000",
        "status = 'gone'",
        "status = ''",
        "version = 0",
    ],
)
def test_a_book_that_can_not_be_is_refused(change: str) -> None:
    a_book("Emma", isbn="9780141439587")
    before = Book.objects.values().get()

    with pytest.raises(Exception) as refusal:  # PostgreSQL's numeric overflow is a DataError
        sql(f"UPDATE catalog_book SET {change}")

    assert type(refusal.value).__name__ in {"IntegrityError", "DataError"}
    assert Book.objects.values().get() == before


def test_an_isbn_is_unique() -> None:
    a_book("Emma", isbn="9780141439587")
    a_book("Persuasion", isbn="9780141439686")

    with pytest.raises(IntegrityError):
        sql("UPDATE catalog_book SET isbn = '9780141439587'")

    assert set(Book.objects.values_list("isbn", flat=True)) == {"9780141439587", "9780141439686"}


@pytest.mark.django_db(transaction=True)
def test_a_book_that_was_ordered_is_never_deleted() -> None:
    book = a_book("Emma", copies=1)
    an_order((book, 1))

    with pytest.raises(ProtectedError):
        Book.objects.get().delete()
    with pytest.raises(IntegrityError):
        sql("DELETE FROM catalog_book")

    assert Book.objects.get() == book
