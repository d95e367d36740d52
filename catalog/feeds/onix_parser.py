"""The products of an ONIX message, one by one, in a memory that grows neither with the file nor with its malice."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html.entities import html5
from typing import Any, BinaryIO, Final, cast
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from catalog.feeds.onix_encoding import utf8_pieces
from catalog.feeds.onix_tags import Names
from catalog.feeds.records import UnreadableFeed

LARGEST: Final = 4 * 2**20
"""Bytes of a product (which has some thousand), of a tag, of a comment, and of all before the first element."""

DEEPEST: Final = 256  # elements in one another: ONIX has fifteen, and XHTML in a description some more
MOST_NAMES: Final = 10_000  # different ones, of elements and attributes: ONIX has some hundred
MOST_PREFIXES: Final = 100

ENTITIES: Final = {name.rstrip(";"): text for name, text in html5.items() if name.endswith(";")}

TOO_DEEP: Final = f"more than {DEEPEST} elements stand in one another"

BREAKS_OFF: Final = frozenset({3, 5, 6, 20})  # expat's: no element found, unclosed token, partial character, open CDATA


@dataclass(frozen=True, slots=True)
class Product:
    """A product's element, its place in the feed, and the message's header. Of one that is too large, the beginning."""

    element: Element
    header: Element
    number: int
    line: int
    too_large: bool


def read_products(file: BinaryIO) -> Iterator[Product]:
    """Each product of the message while it is read; a DOCTYPE is read over, nothing is fetched or included.

    Raises UnreadableFeed with line and column where the message is broken, behind the products that were complete.
    """
    parser = ProductParser()
    for problem in _problems(parser, file):
        yield from parser.take()
        if problem:
            raise problem


def require_whole_message(file: BinaryIO) -> None:
    """Read the message to its end and nothing in it, which is a good deal quicker. Raises UnreadableFeed."""
    for problem in _problems(MessageParser(), file):
        if problem:
            raise problem


def _problems(parser: MessageParser, file: BinaryIO) -> Iterator[UnreadableFeed | None]:
    """What makes it impossible to read on, if anything does, after each piece of the file and at its end."""
    pieces = utf8_pieces(file)
    try:
        for piece in pieces:
            yield parser.feed(piece)
    except UnicodeError:
        raise UnreadableFeed(
            f"The text behind {parser.place} does not fit its encoding: "
            "the file is damaged or cut off; ask for it again, best as UTF-8."
        ) from None
    yield parser.close()


class MessageParser:
    """expat as defusedxml keeps it from harm, and within bounds: nothing in it may grow with the file."""

    def __init__(self) -> None:
        self._defused = DefusedXMLParser(target=self, encoding="utf-8", forbid_dtd=False)
        self._defused.entity.update(ENTITIES)
        self._expat = self._defused.parser
        # as if there were a DTD elsewhere: only then does expat leave entities that it doesn't know to us
        self._expat.UseForeignDTD()
        self._expat.EntityDeclHandler = self._declare_entity
        self._expat.AttlistDeclHandler = self._declare_attribute
        self._expat.StartNamespaceDeclHandler = self._declare_prefix
        # ElementTree's own handlers would take as long again; what is outside of products is thrown away in C
        self._expat.CharacterDataHandler = deque[str](maxlen=0).append
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._names = Names("")
        self._prefixes: set[str | None] = set()
        self._fed = self._depth = 0
        self._begun = False

    @property
    def place(self) -> str:
        return _place(self._expat.CurrentLineNumber, self._expat.CurrentColumnNumber)

    def feed(self, piece: bytes) -> UnreadableFeed | None:
        """Read on; answers what makes it impossible to read any further, if something does."""
        self._fed += len(piece)
        try:
            self._defused.feed(piece)
            self._require_bounds(self._expat.CurrentByteIndex)
        except (ParseError, DefusedXmlException, UnreadableFeed) as error:
            return self._problem(error)
        return None

    def close(self) -> UnreadableFeed | None:
        """The end of the file; answers what is missing, if something is."""
        try:
            self._defused.close()
        except ParseError as error:
            return self._problem(error)
        return None

    def data(self, text: str) -> None:
        """Characters; those of which the entities have names come here wherever they stand."""

    def _start(self, name: str, attributes: Sequence[str]) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise UnreadableFeed(TOO_DEEP)
        if self._depth == 1:
            self._begin_message(name)

    def _end(self, name: str) -> None:
        self._depth -= 1

    def _begin_message(self, root: str) -> None:
        self._begun = True
        self._names = Names(root)
        if self._names[root] != "ONIXMessage":
            raise UnreadableFeed(f"the file is no ONIX message: it begins with <{root.rpartition('}')[2][:40]}>")

    def _require_bounds(self, at: int) -> None:
        if self._fed - at > LARGEST or (at > LARGEST and not self._begun):
            raise UnreadableFeed(f"a part of more than {LARGEST:,} bytes is no product")
        if len(self._expat.intern) > MOST_NAMES:
            raise UnreadableFeed(f"more than {MOST_NAMES:,} names of elements and attributes are none of ONIX")

    def _declare_entity(self, name: str, is_parameter: bool, value: str | None, *where: Any) -> None:  # noqa: FBT001  # expat's
        # no longer than the reference to it, it can't blow up; a set of entities elsewhere is never fetched
        harmless = is_parameter if value is None else len(value) <= len(f"&{name};")
        if not harmless:
            self._defused.defused_entity_decl(name, is_parameter, value, *where)

    def _declare_attribute(self, element: str, name: str, kind: str, default: str | None, *required: Any) -> None:
        if default is not None:
            raise UnreadableFeed("its DOCTYPE gives attributes to elements, which is not read")

    def _declare_prefix(self, prefix: str | None, uri: str | None) -> None:
        self._prefixes.add(prefix)
        if len(self._prefixes) > MOST_PREFIXES:
            raise UnreadableFeed(f"more than {MOST_PREFIXES} prefixes of namespaces are none of ONIX")

    def _problem(self, error: ParseError | DefusedXmlException | UnreadableFeed) -> UnreadableFeed:
        if isinstance(error, ParseError):
            return UnreadableFeed(f"The file is broken at {_place(*error.position)}: {_reason(error)}.")
        if isinstance(error, UnreadableFeed):
            return UnreadableFeed(f"The file can't be read at {self.place}: {error.problem}.")
        return UnreadableFeed(f"The file can't be read at {self.place}: its DOCTYPE declares entities of its own.")


class ProductParser(MessageParser):
    """The products of the message, of which it holds no more than the one that it is in."""

    def __init__(self) -> None:
        super().__init__()
        self._header = Element("Header")
        self._products: list[Product] = []
        self._count = 0
        self._builder: TreeBuilder | None = None

    def take(self) -> list[Product]:
        """The products that were completed since."""
        products, self._products = self._products, []
        return products

    def data(self, text: str) -> None:
        if self._builder:
            self._builder.data(text)

    def _start(self, name: str, attributes: Sequence[str]) -> None:
        super()._start(name, attributes)
        if self._depth == 2 and self._names[name] in {"Product", "Header"}:
            self._begin(name)

    def _begin(self, name: str) -> None:
        self._began, self._line = self._expat.CurrentByteIndex, self._expat.CurrentLineNumber
        self._builder = TreeBuilder()
        self._add, self._finish = self._builder.start, self._builder.end
        self._add(self._names[name], {})
        self._expat.StartElementHandler = self._start_inside
        self._expat.EndElementHandler = self._end_inside
        self._expat.CharacterDataHandler = self._builder.data

    def _start_inside(self, name: str, attributes: Sequence[str]) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise UnreadableFeed(TOO_DEEP)
        self._add(self._names[name], _kept(attributes) if attributes else {})

    def _end_inside(self, name: str) -> None:
        self._depth -= 1
        self._finish(name)
        if self._depth == 1:
            self._leave(too_large=False)

    def _leave(self, *, too_large: bool) -> None:
        element = cast("TreeBuilder", self._builder).close()
        self._builder = None
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self.data
        if element.tag == "Header":
            self._header = element
        else:
            self._count += 1
            self._products.append(Product(element, self._header, self._count, self._line, too_large))

    def _require_bounds(self, at: int) -> None:
        super()._require_bounds(at)
        if self._builder and at - self._began > LARGEST:
            self._leave(too_large=True)


def _place(line: int, column: int) -> str:
    return f"line {line}, column {column + 1}"


def _reason(error: ParseError) -> str:
    if error.code in BREAKS_OFF:
        return "it breaks off here; ask for it again"
    return re.sub(r": line \d+, column \d+$", "", str(error))


def _kept(attributes: Sequence[str]) -> dict[str, str]:
    """Of the names and values that take turns, the one attribute that is read."""
    pairs = zip(attributes[::2], attributes[1::2], strict=True)
    return {name: value for name, value in pairs if name == "dateformat"}
