import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.feeds.onix_encoding import PIECE, encoding_of, utf8_pieces
from catalog.feeds.records import UnreadableFeed


def decoded(feed: bytes) -> str:
    return b"".join(utf8_pieces(io.BytesIO(feed))).decode().strip()


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
@pytest.mark.parametrize(
    "declaration", ["", '<?xml version="1.0"?>\n', '<?xml version="1.0" encoding="UTF-16"?>\n', "\n "]
)
def test_unicode_is_told_by_its_beginning(encoding: str, declaration: str) -> None:
    assert decoded(f"{declaration}<a>Émile – 😀</a>".encode(encoding)) == "<a>Émile – 😀</a>"


@pytest.mark.parametrize(
    ("declared", "encoding", "text"),
    [
        ("ISO-8859-1", "latin-1", "Émile"),
        ("iso-8859-15", "iso-8859-15", "Émile: 5 €"),
        ("ISO-8859-2", "iso-8859-2", "Čapek"),
        ("windows-1252", "cp1252", "“Émile” – 5 €"),
        ("windows-1251", "cp1251", "Война и мир"),
        ("Shift_JIS", "shift_jis", "吾輩は猫である"),
        ("GB18030", "gb18030", "红楼梦"),
        ("US-ASCII", "utf-8", "Émile"),
        ("UTF-8", "cp1252", "“Émile” – 5 €"),
    ],
)
def test_a_declared_encoding_is_believed(declared: str, encoding: str, text: str) -> None:
    feed = f"<?xml version='1.0' encoding='{declared}'?><a>{text}</a>".encode(encoding)

    assert decoded(feed) == f"<a>{text}</a>"


@pytest.mark.parametrize("declaration", [b"", b"<?xml version='1.0'?>", b"<?xml version='1.0' encoding='UTF-8'?>"])
def test_bytes_that_are_no_utf_8_are_read_as_windows_1252(declaration: bytes) -> None:
    feed = declaration + b"<a>\x93\xc9mile\x94 " + "Čapek".encode() + b"</a>"

    assert decoded(feed) == "<a>“Émile” Čapek</a>"


def test_windows_1252_under_the_name_of_latin_1_is_left_to_who_reads_the_text() -> None:
    assert decoded(b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\x93Emma\x94</a>") == "<a>\x93Emma\x94</a>"


@pytest.mark.parametrize("name", ["x-klingon", "utf-7", "idna", "rot13", "zlib", "unicode_escape", "undefined", "hex"])
def test_an_encoding_that_is_none_of_texts_is_refused(name: str) -> None:
    with pytest.raises(UnreadableFeed) as refusal:
        decoded(f"<?xml version='1.0' encoding='{name}'?><a/>".encode())

    assert str(refusal.value) == f"Its encoding '{name}' is not known: ask for the file as UTF-8."


def test_what_xml_does_not_allow_is_left_out() -> None:
    feed = "<a>E\0m\x0bm\x1fa\ufffe\uffff&#1;&#x1F;&#xD800;&#xFFFF;&#1114112;\x7f</a>"

    assert decoded(feed.encode()) == "<a>Emma</a>"


def test_character_references_that_xml_allows_stay() -> None:
    feed = "<a>&#9;&#233;&#x1F600;&#146;&#00000000000233;&amp;#1;</a>"

    assert decoded(feed.encode()) == feed


@pytest.mark.parametrize("offset", range(6))
def test_a_character_reference_may_stand_where_a_piece_ends(offset: int) -> None:
    before = b"x" * (PIECE - offset)

    assert decoded(before + b"&#01;|&#65;|&amp;") == (before + b"|&#65;|&amp;").decode()


def test_what_stands_behind_the_declaration_keeps_its_place() -> None:
    text = b"".join(utf8_pieces(io.BytesIO(b"<?xml version='1.1'\n standalone='yes'?><a/>")))

    assert text == b"                   \n                   <a/>"


def test_only_a_declaration_at_the_beginning_is_one() -> None:
    assert decoded(b"<a><![CDATA[<?xml version='1.0'?>]]></a>") == "<a><![CDATA[<?xml version='1.0'?>]]></a>"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_wide_units_that_break_off_are_told(encoding: str) -> None:
    with pytest.raises(UnicodeError):
        decoded("<a>Emma</a>".encode(encoding)[:-1])


@given(st.binary(max_size=200))
def test_any_bytes_have_an_encoding_or_are_refused(beginning: bytes) -> None:
    try:
        encoding, _ = encoding_of(beginning)
    except UnreadableFeed:
        return
    assert isinstance("<a/>".encode(encoding), bytes)
