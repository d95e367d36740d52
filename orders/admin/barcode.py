"""Barcodes for the desk's scanner, drawn as SVG by `admin/orders/print/barcode.html`: one path, no style, no image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

from barcode import EAN13, Code128

QUIET: Final = 11
"""Modules of white that a scanner needs at each side; EAN-13 asks for eleven before and seven after."""

HEIGHT: Final = 40
TALL: Final = 45
GUARDS: Final = frozenset({*range(3), *range(45, 50), *range(92, 95)})
"""Where the bars of EAN-13 stand that reach down between the digits: at both ends and in the middle."""


class Bar(NamedTuple):
    x: int
    width: int
    height: int


class Caption(NamedTuple):
    """Characters below the bars, spread over so many modules from there on."""

    x: int
    width: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Barcode:
    """Bars, a module wide or several, and what they say below them."""

    name: str
    bars: tuple[Bar, ...]
    captions: tuple[Caption, ...]
    modules: int

    @classmethod
    def of_isbn(cls, isbn: str) -> Barcode:
        """EAN-13 (ISO/IEC 15420), as it is on the back of the book."""
        [pattern] = EAN13(isbn).build()
        captions = (Caption(2, 6, isbn[0]), Caption(15, 40, isbn[1:7]), Caption(62, 40, isbn[7:]))
        return cls(name=f"ISBN {isbn}", bars=tuple(_bars(pattern, GUARDS)), captions=captions, modules=len(pattern))

    @classmethod
    def of_number(cls, number: str) -> Barcode:
        """Code 128 (ISO/IEC 15417): a scan of the paper finds the order."""
        [pattern] = Code128(number).build()
        captions = (Caption(QUIET + 10, len(pattern) - 20, number),)
        return cls(name=number, bars=tuple(_bars(pattern, frozenset())), captions=captions, modules=len(pattern))

    @property
    def path(self) -> str:
        """All bars as one shape."""
        return "".join(f"M{bar.x} 0h{bar.width}v{bar.height}h-{bar.width}z" for bar in self.bars)

    @property
    def width(self) -> int:
        return self.modules + 2 * QUIET


def _bars(pattern: str, guards: frozenset[int]) -> Iterator[Bar]:
    at = 0
    for module, run in groupby(pattern):
        width = len(list(run))
        if module == "1":
            yield Bar(QUIET + at, width, TALL if at in guards else HEIGHT)
        at += width
