"""The words by which a book is found: those of its title and author, and its ISBN."""

from __future__ import annotations

from typing import Any

from bookshelf_site import words


def words_of(title: str, author: str, isbn: str | None) -> str:
    """All words by which a book is found, with a space before each; an ISBN in both its forms."""
    numbers = [] if not isbn else [isbn, _isbn10(isbn)] if isbn.startswith("978") else [isbn]
    return words.written(f"{title} {author}", *numbers)


def _isbn10(isbn: str) -> str:
    stem = isbn[3:12]
    check = sum(place * int(digit) for place, digit in enumerate(stem, start=1)) % 11
    return f"{stem}{'x' if check == 10 else check}"


class WordsField(words.WordsField):
    """The words of a book."""

    listed_by = ("title", "id")

    def words_of_row(self, row: Any) -> str:
        return words_of(row.title, row.author, row.isbn)
