"""Search: the words by which a row is found, and the index that finds it, in PostgreSQL as in SQLite.

A row's words are kept with it, folded: without case, accents and apostrophes. From them the database itself keeps
an index (PostgreSQL a generated `tsvector`, SQLite a table of FTS5). An index is quick for words that few rows have;
for one that every second row has, the list is quicker read in its order until the page is full. So samples of the
rows are asked first which words are common.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, ClassVar, Final, TypeVar, cast

from django.apps import AppConfig
from django.db import connections, models, transaction
from django.db.models import Func, Lookup, Q, QuerySet, Subquery

Rows = TypeVar("Rows", bound=QuerySet[Any])

SAMPLE: Final = 600
COMMON: Final = 5
"""In how many rows of a sample a word is common: about where reading the list begins to be quicker."""
KNOWN_FOR: Final = 60.0
"""Seconds for which a sample is kept in memory."""
MOST_WORDS: Final = 30
LONGEST: Final = 200
"""So many characters of a word are kept, and asked for."""
MOST_BYTES: Final = 1_600
"""So much is kept of a text: with the longest title it fits an entry of PostgreSQL's indexes, which has 2,704 bytes."""
EACH: Final = 4
"""What a `tsvector` needs beside the bytes of a word."""

_APOSTROPHES: Final = re.compile("['’ʼ`´]")
_LETTERS: Final = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ð": "d", "đ": "d", "þ": "th", "ł": "l", "ħ": "h", "ŋ": "n", "ı": "i"}
)


def written(text: str, *more: str) -> str:
    """The words of a text, in all their forms, and some more that need no folding; with a space before each.

    Of a very long text the first words are kept, of a very long word its beginning.
    """
    found = dict.fromkeys(word[:LONGEST] for chunk in _chunks(text) for word in _forms(chunk))
    while _size(found) > MOST_BYTES:
        found.popitem()
    return "".join(f" {word}" for word in found | dict.fromkeys(more))


def words_asked(text: str) -> list[str]:
    """What somebody typed into a search box, as words with which a word of the row has to begin."""
    words = [word for chunk in _chunks(text) for word in _asked(chunk)]
    return list(dict.fromkeys(word[:LONGEST] for word in words))[:MOST_WORDS]


def _size(words: Collection[str]) -> int:
    return len("".join(words).encode()) + EACH * len(words)


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
    """The words of a row, called `words` and written whenever the row is; each model says what they are."""

    listed_by: ClassVar[tuple[str, ...]] = ()
    """The columns by which rows are listed, where that isn't the order in which they came."""

    def words_of_row(self, row: Any) -> str:
        raise NotImplementedError

    def pre_save(self, model_instance: Any, add: bool) -> str:  # noqa: FBT001  # Django's signature
        words = self.words_of_row(model_instance)
        setattr(model_instance, self.attname, words)
        return words


class _Words(Lookup):  # type: ignore[type-arg]  # generic to the checker only
    """Words with which a word of the row has to begin, all of them."""

    prepare_rhs = False

    def _column(self, compiler: Any, name: str) -> str:
        column: Any = self.lhs
        return f'{compiler.quote_name_unless_alias(column.alias)}."{name}"'


@WordsField.register_lookup
class Indexed(_Words):
    """Found by the index, whatever else the query asks: what the planner believes of two words at once is a guess."""

    lookup_name = "indexed"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        column: Any = self.lhs
        names = _Names.of(column.target.model)
        if connection.vendor == "postgresql":
            found = f"= ANY(ARRAY(SELECT id FROM {names.table} WHERE words_vector @@ %s::tsquery))"  # noqa: S608
            return f"{self._column(compiler, 'id')} {found}", [_tsquery(self.rhs)]
        found = f"IN (SELECT {names.key} FROM {names.index} WHERE {names.index} MATCH %s)"  # noqa: S608  # names of ours
        asked = " ".join(f'"{word}"*' for word in self.rhs)
        return f"{self._column(compiler, 'id')} {found}", [f"words : {asked}"]


@WordsField.register_lookup
class Read(_Words):
    """Found by reading the rows one after the other."""

    lookup_name = "read"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        if connection.vendor == "postgresql":
            # of a LIKE the planner knows too little to read the list in its order
            return f"{self._column(compiler, 'words_vector')} @@ %s::tsquery", [_tsquery(self.rhs)]
        column = self._column(compiler, "words")
        return " AND ".join(f"{column} LIKE %s" for _ in self.rhs), [f"% {word}%" for word in self.rhs]


class Among(Func):
    """That a key is one of those that a query has, found by the key's index on both databases, beside an OR too."""

    arg_joiner = " IN "
    template = "%(expressions)s"
    arity = 2
    output_field = models.BooleanField()

    def __init__(self, key: str, keys: QuerySet[Any, Any]) -> None:
        super().__init__(key, Subquery(keys))

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, Any]:
        return self.as_sql(compiler, connection, template="%(expressions)s)", arg_joiner=" = ANY(ARRAY", **context)


def first(rows: Rows, most: int) -> Rows:
    """The first rows of a list; those of common words by their keys, if the words' index has the list's order.

    Without that PostgreSQL fetches each row that it passes, wherever it lies; SQLite looks into the index first.
    """
    if connections[rows.db].vendor == "postgresql" and _are_read_in_order(rows):
        return rows.filter(Among("pk", rows.values("pk")[:most]))
    return rows[:most]


def _are_read_in_order(rows: QuerySet[Any]) -> bool:
    query: Any = rows.query
    order = str(next(iter(query.order_by), "")).removeprefix("-")
    read = [condition.lhs.target for condition in query.where.leaves() if isinstance(condition, Read)]
    return any(column.model is rows.model and order in column.listed_by[:1] for column in read)


def _tsquery(words: Iterable[str]) -> str:
    return " & ".join(f"'{word}':*" for word in words)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Words that a row is to have, all of them, and how they are best looked for."""

    words: Sequence[str]
    rare: Sequence[str]
    """Those that the index finds; none if so many rows have them all that the list is read."""

    @property
    def are_common(self) -> bool:
        return not self.rare

    def condition(self, path: str = "") -> Q:
        """That a row has them; `path` leads to it from what is looked for."""
        if self.are_common:
            return Q((f"{path}words__read", self.words))
        rest = [Q((f"{path}words__contains", f" {word}")) for word in self.words if word not in self.rare]
        return Q(*rest, (f"{path}words__indexed", self.rare))


def wanted(words: Sequence[str], *samples: QuerySet[Any]) -> Wanted:
    """How these words are best looked for, as some rows with `words` tell: a word is common if every sample says so.

    Taken for rare, a common word costs all its rows; taken for common, a rare one costs all rows that there are.
    """
    known = [_sampled(sample) for sample in samples]
    rare = [word for word in words if not _are_common([word], known)]
    if not rare and _are_common(words, known):
        return Wanted(words=words, rare=())
    return Wanted(words=words, rare=rare or words)


def _are_common(words: Sequence[str], samples: Iterable[Sequence[str]]) -> bool:
    """Whether in each sample many rows have all these words."""
    asked = [f" {word}" for word in words]
    return all(sum(all(word in row for word in asked) for row in sample) >= COMMON for sample in samples)


def _sampled(sample: QuerySet[Any]) -> Sequence[str]:
    """The words of its first rows, as they were within the last minute: every search asks, and it is for a guess."""
    key = (sample.db, sample.model._meta.label, sample.query.order_by)
    until, rows = _samples.get(key, (0.0, []))
    if monotonic() > until:
        rows = list(sample.values_list("words", flat=True)[:SAMPLE])
        _samples[key] = (monotonic() + KNOWN_FOR, rows)
    return rows


_samples: dict[tuple[object, ...], tuple[float, list[str]]] = {}


def forget_samples() -> None:
    """Read them anew when one is asked for: in this process what was in them is gone."""
    _samples.clear()


# The index


@dataclass(frozen=True, kw_only=True)
class _Names:
    """What is called how: the rows' table, its index, how that calls a row's key, and the index of words in order."""

    table: str
    index: str
    key: str
    listed_by: tuple[str, ...]
    in_order: str

    @classmethod
    def of(cls, model: type[models.Model]) -> _Names:
        table = model._meta.db_table
        row = model._meta.model_name
        listed_by = cast("WordsField", model._meta.get_field("words")).listed_by
        in_order = "_".join([str(row), *listed_by[:1], "words"])
        return cls(table=table, index=f"{table}_words", key=f"{row}_id", listed_by=listed_by, in_order=in_order)


def make_indexes(*, sender: AppConfig, using: str, **kwargs: object) -> None:
    """Make what is missing of an app's indexes, after each migration: SQLite drops triggers if one remakes a table."""
    for model in sender.get_models():
        if any(isinstance(field, WordsField) for field in model._meta.concrete_fields):
            make_index(model, using=using)


def make_index(model: type[models.Model], *, using: str) -> None:
    """Make what is missing of the index of these rows, if they have words by now."""
    connection = connections[using]
    names = _Names.of(model)
    make = _make_in_postgresql if connection.vendor == "postgresql" else _make_in_sqlite
    with transaction.atomic(using=using), connection.cursor() as cursor:
        if names.table in connection.introspection.table_names(cursor):
            columns = {column.name for column in connection.introspection.get_table_description(cursor, names.table)}
            if "words" in columns:
                make(cursor, names)


def forget_words(model: type[models.Model], *, using: str) -> None:
    """Let the index hold nothing more of words that rows no longer have: FTS5 keeps them until it is tidied up."""
    forget_samples()
    connection = connections[using]
    if connection.vendor == "sqlite":
        index = _Names.of(model).index
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {index} ({index}) VALUES ('optimize')")  # noqa: S608  # names of ours


def _make_in_postgresql(cursor: Any, names: _Names) -> None:
    if not _is_there(cursor, names.index):
        cursor.execute(
            f"ALTER TABLE {names.table} ADD COLUMN IF NOT EXISTS words_vector tsvector "
            "GENERATED ALWAYS AS (array_to_tsvector(string_to_array(btrim(words), ' '))) STORED"
        )
        # every search reads what was written and is not yet sorted in: it is to be little
        cursor.execute(
            f"CREATE INDEX {names.index} ON {names.table} USING gin (words_vector) WITH (gin_pending_list_limit = 256)"
        )
    if names.listed_by and not _is_there(cursor, names.in_order):
        order = ", ".join(names.listed_by)
        cursor.execute(f"CREATE INDEX {names.in_order} ON {names.table} ({order}) INCLUDE (words_vector)")


def _is_there(cursor: Any, index: str) -> bool:
    """Whether there is such an index; to make it "if not exists" would lock the table at every migration."""
    cursor.execute("SELECT to_regclass(%s)", [index])
    return cursor.fetchone()[0] is not None


def _make_in_sqlite(cursor: Any, names: _Names) -> None:
    if names.listed_by:
        # in the list's order rows lie all over the table: of a common word only those that have it are fetched
        order = ", ".join(names.listed_by)
        cursor.execute(f"CREATE INDEX IF NOT EXISTS {names.in_order} ON {names.table} ({order}, words)")
    triggers = _triggers(names)
    cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    if triggers.keys() <= {name for (name,) in cursor.fetchall()}:
        return
    cursor.execute(f"DROP TABLE IF EXISTS {names.index}")
    cursor.execute(
        f"CREATE VIRTUAL TABLE {names.index} USING fts5(words, {names.key}, tokenize = 'ascii', detail = 'column')"
    )
    cursor.execute(f"INSERT INTO {names.index} SELECT words, id FROM {names.table}")  # noqa: S608  # names of ours
    for name, what in triggers.items():
        cursor.execute(f"DROP TRIGGER IF EXISTS {name}")
        cursor.execute(f"CREATE TRIGGER {name} {what}")


def _triggers(names: _Names) -> dict[str, str]:
    table, index, key = names.table, names.index, names.key
    # by the key as a word: SQLite may renumber the rows of the table
    row = f"rowid = (SELECT rowid FROM {index} WHERE {index} MATCH '{key} : ' || OLD.id)"  # noqa: S608  # names of ours
    return {
        f"{index}_insert": f"AFTER INSERT ON {table} "  # noqa: S608  # names of ours
        f"BEGIN INSERT INTO {index} VALUES (NEW.words, NEW.id); END",
        f"{index}_update": f"AFTER UPDATE OF words ON {table} WHEN NEW.words <> OLD.words "  # noqa: S608
        f"BEGIN UPDATE {index} SET words = NEW.words WHERE {row}; END",
        f"{index}_delete": f"AFTER DELETE ON {table} BEGIN DELETE FROM {index} WHERE {row}; END",  # noqa: S608
    }
