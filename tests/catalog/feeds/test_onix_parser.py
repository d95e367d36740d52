import io
from itertools import chain, islice, repeat
from typing import BinaryIO, cast

import pytest

from catalog.feeds.onix_parser import DEEPEST, LARGEST, Product, read_products, require_whole_message
from catalog.feeds.records import UnreadableFeed
from tests.catalog.feeds.onix import REFERENCE_NAMESPACE, SHORT_NAMESPACE, message

ROOT = "<ONIXMessage>"
ENTITIES = "its DOCTYPE declares entities of its own."


def products(feed: str | bytes) -> list[Product]:
    return list(read_products(io.BytesIO(feed.encode() if isinstance(feed, str) else feed)))


def titles(feed: str | bytes) -> list[str | None]:
    return [product.element.findtext("Title") for product in products(feed)]


def problem(feed: str | bytes) -> str:
    """Why the feed can't be read, whether its products are read or only its end is looked for."""
    with pytest.raises(UnreadableFeed) as refusal:
        products(feed)
    with pytest.raises(UnreadableFeed) as again:
        require_whole_message(io.BytesIO(feed.encode() if isinstance(feed, str) else feed))
    assert str(again.value) == str(refusal.value)
    return str(refusal.value)


class Endless(io.RawIOBase):
    """A file that never ends, and counts what was asked of it."""

    def __init__(self, beginning: bytes, again: bytes) -> None:
        self._parts = chain([beginning], repeat(again))
        self._ahead = b""
        self.bytes_read = 0

    def read(self, size: int = -1) -> bytes:
        while len(self._ahead) < size:
            self._ahead += next(self._parts)
        chunk, self._ahead = self._ahead[:size], self._ahead[size:]
        self.bytes_read += size
        assert self.bytes_read < 8 * LARGEST, "it is read without end"
        return chunk


def test_a_product_knows_its_place_and_the_header() -> None:
    feed = "<ONIXMessage>\n<Header><DefaultCurrencyCode>USD</DefaultCurrencyCode></Header>\n<Product/>\n<Product/>"

    first, second = products(feed + "</ONIXMessage>")

    assert (first.number, first.line, second.number, second.line) == (1, 3, 2, 4)
    assert second.header.findtext("DefaultCurrencyCode") == "USD"
    assert not first.too_large


@pytest.mark.parametrize(
    ("root", "content"),
    [
        (f'ONIXMessage release="3.0" xmlns="{REFERENCE_NAMESPACE}"', "<Product><Title>Emma</Title></Product>"),
        (f'o:ONIXMessage xmlns:o="{REFERENCE_NAMESPACE}"', "<o:Product><o:Title>Emma</o:Title></o:Product>"),
        ("ONIXMessage", f'<Product xmlns="{REFERENCE_NAMESPACE}"><Title>Emma</Title></Product>'),
        ('x:ONIXMessage xmlns:x="urn:own"', "<x:Product><x:Title>Emma</x:Title></x:Product>"),
        (f'ONIXmessage xmlns="{SHORT_NAMESPACE}"', "<product><title>Emma</title></product>"),
        ("ONIXmessage", "<product><title>Emma</title></product>"),
        ("ONIXMessage", '<Product><a:Title xmlns:a="urn:acme">No</a:Title><Title>Emma</Title></Product>'),
        ("ONIXMessage", "<Product><Title><![CDATA[Em]]>m<!-- no --><?no no?>a</Title></Product>"),
        ("ONIXMessage", "<Other><Product/></Other><Product><Title>Emma</Title></Product>"),
    ],
)
def test_tags_namespaces_and_prefixes_make_no_difference(root: str, content: str) -> None:
    assert titles(f"<{root}>{content}</{root.partition(' ')[0]}>") == ["Emma"]


def test_what_stands_around_the_message_does_not_matter() -> None:
    around = "<!-- ours --><?xml-stylesheet href='x'?>\n{}\0\x1a\n"

    assert titles(around.format("<ONIXMessage><Product><Title>Emma</Title></Product></ONIXMessage>")) == ["Emma"]


@pytest.mark.parametrize(
    "doctype",
    [
        "",
        '<!DOCTYPE ONIXMessage SYSTEM "http://127.0.0.1:1/onix-international.dtd">',
        '<!DOCTYPE ONIXMessage PUBLIC "-//EDItEUR//DTD" "file:///etc/passwd">',
        '<!DOCTYPE ONIXMessage [<!ENTITY eacute "&#233;"> <!ELEMENT x ANY> <!-- ]> -->]>',
        '<!DOCTYPE ONIXMessage [<!ENTITY % latin SYSTEM "file:///etc/passwd"> %latin; ]>',
        "<?xml version='1.0' standalone='yes'?>",
    ],
)
def test_named_entities_need_no_dtd_and_none_is_fetched(doctype: str) -> None:
    feed = (
        f"{doctype}<ONIXMessage><Product><Title>Caf&eacute;&nbsp;&mdash;&Ccaron;&amp;</Title></Product></ONIXMessage>"
    )

    assert titles(feed) == ["Café\xa0—Č&"]


@pytest.mark.parametrize(
    ("doctype", "content"),
    [
        ('<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">', "&c;"),
        (f'<!ENTITY a "{"x" * 10_000}">', "&a;" * 10_000),
        ('<!ENTITY a SYSTEM "file:///etc/passwd">', "&a;"),
        ("<!ENTITY % a \"&#60;!ENTITY b 'x'&#62;\"> %a;", ""),
        ('<!NOTATION n SYSTEM "x"><!ENTITY a SYSTEM "file:///etc/passwd" NDATA n>', ""),
    ],
)
def test_entities_of_its_own_are_refused(doctype: str, content: str) -> None:
    feed = f"<!DOCTYPE ONIXMessage [{doctype}]><ONIXMessage><Product>{content}</Product></ONIXMessage>"

    assert problem(feed).endswith(ENTITIES)


def test_attributes_given_by_the_doctype_are_refused() -> None:
    feed = '<!DOCTYPE ONIXMessage [<!ATTLIST Product a CDATA "b">]><ONIXMessage><Product/></ONIXMessage>'

    assert problem(feed).endswith("its DOCTYPE gives attributes to elements, which is not read.")


def test_nothing_is_included() -> None:
    feed = (
        '<ONIXMessage><Product><Title>Emma<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" '
        'href="file:///etc/passwd" parse="text"/></Title></Product></ONIXMessage>'
    )

    assert titles(feed) == ["Emma"]


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        ("<ONIXMessage>\n <Product></Title></Product>", "The file is broken at line 2, column 13: mismatched tag."),
        ("<ONIXMessage>\n<Product>&dagge;", "The file is broken at line 2, column 10: undefined entity &dagge;."),
        ("<ONIXMessage>A & B", "The file is broken at line 1, column 17: not well-formed (invalid token)."),
        ("<ONIXMessage>\n<Product>", "The file is broken at line 2, column 10: it breaks off here; ask for it again."),
        ("<ONIXMessage>\n<Prod", "The file is broken at line 2, column 1: it breaks off here; ask for it again."),
        ("<ONIXMessage><![CDATA[", "The file is broken at line 1, column 23: it breaks off here; ask for it again."),
        ("", "The file is broken at line 1, column 1: it breaks off here; ask for it again."),
        ("title,isbn", "The file is broken at line 1, column 1: syntax error."),
        (
            "<html>\n<body/></html>",
            "The file can't be read at line 1, column 7: the file is no ONIX message: it begins with <html>.",
        ),
        ("<a:ONIXMessage/>", "The file is broken at line 1, column 1: unbound prefix."),
        ("<ONIXMessage/><ONIXMessage/>", "The file is broken at line 1, column 15: junk after document element."),
    ],
)
def test_a_broken_file_says_where(feed: str, message: str) -> None:
    assert problem(feed) == message


def test_a_file_cut_in_the_middle_of_a_character_says_where() -> None:
    feed = message("<Product/>").encode("utf-16")[:-1]

    assert problem(feed).endswith(
        "does not fit its encoding: the file is damaged or cut off; ask for it again, best as UTF-8."
    )


def test_what_was_complete_before_the_place_is_told() -> None:
    reading = read_products(io.BytesIO(b"<ONIXMessage><Product/>\n<Product/><Product></ONIXMessage>"))

    assert [next(reading).line, next(reading).line] == [1, 2]
    with pytest.raises(UnreadableFeed):
        next(reading)


def test_a_product_that_is_too_large_costs_only_itself() -> None:
    large = f"<Product><Title>Large</Title><x>{'x' * LARGEST}</x><y>{'<z/>' * 100_000}</y></Product>"
    feed = f"<ONIXMessage>{large}<Product><Title>Emma</Title></Product></ONIXMessage>"

    first, second = products(feed)

    assert (first.too_large, first.element.findtext("Title")) == (True, "Large")
    assert len(list(first.element.iter())) < 50_000
    assert (second.too_large, second.element.findtext("Title"), second.number) == (False, "Emma", 2)


@pytest.mark.parametrize("beginning", [ROOT, f"{ROOT}<Product>", f"{ROOT}<Other>"])
def test_elements_in_one_another_are_not_followed_far(beginning: str) -> None:
    endless = Endless(beginning.encode(), b"<a>" * 10_000)

    with pytest.raises(UnreadableFeed) as refusal:
        list(read_products(cast("BinaryIO", endless)))

    assert str(refusal.value).endswith(f"more than {DEEPEST} elements stand in one another.")
    assert endless.bytes_read <= 2**17


def test_entities_that_name_each_other_end() -> None:
    feed = (
        '<!DOCTYPE ONIXMessage [<!ENTITY a "&b;"><!ENTITY b "&a;">]><ONIXMessage><Product>&a;</Product></ONIXMessage>'
    )

    assert problem(feed).endswith("recursive entity reference.")


@pytest.mark.parametrize(
    ("beginning", "again", "message"),
    [
        (f"{ROOT}<!--", "x", f"a part of more than {LARGEST:,} bytes is no product"),
        (f'{ROOT}<a b="', "x", f"a part of more than {LARGEST:,} bytes is no product"),
        (f"{ROOT}<a", "a", f"a part of more than {LARGEST:,} bytes is no product"),
        ("", " ", f"a part of more than {LARGEST:,} bytes is no product"),
        ("", "<!-- x -->", f"a part of more than {LARGEST:,} bytes is no product"),
        ("<!DOCTYPE a [", "<!ELEMENT a (b)>", f"a part of more than {LARGEST:,} bytes is no product"),
    ],
)
def test_a_file_without_end_is_not_read_to_it(beginning: str, again: str, message: str) -> None:
    endless = Endless(beginning.encode(), (again * 10_000).encode())

    with pytest.raises(UnreadableFeed) as refusal:
        list(read_products(cast("BinaryIO", endless)))

    assert message in str(refusal.value)
    assert endless.bytes_read < 2 * LARGEST


@pytest.mark.parametrize(
    ("element", "message"),
    [
        ("<a{}/>", "more than 10,000 names of elements and attributes are none of ONIX."),
        ('<a b{}=""/>', "more than 10,000 names of elements and attributes are none of ONIX."),
        ('<a xmlns:b{}="c"/>', "more than 100 prefixes of namespaces are none of ONIX."),
    ],
)
def test_names_without_end_are_refused(element: str, message: str) -> None:
    feed = ROOT + "".join(element.format(number) for number in range(30_000)) + "</ONIXMessage>"

    assert problem(feed).endswith(message)


def test_products_are_told_while_the_file_is_read() -> None:
    endless = Endless(b"<ONIXMessage>", b"<Product><Title>Emma</Title></Product>\n" * 100)

    first = list(islice(read_products(cast("BinaryIO", endless)), 1000))

    assert [product.number for product in first] == list(range(1, 1001))
    assert endless.bytes_read < 200_000
