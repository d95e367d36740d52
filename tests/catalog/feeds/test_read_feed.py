import io
from pathlib import Path

import pytest

from catalog.feeds import BookRecord, FeedFormat, UnreadableFeed, detect_format, read_feed, require_whole
from tests.catalog.feeds.onix import message, product

EMMA = BookRecord(record="1", line=2, isbn="9780141439587", title="Emma")
CSV = b"title,isbn\nEmma,9780141439587\n"
WHOLE = message(product(), "<Other>&#39; &amp; &eacute;</Other>", header="<MessageNote>&#39;</MessageNote>").encode()
BROKEN = message(product()).removesuffix("</ONIXMessage>").encode()


@pytest.mark.parametrize(
    "beginning",
    [
        b"<?xml version='1.0'?><ONIXMessage>",
        b"\n  <ONIXmessage>",
        b"\xef\xbb\xbf<?xml",
        "<?xml".encode("utf-16"),
        "<?xml".encode("utf-16-be"),
    ],
)
def test_markup_is_onix(beginning: bytes) -> None:
    assert detect_format(beginning) == "onix"


@pytest.mark.parametrize("beginning", [b"title,isbn\n", b"\xef\xbb\xbftitle", b"a < b,isbn", b""])
def test_anything_else_is_a_table(beginning: bytes) -> None:
    assert detect_format(beginning) == "csv"


def test_a_feed_is_read_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    path.write_bytes(CSV)

    assert list(read_feed(path, currency="USD")) == [EMMA]
    assert list(read_feed(str(path), "csv", currency="USD")) == [EMMA]


def test_a_feed_is_read_from_an_open_file_which_stays_open() -> None:
    file = io.BytesIO(CSV)

    assert list(read_feed(file, currency="USD")) == [EMMA]
    assert not file.closed


def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFeed, match=r"feed\.csv can't be read: No such file or directory\."):
        list(read_feed(tmp_path / "feed.csv", currency="USD"))


@pytest.mark.parametrize("feed_format", [None, "onix"])
def test_onix_is_read(feed_format: FeedFormat | None) -> None:
    feed = io.BytesIO(message(product()).encode("utf-16"))

    assert list(read_feed(feed, feed_format, currency="USD")) == [
        BookRecord(record="com.example.1", line=1, isbn="9780141439587", title="Emma")
    ]


def test_what_stands_before_the_place_where_a_feed_breaks_is_read() -> None:
    reading = read_feed(io.BytesIO(BROKEN), currency="USD")

    assert next(reading).record == "com.example.1"
    with pytest.raises(UnreadableFeed):
        next(reading)


@pytest.mark.parametrize("feed", [CSV, CSV.decode().encode("utf-16"), WHOLE])
def test_a_whole_feed_is_whole(feed: bytes) -> None:
    whole = io.BytesIO(feed)

    require_whole(whole)

    assert whole.read() == b""


@pytest.mark.parametrize("feed", [b"", CSV.decode().encode("utf-16")[:-1], BROKEN, b"<html/>"])
def test_a_feed_that_breaks_off_is_not_whole(feed: bytes) -> None:
    with pytest.raises(UnreadableFeed):
        require_whole(io.BytesIO(feed))
