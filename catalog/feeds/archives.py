"""Archives: many suppliers pack what they send. It is unpacked while it is read, and nothing of that is kept."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from typing import IO, TYPE_CHECKING, BinaryIO, Final, cast

from catalog.feeds.records import UnreadableFeed

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

GZIP: Final = b"\x1f\x8b"
ZIP: Final = b"PK\x03\x04"
IN_EVERY_WORKBOOK: Final = "[Content_Types].xml"
NAMED: Final = 5
PIECE: Final = 2**16
DAMAGED: Final = (gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
"""NotImplementedError: packed in a way that Python doesn't know."""


def unpacked(file: BinaryIO) -> BinaryIO:
    """What is in a gzip archive, or in a ZIP archive of one file; any other file, a workbook too, as it is.

    The file can be rewound, and so can the answer. Raises UnreadableFeed, later too if the archive is damaged behind.
    """
    beginning = file.read(len(ZIP))
    file.seek(0)
    if beginning.startswith(GZIP):
        return _reading(gzip.GzipFile(fileobj=file), "gzip")
    if beginning == ZIP:
        return _in_zip(file)
    return file


def unpacked_pieces(file: BinaryIO, *, most: int) -> Iterator[bytes]:
    """What is in the file, piece by piece. Raises UnreadableFeed, also if an archive holds more than `most` bytes."""
    content, size = unpacked(file), 0
    for piece in iter(partial(content.read, PIECE), b""):
        size += len(piece)
        if size > most:
            raise UnreadableFeed(
                f"There is more in the file than {most // 2**20:,} MB: divide it, and hand its parts in one by one."
            )
        yield piece


def _in_zip(file: BinaryIO) -> BinaryIO:
    try:
        archive = zipfile.ZipFile(file)
        files = [info for info in archive.infolist() if not _is_by_the_way(info)]
        if any(info.filename == IN_EVERY_WORKBOOK for info in files):
            file.seek(0)
            return file
        return _reading(archive.open(_only(files)), "ZIP")
    except DAMAGED as error:
        raise _damaged("ZIP") from error


def _is_by_the_way(info: zipfile.ZipInfo) -> bool:
    """Folders, and what a Mac puts beside the files."""
    return info.is_dir() or any(part.startswith((".", "__MACOSX")) for part in info.filename.split("/"))


def _only(files: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    if len(files) != 1:
        names = ", ".join(info.filename for info in files[:NAMED]) + (", …" if len(files) > NAMED else "")
        raise UnreadableFeed(
            f"The ZIP archive holds {len(files):,} files ({names}): unpack it, and hand them in one by one."
            if files
            else "The ZIP archive is empty."
        )
    if files[0].flag_bits & 1:
        raise UnreadableFeed("The ZIP archive is locked with a password: unpack it, and hand in what is in it.")
    return files[0]


def _reading(packed: IO[bytes] | gzip.GzipFile, kind: str) -> BinaryIO:
    return cast("BinaryIO", io.BufferedReader(_Unpacking(packed, kind), buffer_size=PIECE))


def _damaged(kind: str) -> UnreadableFeed:
    return UnreadableFeed(f"The {kind} archive is damaged or cut off: ask for it again, best not packed.")


class _Unpacking(io.RawIOBase):
    """What is unpacked, whose damages are those of a feed."""

    def __init__(self, packed: IO[bytes] | gzip.GzipFile, kind: str) -> None:
        self._packed = packed
        self._kind = kind

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._packed.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        try:
            return self._packed.seek(offset, whence)
        except DAMAGED as error:
            raise _damaged(self._kind) from error

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        try:
            piece = self._packed.read(len(view))
        except DAMAGED as error:
            raise _damaged(self._kind) from error
        view[: len(piece)] = piece
        return len(piece)
