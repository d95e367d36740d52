"""Search: the words by which a book is found, and the index that finds it, in PostgreSQL as in SQLite.

A book's words are kept with it, folded: without case, accents and apostrophes. From them the database itself keeps
an index (PostgreSQL a generated `tsvector`, SQLite a table of FTS5). An index is quick for words that few books have;
for one that every second book has, the list is quicker read in its order until the page is full. So a sample of the
books is asked first which words are common.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from django.db import connections, models, transaction
from django.db.models import Count, Lookup, Q, QuerySet

SAMPLE: Final = 600
COMMON: Final = 5
"""In how many books of the sample a word is common: about where reading the list begins to be quicker."""
MOST_WORDS: Final = 30
LONGEST: Final = 200

_APOSTROPHES: Final = re.compile("['’ʼ`´]")
_LETTERS: Final = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ð": "d", "đ": "d", "þ": "th", "ł": "l", "ħ": "h", "ŋ": "n", "ı": "i"}
)


def words_of(title: str, author: str, isbn: str | None) -> str:
    """All words by which a book is found, with a space before each; an ISBN in both its forms."""
    found = dict.fromkeys(word for chunk in _chunks(f"{title} {author}") for word in _forms(chunk))
    if isbn:
        found |= dict.fromkeys([isbn, _isbn10(isbn)] if isbn.startswith("978") else [isbn])
    return "".join(f" {word}" for word in found)


def _isbn10(isbn: str) -> str:
    stem = isbn[3:12]
    check = sum(place * int(digit) for place, digit in enumerate(stem, start=1)) % 11
    return f"{stem}{'x' if check == 10 else check}"


def words_asked(text: str) -> list[str]:
    """What somebody typed into a search box, as words with which a word of the book has to begin."""
    words = [word for chunk in _chunks(text) for word in _asked(chunk)]
    return list(dict.fromkeys(word[:LONGEST] for word in words))[:MOST_WORDS]


def _chunks(text: str) -> list[str]:
    """What stands between spaces, folded."""
    if text.isascii():
        return text.lower().split()
    plain = unicodedata.normalize("NFKD", text).casefold()
    letters = "".join(character for character in plain if unicodedata.category(character)[0] != "M")
    return letters.translate(_LETTERS).split()


def _forms(chunk: str) -> Iterator[str]:
    """Of "Catch-22" both parts and the whole, of "O'Brien" too."""
    if chunk.isalnum():
        yield chunk
        return
    parts = _parts(chunk)
    yield from parts
    if len(parts) > 1:
        yield from _parts(_APOSTROPHES.sub("", chunk))
        yield "".join(parts)


def _asked(chunk: str) -> list[str]:
    """A number with hyphens is one, for it may be the beginning of an ISBN."""
    parts = _parts(_APOSTROPHES.sub("", chunk))
    return ["".join(parts)] if re.fullmatch("[0-9]+x?", "".join(parts)) else parts


def _parts(chunk: str) -> list[str]:
    return "".join(character if character.isalnum() else " " for character in chunk).split()


class WordsField(models.TextField):  # type: ignore[type-arg]  # generic to the checker only
    """The words of a book, written whenever the book is."""

    def pre_save(self, model_instance: Any, add: bool) -> str:  # noqa: FBT001  # Django's signature
        book = model_instance
        book.words = words_of(book.title, book.author, book.isbn)
        return str(book.words)


class _Words(Lookup):  # type: ignore[type-arg]  # generic to the checker only
    """Words with which a word of the book has to begin, all of them."""

    prepare_rhs = False

    def _column(self, compiler: Any, name: str) -> str:
        column: Any = self.lhs
        return f'{compiler.quote_name_unless_alias(column.alias)}."{name}"'


@WordsField.register_lookup
class Indexed(_Words):
    """Found by the index, whatever else the query asks: what the planner believes of two words at once is a guess."""

    lookup_name = "indexed"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        if connection.vendor == "postgresql":
            found = "= ANY(ARRAY(SELECT id FROM catalog_book WHERE words_vector @@ %s::tsquery))"
            return f"{self._column(compiler, 'id')} {found}", [_tsquery(self.rhs)]
        found = "IN (SELECT book_id FROM catalog_book_words WHERE catalog_book_words MATCH %s)"
        asked = " ".join(f'"{word}"*' for word in self.rhs)
        return f"{self._column(compiler, 'id')} {found}", [f"words : {asked}"]


@WordsField.register_lookup
class Read(_Words):
    """Found by reading the books one after the other."""

    lookup_name = "read"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        if connection.vendor == "postgresql":
            # of a LIKE the planner knows too little to read the list in its order
            return f"{self._column(compiler, 'words_vector')} @@ %s::tsquery", [_tsquery(self.rhs)]
        column = self._column(compiler, "words")
        return " AND ".join(f"{column} LIKE %s" for _ in self.rhs), [f"% {word}%" for word in self.rhs]


def _tsquery(words: Iterable[str]) -> str:
    return " & ".join(f"'{word}':*" for word in words)


def having(words: Sequence[str], books: QuerySet[Any]) -> Q:
    """The condition that a book has all these words; asks a sample of the books how it is best put."""
    counts = {f"word_{place}": Count("pk", filter=Q(words__contains=f" {word}")) for place, word in enumerate(words)}
    together = Q(*(Q(words__contains=f" {word}") for word in words))
    found = books.order_by().values("words")[:SAMPLE].aggregate(**counts, together=Count("pk", filter=together))
    if found["together"] >= COMMON:
        return Q(words__read=words)
    rare = [word for place, word in enumerate(words) if found[f"word_{place}"] < COMMON] or list(words)
    common = [Q(words__contains=f" {word}") for word in words if word not in rare]
    return Q(*common, words__indexed=rare)


# The index


def make_index(*, using: str, **kwargs: object) -> None:
    """Make what is missing of the index, after each migration: SQLite drops triggers when one remakes the table."""
    connection = connections[using]
    if "catalog_book" not in connection.introspection.table_names():
        return
    statements = _POSTGRESQL if connection.vendor == "postgresql" else _SQLITE
    with transaction.atomic(using=using), connection.cursor() as cursor:
        if connection.vendor == "sqlite" and _has_triggers(cursor):
            return
        for statement in statements:
            cursor.execute(statement)


def _has_triggers(cursor: Any) -> bool:
    cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    return _TRIGGERS.keys() <= {name for (name,) in cursor.fetchall()}


_POSTGRESQL: Final = (
    """
    ALTER TABLE catalog_book ADD COLUMN IF NOT EXISTS words_vector tsvector
    GENERATED ALWAYS AS (array_to_tsvector(string_to_array(btrim(words), ' '))) STORED
    """,
    # every search reads what was written and is not yet sorted in: it is to be little
    """
    CREATE INDEX IF NOT EXISTS catalog_book_words ON catalog_book USING gin (words_vector)
    WITH (gin_pending_list_limit = 256)
    """,
)

_TRIGGERS: Final = {
    "catalog_book_words_insert": """
        AFTER INSERT ON catalog_book
        BEGIN INSERT INTO catalog_book_words VALUES (NEW.words, NEW.id); END
    """,
    # by the id as a word: SQLite may renumber the rows of the books
    "catalog_book_words_update": """
        AFTER UPDATE OF words ON catalog_book WHEN NEW.words <> OLD.words
        BEGIN UPDATE catalog_book_words SET words = NEW.words WHERE rowid = (
            SELECT rowid FROM catalog_book_words WHERE catalog_book_words MATCH 'book_id : ' || OLD.id
        ); END
    """,
    "catalog_book_words_delete": """
        AFTER DELETE ON catalog_book
        BEGIN DELETE FROM catalog_book_words WHERE rowid = (
            SELECT rowid FROM catalog_book_words WHERE catalog_book_words MATCH 'book_id : ' || OLD.id
        ); END
    """,
}
_SQLITE: Final = (
    "DROP TABLE IF EXISTS catalog_book_words",
    "CREATE VIRTUAL TABLE catalog_book_words USING fts5(words, book_id, tokenize = 'ascii', detail = 'column')",
    "INSERT INTO catalog_book_words SELECT words, id FROM catalog_book",
    *(f"DROP TRIGGER IF EXISTS {name}" for name in _TRIGGERS),
    *(f"CREATE TRIGGER {name} {what}" for name, what in _TRIGGERS.items()),
)
