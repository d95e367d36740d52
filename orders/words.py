"""The words by which an order is found: those of its customer's name and e-mail."""

from __future__ import annotations

from typing import Any

from bookshelf_site import words
from bookshelf_site.events.erasure import ERASED


def words_of(customer_name: str, customer_email: str) -> str:
    """All words by which an order is found, with a space before each; none once its customer was erased."""
    return "" if customer_name == ERASED else words.written(f"{customer_name} {customer_email}")


class WordsField(words.WordsField):
    """The words of an order's customer."""

    def words_of_row(self, row: Any) -> str:
        return words_of(row.customer_name, row.customer_email)
