"""A feed that was packed is read as if it were not."""

import gzip
import io
import zipfile
from typing import BinaryIO

import pytest

from catalog.feeds import UnreadableFeed, unpacked, unpacked_pieces

FEED = b"title,isbn\nEmma,9780141439587\n" * 10_000


def zipped(*files: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return packed.getvalue()


def locked() -> bytes:
    """Python packs with no password: so it is said afterwards, in both places that say it."""
    packed = bytearray(zipped(("feed.csv", FEED)))
    packed[6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


def opened(content: bytes) -> BinaryIO:
    return unpacked(io.BytesIO(content))


PACKED = {
    "not": FEED,
    "by gzip": gzip.compress(FEED),
    "by gzip, in two goes": gzip.compress(FEED[:1000]) + gzip.compress(FEED[1000:]),
    "by ZIP": zipped(("feed.csv", FEED)),
    "by a Mac": zipped(("feeds/", b""), ("feeds/feed.csv", FEED), ("__MACOSX/._feed.csv", b"x"), (".DS_Store", b"x")),
}


@pytest.mark.parametrize("how", PACKED)
def test_what_is_in_it_is_read_and_can_be_read_again(how: str) -> None:
    file = opened(PACKED[how])

    first, place = file.read(20), file.tell()
    file.seek(0)

    assert (first, place) == (FEED[:20], 20)
    assert file.read() == FEED


def test_a_workbook_is_no_archive() -> None:
    workbook = zipped(("[Content_Types].xml", b"<Types/>"), ("xl/workbook.xml", b"<workbook/>"))

    assert opened(workbook).read() == workbook


def test_an_empty_file_stays_one() -> None:
    assert opened(b"").read() == b""


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            zipped(("a.xml", b"a"), ("b.xml", b"b")),
            r"The ZIP archive holds 2 files \(a.xml, b.xml\): unpack it, and hand them in one by one.",
        ),
        (zipped(*((f"{n}.xml", b"a") for n in range(9))), r"holds 9 files \(0.xml, 1.xml, 2.xml, 3.xml, 4.xml, …\)"),
        (zipped(("feeds/", b"")), "The ZIP archive is empty."),
        (locked(), "The ZIP archive is locked with a password: unpack it, and hand in what is in it."),
        (zipped(("feed.csv", FEED))[:-30], "The ZIP archive is damaged or cut off: ask for it again, best not packed."),
        (gzip.compress(FEED)[:200], "The gzip archive is damaged or cut off: ask for it again, best not packed."),
        (gzip.compress(FEED)[:-4] + b"abcd", "The gzip archive is damaged"),
        (b"\x1f\x8b\x08rest", "The gzip archive is damaged"),
    ],
)
def test_what_can_not_be_unpacked_says_why(content: bytes, problem: str) -> None:
    with pytest.raises(UnreadableFeed, match=problem):
        opened(content).read()


def test_a_zip_whose_content_was_changed_on_the_way_is_damaged() -> None:
    packed = bytearray(zipped(("feed.csv", FEED)))
    packed[60] ^= 0xFF

    with pytest.raises(UnreadableFeed, match="damaged or cut off"):
        opened(bytes(packed)).read()


def test_a_bomb_is_put_out_when_it_has_grown_too_large() -> None:
    bomb = io.BytesIO(gzip.compress(bytes(10 * 2**20)))
    size = 0

    with pytest.raises(UnreadableFeed, match="There is more in the file than 1 MB: divide it"):
        for piece in unpacked_pieces(bomb, most=2**20):
            size += len(piece)

    assert size <= 2**20
