import io
import random
from xml.sax.saxutils import escape

from hypothesis import given
from hypothesis import strategies as st

from catalog.feeds import BookRecord, UnreadableFeed
from catalog.feeds.onix_parser import require_whole_message
from catalog.feeds.onix_reader import read_onix
from catalog.feeds.onix_tags import REFERENCE_NAMES
from catalog.models import BookDetails
from tests.catalog.feeds.onix import message, product, product_21

VALID = message(
    product(
        detail="<ProductForm>BC</ProductForm><Contributor><ContributorRole>A01</ContributorRole>"
        "<PersonName>Jane Austen</PersonName></Contributor>",
        collateral="<TextContent><TextType>03</TextType><Text><p>&eacute; &amp; &#39;&#xe9;</p></Text></TextContent>",
        supply="<SupplyDetail><Price><PriceType>02</PriceType><PriceAmount>8.99</PriceAmount>"
        "<CurrencyCode>USD</CurrencyCode></Price></SupplyDetail>",
    ),
    "<Other>&#39;&amp;&eacute;</Other>",
    product_21("<PublicationDate>20030429</PublicationDate>"),
)
TAGS = [*sorted(set(REFERENCE_NAMES.values()) | set(REFERENCE_NAMES)), "p", "br", "acme:Title"]
TEXTS = [
    "",
    "01",
    "15",
    "02",
    "9780141439587",
    "8.99",
    "USD",
    "20030429",
    "A01",
    "<b>",
    "&amp;",
    "&eacute;",
    "\x93",
    "\0",
    "☃",
]

texts = st.sampled_from(TEXTS) | st.text(max_size=12)
trees = st.recursive(
    texts.map(escape),
    lambda inside: st.builds(
        lambda tag, parts: f"<{tag}>{''.join(parts)}</{tag}>", st.sampled_from(TAGS), st.lists(inside, max_size=6)
    ),
    max_leaves=30,
)


def problem_of(feed: bytes) -> str:
    """Why the feed can't be read; the books before it are such as the catalogue takes."""
    try:
        for record in read_onix(io.BytesIO(feed), currency="USD"):
            assert record.line
            if isinstance(record, BookRecord) and record.title:
                BookDetails(
                    isbn=record.isbn,
                    title=record.title,
                    author=record.author,
                    publisher=record.publisher,
                    description=record.description,
                    product_form=record.product_form,
                    availability=record.availability,
                )
    except UnreadableFeed as unreadable:
        return str(unreadable)
    return ""


def damaged(feed: bytes, seed: int) -> bytes:
    chance = random.Random(seed)
    at, length = chance.randrange(len(feed)), chance.choice([0, 1, 1, 5, 50])
    inserted = chance.choice([b"", b"<", b">", b"&", b"\0", b"\xff", b"]]>", b"<!--", feed[at // 2 : at // 2 + 40]])
    return feed[:at] + inserted + feed[at + length :]


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_an_unreadable_feed(feed: bytes) -> None:
    assert problem_of(feed).endswith(".")


@given(st.sampled_from(["utf-8", "utf-16", "utf-16-be", "cp1252"]), st.lists(st.integers(0), min_size=1, max_size=4))
def test_no_damage_raises_anything_but_an_unreadable_feed(encoding: str, seeds: list[int]) -> None:
    feed = VALID.encode(encoding)
    for seed in seeds:
        feed = damaged(feed, seed)

    problem = problem_of(feed)

    assert problem == "" or problem.endswith(".")


@given(st.lists(trees, max_size=8))
def test_no_product_stops_the_feed(contents: list[str]) -> None:
    products = "".join(f"<Product>{content}</Product>" for content in contents)
    feed = f'<ONIXMessage xmlns:acme="urn:acme">{products}</ONIXMessage>'.encode(errors="ignore")

    assert problem_of(feed) == ""


@given(st.lists(st.integers(0), max_size=3))
def test_both_ways_of_reading_agree_whether_a_file_is_whole(seeds: list[int]) -> None:
    feed = VALID.encode()
    for seed in seeds:
        feed = damaged(feed, seed)
    try:
        require_whole_message(io.BytesIO(feed))
        problem = ""
    except UnreadableFeed as unreadable:
        problem = str(unreadable)

    assert problem == problem_of(feed)
