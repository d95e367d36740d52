"""A file that was handed in, as the database keeps it: in parts."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from catalog.models import FeedImport

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PART: Final = 2**20


def in_parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in parts of one size, so that a place in the file is found by counting."""
    rest = bytearray()
    for piece in pieces:
        rest += piece
        while len(rest) >= PART:
            yield bytes(rest[:PART])
            del rest[:PART]
    if rest:
        yield bytes(rest)


class KeptFile(io.RawIOBase):
    """A file that was handed in, read from the database part by part."""

    def __init__(self, feed: FeedImport, tell_position: Callable[[int], None]) -> None:
        self._feed = feed
        self._tell_position = tell_position
        self._position = 0
        self._number = -1
        self._part = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = max(
            0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._feed.size}[whence]
        )
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        number, start = divmod(self._position, PART)
        if number != self._number:
            part = self._feed.parts.filter(number=number).values_list("content", flat=True).first()
            self._number, self._part = number, bytes(part or b"")
            self._tell_position(self._position)
        view = memoryview(buffer)
        taken = self._part[start : start + len(view)]
        view[: len(taken)] = taken
        self._position += len(taken)
        return len(taken)
