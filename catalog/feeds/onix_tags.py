"""The tags of ONIX for Books under one name each, whatever the release and the length of its tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# The short tags of the elements that are read. Where 2.1 and 3.x say the same under two names, that of 3.x is used.
REFERENCE_NAMES: Final[Mapping[str, str]] = {
    # the message
    "ONIXmessage": "ONIXMessage",
    "header": "Header",
    "product": "Product",
    "m185": "DefaultPriceType",
    "x310": "DefaultPriceType",
    "m186": "DefaultCurrencyCode",
    # the record
    "a001": "RecordReference",
    "a002": "NotificationType",
    "productidentifier": "ProductIdentifier",
    "b221": "ProductIDType",
    "b244": "IDValue",
    "b004": "ISBN",
    "b005": "EAN13",
    # what it is
    "descriptivedetail": "DescriptiveDetail",
    "b012": "ProductForm",
    "titledetail": "TitleDetail",
    "title": "Title",
    "b202": "TitleType",
    "titleelement": "TitleElement",
    "x409": "TitleElementLevel",
    "x410": "PartNumber",
    "b203": "TitleText",
    "b028": "DistinctiveTitle",
    "b030": "TitlePrefix",
    "b031": "TitleWithoutPrefix",
    "b029": "Subtitle",
    "contributor": "Contributor",
    "b034": "SequenceNumber",
    "b035": "ContributorRole",
    "b036": "PersonName",
    "b037": "PersonNameInverted",
    "b038": "TitlesBeforeNames",
    "b039": "NamesBeforeKey",
    "b247": "PrefixToKey",
    "b040": "KeyNames",
    "b041": "NamesAfterKey",
    "b248": "SuffixToKey",
    "b047": "CorporateName",
    "b249": "UnnamedPersons",
    "b049": "ContributorStatement",
    # what is told of it
    "collateraldetail": "CollateralDetail",
    "textcontent": "TextContent",
    "x426": "TextType",
    "x427": "ContentAudience",
    "othertext": "OtherText",
    "d102": "TextTypeCode",
    "d104": "Text",
    "d101": "MainDescription",
    "d100": "Annotation",
    # who publishes it, and when
    "publishingdetail": "PublishingDetail",
    "imprint": "Imprint",
    "b079": "ImprintName",
    "publisher": "Publisher",
    "b291": "PublishingRole",
    "b081": "PublisherName",
    "publishingdate": "PublishingDate",
    "x448": "PublishingDateRole",
    "b306": "Date",
    "j260": "DateFormat",
    "b003": "PublicationDate",
    # who supplies it, and for how much
    "productsupply": "ProductSupply",
    "market": "Market",
    "territory": "Territory",
    "j303": "Territory",
    "x449": "CountriesIncluded",
    "x450": "RegionsIncluded",
    "x451": "CountriesExcluded",
    "b251": "CountryCode",
    "j304": "CountryExcluded",
    "supplydetail": "SupplyDetail",
    "j396": "ProductAvailability",
    "j141": "AvailabilityCode",
    "price": "Price",
    "x462": "PriceType",
    "j148": "PriceType",
    "j261": "PriceQualifier",
    "pricecondition": "PriceCondition",
    "x463": "PriceConditionType",
    "j263": "MinimumOrderQuantity",
    "j151": "PriceAmount",
    "j152": "CurrencyCode",
    "pricedate": "PriceDate",
    "x476": "PriceDateRole",
    "j161": "PriceEffectiveFrom",
    "j162": "PriceEffectiveUntil",
    # names of 2.1
    "PriceTypeCode": "PriceType",
    "DefaultPriceTypeCode": "DefaultPriceType",
}


class Names(dict[str, str]):
    """The names of elements as the parser tells them ("namespace}name"), and what ONIX 3.x calls them in full.

    An element of another vocabulary than the message keeps its namespace, so that it is taken for nothing of ONIX.
    """

    def __init__(self, root: str) -> None:
        super().__init__()
        self._namespace = root.rpartition("}")[0]

    def __missing__(self, name: str) -> str:
        namespace, _, local = name.rpartition("}")
        ours = namespace in {"", self._namespace} or "onix" in namespace.casefold()
        self[name] = found = REFERENCE_NAMES.get(local, local) if ours else name
        return found
