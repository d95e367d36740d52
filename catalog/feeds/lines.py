"""The lines of a feed, whatever its encoding, in a memory that doesn't grow with the file."""

from __future__ import annotations

import codecs
import io
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, Final

from catalog.feeds.records import UnreadableFeed

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LONGEST: Final = 2**20  # characters of a line or a record: no book needs as many, and a file without line ends has more

AGAIN: Final = 8  # times the file that may be read again to recover from stray quotation marks

# UTF-32 first: its mark begins with that of UTF-16
MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NOT_TEXT: Final = {
    b"PK\x03\x04": "an Excel workbook or a ZIP archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip archive",
}


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Read bytes that aren't UTF-8 as Windows-1252, one by one: old systems send it whole, merged files in places."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", errors="ignore"), error.end


codecs.register_error("windows-1252", _as_windows_1252)


class Borrowed(io.RawIOBase):
    """A file of somebody else's, which is read from here but closed by its owner; it needs nothing but `read(n)`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        chunk = self._file.read(len(view))
        view[: len(chunk)] = chunk
        return len(chunk)


def borrow(file: BinaryIO) -> io.BufferedReader:
    """The same file, whose beginning can be looked at before it is read, also where it can't be rewound."""
    return io.BufferedReader(Borrowed(file), buffer_size=2**16)


class TooLong(Exception):
    """A record that goes on for longer than any book needs."""


class Lines(Iterator[str]):
    """The lines of a feed, one by one, which knows where the current record began.

    A quotation mark that was never closed swallows the lines behind it; `again()` makes it cost only its own book.
    """

    def __init__(self, file: BinaryIO) -> None:
        buffered = borrow(file)
        self._encoding, errors = _encoding(buffered.peek()[:4])
        self._text = io.TextIOWrapper(buffered, encoding=self._encoding, errors=errors, newline="")
        self._returned: deque[str] = deque()
        self._record: list[str] = []
        self._size = 0
        self._fresh = 0
        self._repeated = 0
        self.number = 0
        self.first = 1

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else self._read()
        self.number += 1
        self._record.append(line)
        self._size += len(line)
        if self._size > LONGEST:
            raise TooLong
        return line

    def begin_record(self) -> None:
        self._record, self._size = [], 0
        self.first = self.number + 1

    def give_back(self) -> None:
        """The current record, which was only looked at, is read again."""
        self._return(self._record)

    def again(self) -> int:
        """Read all of the current record but its first line again; answers how many lines are skipped instead."""
        behind = self._record[1:]
        # a bounded number of times: a hostile file can't make the work grow with its square
        if self._repeated + self._size > LONGEST + AGAIN * self._fresh:
            return len(behind)
        self._repeated += self._size
        self._return(behind)
        return 0

    def _return(self, lines: list[str]) -> None:
        self._returned.extendleft(reversed(lines))
        self.number -= len(lines)

    def _read(self) -> str:
        try:
            line = self._text.readline(LONGEST + 1)
        except UnicodeError:
            raise UnreadableFeed(
                f"The text behind line {self.number} is not valid {self._encoding.upper()}: "
                "the file is damaged or cut off; ask for it again, best as UTF-8."
            ) from None
        if not line:
            raise StopIteration
        if len(line) > LONGEST:
            raise UnreadableFeed(f"Line {self.number + 1} has more than {LONGEST:,} characters: this is no CSV file.")
        self._fresh += len(line)
        return line.replace("\0", "")


def _encoding(beginning: bytes) -> tuple[str, str]:
    if not beginning:
        raise UnreadableFeed("The file is empty.")
    for signature, what in NOT_TEXT.items():
        if beginning.startswith(signature):
            raise UnreadableFeed(f"The file is {what}, not CSV: save the table as “CSV UTF-8” and send that.")
    for mark, encoding in MARKS:
        if beginning.startswith(mark):
            return encoding, "strict"
    return "utf-8", "windows-1252"
