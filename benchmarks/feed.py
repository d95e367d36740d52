"""A feed as a wholesaler sends it: products of two to three thousand bytes each, by reference or by short tags."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

from catalog.feeds.onix_tags import REFERENCE_NAMES

WORDS = re.findall(
    "[a-z]+",
    "the of and a night river house light winter garden letter silence summer sea stone memory winds road "
    "shadow city map glass history bread island mountain daughter clock paper war dream orchard",
)
AMBIGUOUS = {"m185", "j148", "j303"}
SHORT_TAGS = {name: tag for tag, name in REFERENCE_NAMES.items() if tag not in AMBIGUOUS}

PRODUCT = """
<Product>
  <RecordReference>com.example.{number:09}</RecordReference>
  <NotificationType>03</NotificationType>
  <ProductIdentifier><ProductIDType>01</ProductIDType><IDTypeName>Example</IDTypeName><IDValue>{number}</IDValue></ProductIdentifier>
  <ProductIdentifier><ProductIDType>15</ProductIDType><IDValue>{isbn}</IDValue></ProductIdentifier>
  <DescriptiveDetail>
    <ProductComposition>00</ProductComposition><ProductForm>BC</ProductForm>
    <Measure><MeasureType>01</MeasureType><Measurement>210</Measurement><MeasureUnitCode>mm</MeasureUnitCode></Measure>
    <Measure><MeasureType>08</MeasureType><Measurement>340</Measurement><MeasureUnitCode>gr</MeasureUnitCode></Measure>
    <TitleDetail><TitleType>01</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel>
      <TitlePrefix>The</TitlePrefix><TitleWithoutPrefix>{title}</TitleWithoutPrefix><Subtitle>{subtitle}</Subtitle></TitleElement></TitleDetail>
    <Contributor><SequenceNumber>1</SequenceNumber><ContributorRole>A01</ContributorRole>
      <PersonName>{author}</PersonName><PersonNameInverted>{inverted}</PersonNameInverted></Contributor>
    <Language><LanguageRole>01</LanguageRole><LanguageCode>eng</LanguageCode></Language>
    <Extent><ExtentType>00</ExtentType><ExtentValue>{pages}</ExtentValue><ExtentUnit>03</ExtentUnit></Extent>
    <Subject><MainSubject/><SubjectSchemeIdentifier>93</SubjectSchemeIdentifier><SubjectCode>FBA</SubjectCode></Subject>
    <Subject><SubjectSchemeIdentifier>20</SubjectSchemeIdentifier><SubjectHeadingText>{keywords}</SubjectHeadingText></Subject>
  </DescriptiveDetail>
  <CollateralDetail>
    <TextContent><TextType>03</TextType><ContentAudience>00</ContentAudience>
      <Text textformat="05"><p>{first}</p><p>{second} <strong>A classic</strong> &#x2013; and more.</p></Text></TextContent>
  </CollateralDetail>
  <PublishingDetail>
    <Imprint><ImprintName>{publisher}</ImprintName></Imprint>
    <Publisher><PublishingRole>01</PublishingRole><PublisherName>{publisher}</PublisherName></Publisher>
    <PublishingStatus>04</PublishingStatus>
    <PublishingDate><PublishingDateRole>01</PublishingDateRole><Date dateformat="00">{date}</Date></PublishingDate>
  </PublishingDetail>
  <ProductSupply><SupplyDetail>
    <Supplier><SupplierRole>01</SupplierRole><SupplierName>Example Distribution</SupplierName></Supplier>
    <ProductAvailability>20</ProductAvailability>
    <Price><PriceType>02</PriceType><PriceAmount>{price}</PriceAmount><CurrencyCode>USD</CurrencyCode></Price>
    <Price><PriceType>02</PriceType><PriceAmount>{price}</PriceAmount><CurrencyCode>GBP</CurrencyCode></Price>
  </SupplyDetail></ProductSupply>
</Product>"""


def write_feed(path: Path, *, products: int, short: bool) -> None:
    """The same feed for the same numbers, whenever it is written."""
    root, template = ("ONIXmessage", shortened(PRODUCT)) if short else ("ONIXMessage", PRODUCT)
    with path.open("w", encoding="utf-8") as file:
        file.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} release="3.0">')
        file.writelines(template.format(**values) for values in drawn(products))
        file.write(f"\n</{root}>\n")


def shortened(template: str) -> str:
    return re.sub(r"(</?)([A-Z]\w+)", lambda tag: tag[1] + SHORT_TAGS.get(tag[2], tag[2]), template)


def drawn(products: int) -> Iterator[dict[str, object]]:
    chance = random.Random(6)

    def phrase(words: int) -> str:
        return " ".join(chance.choices(WORDS, k=words)).capitalize()

    for number in range(products):
        first, last = phrase(1), phrase(1)
        yield {
            "number": number,
            "isbn": isbn_13(number),
            "title": phrase(4),
            "subtitle": phrase(5),
            "author": f"{first} {last}",
            "inverted": f"{last}, {first}",
            "pages": chance.randint(80, 900),
            "keywords": "; ".join(chance.choices(WORDS, k=8)),
            "first": phrase(40),
            "second": phrase(40),
            "publisher": f"{phrase(2)} Press",
            "date": f"{chance.randint(1950, 2025)}{chance.randint(1, 12):02}15",
            "price": f"{chance.randint(5, 60)}.99",
        }


def isbn_13(number: int) -> str:
    """The number's own ISBN, check digit and all."""
    digits = f"978{number:09}"
    check = -sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10
    return f"{digits}{check}"
