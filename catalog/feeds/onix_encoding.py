"""The bytes of an XML feed, whatever its encoding really is, as UTF-8 that a parser accepts."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from catalog.feeds.lines import MARKS
from catalog.feeds.records import UnreadableFeed

PIECE: Final = 2**16

# without a mark, "<" tells: XML 1.0, appendix F
UNMARKED: Final = (
    (re.compile(rb"(?:[\t\n\r ]\0\0\0)*<\0\0\0"), "utf-32-le"),
    (re.compile(rb"(?:\0\0\0[\t\n\r ])*\0\0\0<"), "utf-32-be"),
    (re.compile(rb"(?:[\t\n\r ]\0)*<\0"), "utf-16-le"),
    (re.compile(rb"(?:\0[\t\n\r ])*\0<"), "utf-16-be"),
)
DECLARED: Final = re.compile(rb"""\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([A-Za-z][\w.:-]{0,39})["']""")
DECLARATION: Final = re.compile(r"\s*<\?xml\s[^>]{0,300}?\?>")
OF_BYTES: Final = re.compile(
    r"ascii|utf-8|iso8859-\d+|cp\d+|koi8-\w|mac-\w+|tis-620|kz1048|ptcp154|hp-roman8|"
    r"shift_jis\w*|euc_\w+|gb\w+|big5\w*|johab|hz|iso2022_\w+"
)

ILLEGAL: Final = bytes([*range(9), 11, 12, *range(14, 32), 127])
NONCHARACTER: Final = re.compile(rb"\xef\xbf[\xbe\xbf]")
REFERENCE: Final = re.compile(rb"&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,10}));")
LONGEST_REFERENCE: Final = 13


def utf8_pieces(file: BinaryIO) -> Iterator[bytes]:
    """The text in pieces, each line where it was, without its XML declaration and what XML doesn't allow.

    Bytes that aren't the UTF-8 which they should be are read as Windows-1252. Raises UnicodeError if an encoding of
    wider units breaks off, and UnreadableFeed for one that isn't known.
    """
    kept = b""
    for piece in _decoded(file):
        whole = kept + NONCHARACTER.sub(b"", piece.encode("utf-8", "ignore").translate(None, ILLEGAL))
        cut = _before_open_reference(whole)
        kept = whole[cut:]
        yield REFERENCE.sub(_legal, whole[:cut])
    yield kept


def encoding_of(beginning: bytes) -> tuple[str, str]:
    """The encoding of a feed that begins like this, and how bytes that don't fit into it are read."""
    for mark, encoding in MARKS:
        if beginning.startswith(mark):
            return encoding, "windows-1252" if encoding == "utf-8-sig" else "strict"
    for sign, encoding in UNMARKED:
        if sign.match(beginning):
            return encoding, "strict"
    declared = DECLARED.match(beginning)
    return _known(declared[1].decode()) if declared else ("utf-8", "windows-1252")


def _known(declared: str) -> tuple[str, str]:
    try:
        encoding = codecs.lookup(declared).name
    except LookupError:
        encoding = ""
    # whoever declares UTF-16 in readable ASCII can't mean it; ASCII that needs no guessing is UTF-8 too
    if encoding in {"ascii", "utf-8"} or encoding.startswith(("utf-16", "utf-32")):
        return "utf-8", "windows-1252"
    if not OF_BYTES.fullmatch(encoding):
        raise UnreadableFeed(f"Its encoding {declared!r} is not known: ask for the file as UTF-8.")
    return encoding, "replace"


def _decoded(file: BinaryIO) -> Iterator[str]:
    beginning = file.read(PIECE)
    encoding, errors = encoding_of(beginning)
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    yield _without_declaration(decoder.decode(beginning))
    while piece := file.read(PIECE):
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def _without_declaration(text: str) -> str:
    """The text with blanks instead: what comes behind them keeps its line and column."""
    declaration = DECLARATION.match(text)
    if declaration is None:
        return text
    return re.sub(r"[^\n\r]", " ", declaration[0]) + text[declaration.end() :]


def _before_open_reference(text: bytes) -> int:
    start = text.rfind(b"&", max(0, len(text) - LONGEST_REFERENCE))
    return len(text) if start < 0 or b";" in text[start:] else start


def _legal(reference: re.Match[bytes]) -> bytes:
    """A character reference, unless XML 1.0 §2.2 doesn't allow its character."""
    code = int(reference[1], 16) if reference[1] else int(reference[2])
    allowed = code in {9, 10, 13} or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
    return reference[0] if allowed else b""
