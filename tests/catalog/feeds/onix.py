"""ONIX messages for tests: small, of our own making, one peculiarity each."""

import io
import re

from catalog.feeds import BookRecord, Rejected
from catalog.feeds.onix_reader import read_onix
from catalog.feeds.onix_tags import REFERENCE_NAMES

GATSBY = "9780743273565"
EMMA = "9780141439587"

REFERENCE_NAMESPACE = "http://ns.editeur.org/onix/3.0/reference"
SHORT_NAMESPACE = "http://ns.editeur.org/onix/3.0/short"

TITLE = (
    "<TitleDetail><TitleType>01</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel>"
    "<TitleText>Emma</TitleText></TitleElement></TitleDetail>"
)


def identifier(value: str = EMMA, id_type: str = "15") -> str:
    return f"<ProductIdentifier><ProductIDType>{id_type}</ProductIDType><IDValue>{value}</IDValue></ProductIdentifier>"


def product(
    *,
    reference: str = "com.example.1",
    notification: str = "03",
    identifiers: str = identifier(),
    title: str = TITLE,
    detail: str = "",
    collateral: str = "",
    publishing: str = "",
    supply: str = "",
) -> str:
    """A product of 3.x."""
    return (
        f"<Product><RecordReference>{reference}</RecordReference><NotificationType>{notification}</NotificationType>"
        f"{identifiers}<DescriptiveDetail>{title}{detail}</DescriptiveDetail>"
        f"<CollateralDetail>{collateral}</CollateralDetail><PublishingDetail>{publishing}</PublishingDetail>"
        f"<ProductSupply>{supply}</ProductSupply></Product>"
    )


def product_21(content: str = "", *, identifiers: str = identifier(), title: str = "") -> str:
    """A product of 2.1, which has no blocks."""
    titled = title or "<Title><TitleType>01</TitleType><TitleText>Emma</TitleText></Title>"
    return (
        "<Product><RecordReference>com.example.1</RecordReference><NotificationType>03</NotificationType>"
        f"{identifiers}{titled}{content}</Product>"
    )


def message(*products: str, header: str = "", attributes: str = 'release="3.0"') -> str:
    return f"<ONIXMessage {attributes}><Header>{header}</Header>{''.join(products)}</ONIXMessage>"


def shortened(reference: str) -> str:
    """The same message with the short tags of 3.x."""
    short = {name: tag for tag, name in REFERENCE_NAMES.items() if tag not in {"m185", "j148", "j303"}}

    def tag(match: re.Match[str]) -> str:
        return match[1] + short.get(match[2], match[2])

    return re.sub(r"(</?)([A-Z]\w+)", tag, reference)


def read(feed: str | bytes, currency: str = "USD") -> list[BookRecord | Rejected]:
    return list(read_onix(io.BytesIO(feed.encode() if isinstance(feed, str) else feed), currency=currency))


def book(*products: str, header: str = "", currency: str = "USD") -> BookRecord:
    """The one book of a message with these products."""
    (record,) = read(message(*products, header=header), currency)
    assert isinstance(record, BookRecord), record
    return record


def rejection(*products: str) -> Rejected:
    """The one rejection of a message with these products."""
    (record,) = read(message(*products))
    assert isinstance(record, Rejected), record
    return record
