"""ONIX for Books, the book trade's own format: releases 3.0, 3.1 and 2.1, with reference and with short tags."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import BinaryIO, Final
from xml.etree.ElementTree import Element

from django.utils import timezone

from catalog.feeds import cells
from catalog.feeds.authors import shorten
from catalog.feeds.onix_codes import (
    DELETION,
    FOR_CUSTOMERS,
    GTIN_13,
    ISBN_10,
    ISBN_13,
    OTHER_TEXT_TYPES,
    PARTIAL_UPDATE,
    PRODUCT_LEVEL,
    PUBLICATION,
    PUBLISHER,
    RESTRICTED,
    TESTS,
    TEXT_TYPES,
    TITLE_TYPES,
)
from catalog.feeds.onix_parser import LARGEST, Product, read_products
from catalog.feeds.onix_people import read_authors
from catalog.feeds.onix_supply import Shop, read_supply
from catalog.feeds.onix_values import code, day, paragraphs_of, said
from catalog.feeds.records import (
    DESCRIPTION_LENGTH,
    PUBLISHER_LENGTH,
    TITLE_LENGTH,
    BookRecord,
    Refused,
    Rejected,
    checked_title,
)

REFERENCE_LENGTH: Final = 100
FORM: Final = re.compile("[A-Z][A-Z]")
ENDS_A_SENTENCE: Final = (":", "?", "!", ".", "…", "–", "—")
ELIDED: Final = ("'", "’", "-")  # L'Étranger


def read_onix(file: BinaryIO, *, currency: str) -> Iterator[BookRecord | Rejected]:
    """Each product of an ONIX message in its order, or why it isn't taken over, while the file is read.

    Records are named by their record reference, or by their number if they have none. Refused are a product without
    a valid ISBN, without a title or with one of more than 200 characters, with a price that is no amount, a test
    record, and one of more than 4 MiB. A deletion is a record that says nothing but that the book is withdrawn; a
    partial update may be without a title. Raises UnreadableFeed where the message is broken, with line and column.
    """
    shop = Shop(currency, timezone.localdate())
    for product in read_products(file):
        reference = shorten(said(product.element, "RecordReference"), REFERENCE_LENGTH) or str(product.number)
        try:
            yield _book(product, reference, shop)
        except Refused as refused:
            yield Rejected(record=reference, reason=str(refused), line=product.line)


def _book(product: Product, reference: str, shop: Shop) -> BookRecord:
    element, notification = product.element, code(product.element, "NotificationType")
    if product.too_large:
        raise Refused(f"it has more than {LARGEST:,} bytes: no book needs as many")
    if notification in TESTS:
        raise Refused(f"it is a test (notification type {notification})")
    isbn = _isbn(element)
    if notification == DELETION:
        return BookRecord(record=reference, line=product.line, isbn=isbn, title="", withdrawn=True)
    price, availability = read_supply(element, product.header, shop)
    detail, publishing = _block(element, "DescriptiveDetail"), _block(element, "PublishingDetail")
    return BookRecord(
        record=reference,
        line=product.line,
        isbn=isbn,
        title=_title(detail, notification),
        author=read_authors(detail),
        publisher=shorten(_publisher(publishing), PUBLISHER_LENGTH),
        description=shorten(_description(_block(element, "CollateralDetail")), DESCRIPTION_LENGTH),
        published_on=_published_on(publishing),
        price=price,
        product_form=_product_form(detail),
        availability=availability,
    )


def _block(product: Element, name: str) -> Element:
    """A block of a product of 3.x; in 2.1 the product has no blocks, and holds by itself what stands in them."""
    block = product.find(name)
    return product if block is None else block


def _isbn(product: Element) -> str:
    identifiers = product.findall("ProductIdentifier")

    def numbers(id_type: str, old_tag: str = "") -> list[str]:
        typed = [said(each, "IDValue") for each in identifiers if code(each, "ProductIDType") == id_type]
        return [*typed, said(product, old_tag)] if old_tag else typed

    return cells.read_isbn(numbers(ISBN_13) + numbers(GTIN_13, "EAN13"), numbers(ISBN_10, "ISBN"))


def _title(detail: Element, notification: str) -> str:
    full = _with_subtitle(*_title_and_subtitle(detail))
    return full if notification == PARTIAL_UPDATE and not full else checked_title(full)


def _title_and_subtitle(detail: Element) -> tuple[str, str]:
    """The distinctive title, else another: the product's own, else its collection's with the number of the part."""
    composites = detail.findall("TitleDetail") or detail.findall("Title")
    for title in sorted(composites, key=_title_rank):
        elements = title.findall("TitleElement") or [title]
        own = [each for each in elements if code(each, "TitleElementLevel") in {PRODUCT_LEVEL, ""}]
        for element in own:
            if text := _title_text(element):
                return text, said(element, "Subtitle")
        parts = [*map(_title_text, elements), *(said(each, "PartNumber") for each in own)]
        if any(parts):
            return ", ".join(filter(None, parts)), ""
    return _title_text(detail), said(detail, "Subtitle")


def _title_rank(title: Element) -> int:
    title_type = code(title, "TitleType")
    return TITLE_TYPES.index(title_type) if title_type in TITLE_TYPES else len(TITLE_TYPES)


def _title_text(element: Element) -> str:
    prefix, text = said(element, "TitlePrefix"), said(element, "TitleWithoutPrefix")
    if not text:
        return said(element, "TitleText") or said(element, "DistinctiveTitle")
    return prefix + text if prefix.endswith(ELIDED) else f"{prefix} {text}".strip()


def _with_subtitle(title: str, subtitle: str) -> str:
    """Both, where the subtitle isn't in the title already and both fit into the catalogue."""
    separator = " " if title.endswith(ENDS_A_SENTENCE) else ": "
    full = f"{title}{separator}{subtitle}"
    if not subtitle or title.casefold().endswith(subtitle.casefold()) or len(full) > TITLE_LENGTH:
        return title
    return full


def _publisher(publishing: Element) -> str:
    publishers = publishing.findall("Publisher")
    ranked = sorted(publishers, key=lambda publisher: code(publisher, "PublishingRole") not in {PUBLISHER, ""})
    names = [*(said(each, "PublisherName") for each in ranked), said(publishing, "PublisherName")]
    imprints = [*(said(each, "ImprintName") for each in publishing.findall("Imprint")), said(publishing, "ImprintName")]
    return next(filter(None, names + imprints), "")


def _published_on(publishing: Element) -> date | None:
    dates = publishing.findall("PublishingDate")
    published = (day(each, "Date") for each in dates if code(each, "PublishingDateRole") == PUBLICATION)
    return next(filter(None, published), None) or day(publishing, "PublicationDate")


def _product_form(detail: Element) -> str:
    form = code(detail, "ProductForm")
    return form if FORM.fullmatch(form) else ""


def _description(collateral: Element) -> str:
    """The best text that there is, of those that are meant for customers."""
    texts = _ranked(collateral.findall("TextContent"), "TextType", TEXT_TYPES) or _ranked(
        collateral.findall("OtherText"), "TextTypeCode", OTHER_TEXT_TYPES
    )
    old = [text for tag in ("MainDescription", "Annotation") if (text := collateral.find(tag)) is not None]
    return next(filter(None, map(paragraphs_of, texts + old)), "")


def _ranked(composites: Sequence[Element], type_tag: str, types: Sequence[str]) -> list[Element]:
    """The texts of these types, the most wanted first; of one type, those for everybody before those for some."""
    ranks = {
        (types.index(text_type), code(each, "ContentAudience") not in FOR_CUSTOMERS, place): text
        for place, each in enumerate(composites)
        if (text_type := code(each, type_tag)) in types and code(each, "ContentAudience") != RESTRICTED
        if (text := each.find("Text")) is not None
    }
    return [ranks[rank] for rank in sorted(ranks)]
