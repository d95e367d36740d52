from datetime import date
from decimal import Decimal

import pytest

from bookshelf_site.money import Money
from catalog.feeds.records import BookRecord, Rejected
from tests.catalog.feeds.onix import (
    EMMA,
    GATSBY,
    REFERENCE_NAMESPACE,
    SHORT_NAMESPACE,
    TITLE,
    book,
    identifier,
    message,
    product,
    product_21,
    read,
    rejection,
    shortened,
)

FULL_30 = product(
    identifiers=identifier(GATSBY, "03") + identifier(EMMA),
    title="<TitleDetail><TitleType>01</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel>"
    "<TitlePrefix>The</TitlePrefix><TitleWithoutPrefix>Emma</TitleWithoutPrefix><Subtitle>A Novel</Subtitle>"
    "</TitleElement></TitleDetail>",
    detail="<ProductForm>BC</ProductForm><Contributor><SequenceNumber>1</SequenceNumber>"
    "<ContributorRole>A01</ContributorRole><NamesBeforeKey>Jane</NamesBeforeKey><KeyNames>Austen</KeyNames></Contributor>",
    collateral='<TextContent><TextType>03</TextType><ContentAudience>00</ContentAudience><Text textformat="05">'
    "<p>One.</p><p>Two, <em>too</em>.</p></Text></TextContent>",
    publishing="<Imprint><ImprintName>Penguin Classics</ImprintName></Imprint>"
    "<Publisher><PublishingRole>01</PublishingRole><PublisherName>Penguin</PublisherName></Publisher>"
    '<PublishingDate><PublishingDateRole>01</PublishingDateRole><Date dateformat="00">20030429</Date></PublishingDate>',
    supply="<SupplyDetail><ProductAvailability>21</ProductAvailability><Price><PriceType>02</PriceType>"
    "<PriceAmount>8.99</PriceAmount><CurrencyCode>USD</CurrencyCode></Price></SupplyDetail>",
)

FULL_21 = product_21(
    "<ProductForm>BC</ProductForm><Contributor><SequenceNumber>1</SequenceNumber><ContributorRole>A01</ContributorRole>"
    "<NamesBeforeKey>Jane</NamesBeforeKey><KeyNames>Austen</KeyNames></Contributor>"
    "<OtherText><TextTypeCode>01</TextTypeCode><TextFormat>02</TextFormat>"
    "<Text>&lt;p&gt;One.&lt;/p&gt;&lt;p&gt;Two, &lt;em&gt;too&lt;/em&gt;.&lt;/p&gt;</Text></OtherText>"
    "<Imprint><ImprintName>Penguin Classics</ImprintName></Imprint><Publisher><PublisherName>Penguin</PublisherName>"
    "</Publisher><PublicationDate>20030429</PublicationDate>"
    "<SupplyDetail><ProductAvailability>21</ProductAvailability><Price><PriceTypeCode>02</PriceTypeCode>"
    "<PriceAmount>8.99</PriceAmount><CurrencyCode>USD</CurrencyCode></Price></SupplyDetail>",
    identifiers=identifier(GATSBY, "03") + identifier(EMMA),
    title="<Title><TitleType>01</TitleType><TitlePrefix>The</TitlePrefix><TitleWithoutPrefix>Emma</TitleWithoutPrefix>"
    "<Subtitle>A Novel</Subtitle></Title>",
)

FULL = BookRecord(
    record="com.example.1",
    line=1,
    isbn=EMMA,
    title="The Emma: A Novel",
    author="Jane Austen",
    publisher="Penguin",
    description="One.\n\nTwo, too.",
    published_on=date(2003, 4, 29),
    price=Money(Decimal("8.99"), "USD"),
    product_form="BC",
    availability="21",
)


@pytest.mark.parametrize(
    "feed",
    [
        message(FULL_30, attributes=f'release="3.0" xmlns="{REFERENCE_NAMESPACE}"'),
        message(FULL_30, attributes='release="3.1"'),
        shortened(message(FULL_30, attributes=f'release="3.0" xmlns="{SHORT_NAMESPACE}"')),
        shortened(message(FULL_30, attributes="")),
        message(FULL_21, attributes='release="2.1"'),
        shortened(message(FULL_21, attributes='release="2.1"').replace("PriceTypeCode", "PriceType")).replace(
            "x462", "j148"
        ),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_every_release_and_both_lengths_of_tags_say_the_same(feed: str, encoding: str) -> None:
    assert read(feed.encode(encoding)) == [FULL]


def test_a_product_of_which_nothing_else_is_said_is_read() -> None:
    assert read(message(product())) == [BookRecord(record="com.example.1", line=1, isbn=EMMA, title="Emma")]


def test_a_message_without_products_is_a_feed() -> None:
    assert read(message()) == []


@pytest.mark.parametrize(
    ("identifiers", "isbn"),
    [
        (identifier(EMMA, "15") + identifier(GATSBY, "03"), EMMA),
        (identifier(GATSBY, "02") + identifier(EMMA, "03"), EMMA),
        (identifier("0-14-143958-0", "02"), EMMA),
        (identifier("978-0-14-143958-7", "15"), EMMA),
        (identifier("9780141439588", "15") + identifier("0743273567", "02") + identifier(EMMA, "03"), EMMA),
        (identifier("4006381333931", "03") + identifier("0141439580", "02"), EMMA),
        (f"<EAN13>{EMMA}</EAN13>", EMMA),
        ("<ISBN>0743273567</ISBN>", GATSBY),
        (identifier("x", "01") + f"<ISBN>0743273567</ISBN><EAN13>{EMMA}</EAN13>", EMMA),
    ],
)
def test_the_isbn_is_the_first_valid_one(identifiers: str, isbn: str) -> None:
    assert book(product(identifiers=identifiers)).isbn == isbn


@pytest.mark.parametrize(
    ("identifiers", "reason"),
    [
        ("", "it has no ISBN"),
        (identifier("", "15"), "it has no ISBN"),
        (identifier("35975", "01"), "it has no ISBN"),
        ("<ProductIdentifier><IDValue>9780141439587</IDValue></ProductIdentifier>", "it has no ISBN"),
        (
            identifier("4006381333931", "03"),
            "its ISBN is not valid: an ISBN of 13 digits begins with 978 or 979",
        ),
        (
            identifier("9780141439588", "15"),
            "its ISBN is not valid: its check digit does not fit: one of the digits is wrong, or two are swapped",
        ),
    ],
)
def test_a_product_without_a_usable_isbn_is_rejected_by_its_reference(identifiers: str, reason: str) -> None:
    assert rejection(product(identifiers=identifiers)) == Rejected(record="com.example.1", reason=reason, line=1)


def title_detail(content: str, *, title_type: str = "01", level: str = "01") -> str:
    return (
        f"<TitleDetail><TitleType>{title_type}</TitleType><TitleElement><TitleElementLevel>{level}"
        f"</TitleElementLevel>{content}</TitleElement></TitleDetail>"
    )


def title_21(text: str, title_type: str) -> str:
    return f"<Title><TitleType>{title_type}</TitleType><TitleText>{text}</TitleText></Title>"


SERIES = "<TitleElement><TitleElementLevel>02</TitleElementLevel><TitleText>A Series</TitleText></TitleElement>"
PART = "<TitleElement><TitleElementLevel>01</TitleElementLevel><PartNumber>3</PartNumber></TitleElement>"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        (title_detail("<TitleText>Emma</TitleText>"), "Emma"),
        (title_detail("<TitlePrefix>The</TitlePrefix><TitleWithoutPrefix>Iliad</TitleWithoutPrefix>"), "The Iliad"),
        (title_detail("<TitlePrefix>L’</TitlePrefix><TitleWithoutPrefix>Étranger</TitleWithoutPrefix>"), "L’Étranger"),
        (title_detail("<NoPrefix/><TitleWithoutPrefix>Emma</TitleWithoutPrefix>"), "Emma"),
        (
            title_detail(
                "<TitleText>Iliad, The</TitleText><TitlePrefix>The</TitlePrefix>"
                "<TitleWithoutPrefix>Iliad</TitleWithoutPrefix>"
            ),
            "The Iliad",
        ),
        (title_detail("<TitleText>Emma</TitleText><Subtitle>A Novel</Subtitle>"), "Emma: A Novel"),
        (title_detail("<TitleText>Who Am I?</TitleText><Subtitle>A Novel</Subtitle>"), "Who Am I? A Novel"),
        (title_detail("<TitleText>Emma: A novel</TitleText><Subtitle>A Novel</Subtitle>"), "Emma: A novel"),
        (title_detail(f"<TitleText>Emma</TitleText><Subtitle>{'x' * 195}</Subtitle>"), "Emma"),
        (title_detail("<TitleText>Old</TitleText>", title_type="08") + TITLE, "Emma"),
        (title_detail("<TitleText>EMMA (TP)</TitleText>", title_type="10") + TITLE, "Emma"),
        (title_detail("<TitleText>EMMA (TP)</TitleText>", title_type="10"), "EMMA (TP)"),
        (title_detail("<TitleText>Emma</TitleText>", level="").replace("<TitleType>01</TitleType>", ""), "Emma"),
        (TITLE.replace("<TitleElement>", f"{SERIES}<TitleElement>", 1), "Emma"),
        (f"<TitleDetail><TitleType>01</TitleType>{PART}{SERIES}</TitleDetail>", "A Series, 3"),
        (f"<TitleDetail><TitleType>01</TitleType>{SERIES}</TitleDetail>", "A Series"),
        (
            title_detail("<TitleText>Pride &amp;amp; <i>Prejudice</i>&lt;sup&gt;2&lt;/sup&gt;</TitleText>"),
            "Pride & Prejudice2",
        ),
        (title_detail("<TitleText>\n  Emma &#150;\n  Caf&amp;eacute; </TitleText>"), "Emma – Café"),
    ],
)
def test_the_title_has_its_prefix_and_its_subtitle(title: str, expected: str) -> None:
    assert book(product(title=title)).title == expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("<DistinctiveTitle>Emma</DistinctiveTitle><Subtitle>A Novel</Subtitle>", "Emma: A Novel"),
        ("<TitlePrefix>The</TitlePrefix><TitleWithoutPrefix>Iliad</TitleWithoutPrefix>", "The Iliad"),
        (
            title_21("Original", "03") + title_21("Emma", "01"),
            "Emma",
        ),
    ],
)
def test_the_title_of_2_1_may_stand_by_itself(title: str, expected: str) -> None:
    assert book(product_21(title=title)).title == expected


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("", "it has no title"),
        (title_detail("<TitleText> </TitleText>"), "it has no title"),
        (title_detail(f"<TitleText>{'x' * 201}</TitleText>"), "its title has 201 characters; the catalogue holds 200"),
    ],
)
def test_a_product_without_a_usable_title_is_rejected(title: str, reason: str) -> None:
    assert rejection(product(title=title)).reason == reason


def other_text(text: str, text_type: str) -> str:
    return f"<OtherText><TextTypeCode>{text_type}</TextTypeCode><Text>{text}</Text></OtherText>"


def text_content(text: str, text_type: str = "03", audience: str = "00") -> str:
    coded = f"<TextType>{text_type}</TextType><ContentAudience>{audience}</ContentAudience>"
    return f"<TextContent>{coded}{text}</TextContent>"


@pytest.mark.parametrize(
    ("collateral", "description"),
    [
        (text_content("<Text>Short.</Text>", "02") + text_content("<Text>Long.</Text>", "03"), "Long."),
        (text_content("<Text>Short.</Text>", "02") + text_content("<Text> </Text>", "03"), "Short."),
        (text_content("<Text>Great!</Text>", "06"), ""),
        (text_content("<Text>Ours.</Text>", "03", "01"), ""),
        (text_content("<Text>Trade.</Text>", "03", "02") + text_content("<Text>All.</Text>", "03", "00"), "All."),
        (text_content("<Text>Trade.</Text>", "03", "02"), "Trade."),
        (text_content('<Text textformat="02">&lt;p&gt;A &amp;amp; B&lt;/p&gt;C</Text>'), "A & B\n\nC"),
        (text_content("<Text><![CDATA[\n  <p>A&nbsp;&mdash; B</p>\n  <p>C</p>]]></Text>"), "A — B\n\nC"),
        (text_content("<Text>One.\n\n  Two,\nthree.</Text>"), "One.\n\nTwo,\nthree."),
        (text_content('<Text textformat="05"><ul><li>A</li><li>B</li></ul><br/>C</Text>'), "• A\n• B\n\nC"),
        (
            text_content(
                '<Text textformat="05"><h:p xmlns:h="http://www.w3.org/1999/xhtml">A <h:b>b</h:b></h:p>C</Text>'
            ),
            "A b\n\nC",
        ),
        (text_content(""), ""),
    ],
)
def test_the_description_is_the_best_text_for_customers_without_markup(collateral: str, description: str) -> None:
    assert book(product(collateral=collateral)).description == description


@pytest.mark.parametrize(
    ("content", "description"),
    [
        (
            other_text("Short.", "02") + other_text("Main.", "01"),
            "Main.",
        ),
        ("<Annotation>Short.</Annotation><MainDescription>Main.</MainDescription>", "Main."),
        (other_text("Great!", "08"), ""),
    ],
)
def test_the_description_of_2_1_is_its_main_text(content: str, description: str) -> None:
    assert book(product_21(content)).description == description


def test_a_long_description_is_shortened_to_whole_words() -> None:
    description = book(product(collateral=text_content(f"<Text>{'word ' * 3_000}</Text>"))).description

    assert len(description) <= 10_000
    assert description.endswith("word…")


def publisher_in_role(name: str, role: str) -> str:
    return f"<Publisher><PublishingRole>{role}</PublishingRole><PublisherName>{name}</PublisherName></Publisher>"


@pytest.mark.parametrize(
    ("publishing", "publisher"),
    [
        (
            publisher_in_role("Co", "02") + publisher_in_role("Penguin", "01"),
            "Penguin",
        ),
        ("<Publisher><PublisherName>Penguin &amp;amp; Sons</PublisherName></Publisher>", "Penguin & Sons"),
        (publisher_in_role("Co", "02"), "Co"),
        ("<Imprint><ImprintName>Penguin Classics</ImprintName></Imprint>", "Penguin Classics"),
        ("<PublisherName>Penguin</PublisherName>", "Penguin"),
        ("<ImprintName>Penguin Classics</ImprintName>", "Penguin Classics"),
        ("<Publisher><PublisherName/></Publisher>", ""),
    ],
)
def test_the_publisher_is_the_one_with_that_role_else_the_imprint(publishing: str, publisher: str) -> None:
    assert book(product(publishing=publishing)).publisher == publisher


def publishing_date(written: str, role: str = "01", extra: str = "") -> str:
    return f"<PublishingDate><PublishingDateRole>{role}</PublishingDateRole>{extra}{written}</PublishingDate>"


@pytest.mark.parametrize(
    ("publishing", "published_on"),
    [
        (publishing_date('<Date dateformat="00">20030429</Date>'), date(2003, 4, 29)),
        (publishing_date("<Date>20030429</Date>"), date(2003, 4, 29)),
        (publishing_date("<Date>20030429</Date>", extra="<DateFormat>00</DateFormat>"), date(2003, 4, 29)),
        (publishing_date('<Date dateformat="13">20030429T1200</Date>'), date(2003, 4, 29)),
        (publishing_date("<Date>2003-04-29</Date>"), date(2003, 4, 29)),
        (publishing_date('<Date dateformat="01">200304</Date>'), None),
        (publishing_date('<Date dateformat="05">2003</Date>'), None),
        (publishing_date('<Date dateformat="20">14240227</Date>'), None),
        (publishing_date("<Date>20030431</Date>"), None),
        (publishing_date("<Date>00000000</Date>"), None),
        (publishing_date("<Date>20030429</Date>", role="02"), None),
        (publishing_date("<Date>2003</Date>") + publishing_date("<Date>20030429</Date>"), date(2003, 4, 29)),
        ("<PublicationDate>20030429</PublicationDate>", date(2003, 4, 29)),
        ("<PublicationDate>2003</PublicationDate>", None),
    ],
)
def test_only_a_full_date_is_one_of_publication(publishing: str, published_on: date | None) -> None:
    assert book(product(publishing=publishing)).published_on == published_on


@pytest.mark.parametrize(("form", "expected"), [("BB", "BB"), (" EA ", "EA"), ("00", ""), ("Hardback", ""), ("", "")])
def test_the_product_form_is_a_code_of_the_list(form: str, expected: str) -> None:
    assert book(product(detail=f"<ProductForm>{form}</ProductForm>")).product_form == expected


def test_a_deletion_says_nothing_but_that_the_book_is_withdrawn() -> None:
    deleted = BookRecord(record="com.example.1", line=1, isbn=EMMA, title="", withdrawn=True)

    assert read(message(product(notification="05"), product(notification="05", title=""))) == [deleted, deleted]


def test_a_partial_update_may_be_without_a_title() -> None:
    assert book(product(notification="04", title="")).title == ""
    assert book(product(notification="04")).title == "Emma"


@pytest.mark.parametrize("notification", ["88", "89"])
def test_a_test_is_rejected(notification: str) -> None:
    assert rejection(product(notification=notification)).reason == f"it is a test (notification type {notification})"


def test_a_product_without_a_reference_is_named_by_its_number() -> None:
    records = read(message(product(reference=""), product(reference=" ", identifiers="")))

    assert [record.record for record in records] == ["1", "2"]


def test_a_product_that_is_too_large_is_rejected_and_the_next_one_read() -> None:
    large = product(collateral=text_content(f"<Text>{'x' * 5_000_000}</Text>"))

    first, second = read(message(large, product(reference="com.example.2")))

    assert first == Rejected(
        record="com.example.1", reason="it has more than 4,194,304 bytes: no book needs as many", line=1
    )
    assert second.record == "com.example.2"


def test_what_was_declared_to_be_latin_1_may_be_windows_1252() -> None:
    feed = "<?xml version='1.0' encoding='ISO-8859-1'?>" + message(
        product(title=title_detail("<TitleText>“É”</TitleText>"))
    )

    (record,) = read(feed.encode("cp1252"))

    assert isinstance(record, BookRecord)
    assert record.title == "“É”"
