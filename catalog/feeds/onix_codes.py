"""The code lists of ONIX for Books, as far as a choice depends on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# List 1: notification or update type
PARTIAL_UPDATE: Final = "04"
DELETION: Final = "05"
TESTS: Final = frozenset({"88", "89"})

# List 5: product identifier type
ISBN_13: Final = "15"
GTIN_13: Final = "03"
ISBN_10: Final = "02"

# List 15: title type. Distinctive; undefined; distributor's; in the original language.
TITLE_TYPES: Final = ("01", "00", "", "10")

# List 149: title element level
PRODUCT_LEVEL: Final = "01"

# List 17: contributor role. Whom a book is by: the first of these groups of which anybody is named.
ROLES: Final[tuple[frozenset[str], ...]] = (
    frozenset({"A01"}),
    # who wrote, composed, drew or took it, if that is what the book is
    frozenset(
        {
            "A02", "A03", "A04", "A05", "A06", "A07", "A08", "A09", "A10", "A11", "A14", "A31", "A38", "A42",
            "A45", "A99", "B03", "B05", "B07", "B22",
        }
    ),
    # who edited or compiled it
    frozenset(
        {
            "B01", "B02", "B10", "B11", "B12", "B13", "B16", "B18", "B21", "B24", "B29", "B31",
            "C01", "C02", "C04", "C99",
        }
    ),
    # who illustrated it
    frozenset({"A12", "A13", "A35", "A39", "A40", "A41", "A46", "A47"}),
    # who translated it
    frozenset({"B06", "B08"}),
    # a contributor whose role isn't told
    frozenset({""}),
)  # fmt: skip

# List 19: unnamed persons
UNNAMED: Final[Mapping[str, str]] = {"02": "Anonymous", "04": "Various authors"}

# List 153: text type (3.x). Description; cover copy; short description; sender-defined.
TEXT_TYPES: Final = ("03", "05", "02", "01")

# List 33: other text type (2.1). Main, long description; back cover, flap copy; for readers; short description.
OTHER_TEXT_TYPES: Final = ("01", "03", "18", "17", "12", "02")

# List 154: content audience. Everybody; end customers.
FOR_CUSTOMERS: Final = frozenset({"", "00", "03"})
RESTRICTED: Final = "01"

# List 45: publishing role; List 163: publishing date role
PUBLISHER: Final = "01"
PUBLICATION: Final = "01"

# List 55: date format. Day; day with minutes; with seconds.
DAYS: Final = frozenset({"", "00", "13", "14"})

# List 58: price type. What customers pay, with tax first: recommended, fixed, importer's fixed, publisher's; not told.
# Net prices of suppliers, pre-publication and special sale prices are none that a shop asks.
PRICE_TYPES: Final = ("02", "04", "34", "42", "01", "03", "33", "41", "31", "")

# List 59: price qualifier. For everybody; for consumers.
PRICE_QUALIFIERS: Final = frozenset({"", "00", "05"})

# List 167: price condition. None.
UNCONDITIONAL: Final = frozenset({"", "00"})

# List 173: price date role
FROM_DATE: Final = "14"
UNTIL_DATE: Final = "15"

# List 54: availability status (2.1), as List 65: product availability
AVAILABILITIES: Final[Mapping[str, str]] = {
    "AB": "01", "AD": "44", "CS": "99", "EX": "43", "IP": "20", "MD": "23", "NP": "10", "NY": "11", "OF": "42",
    "OI": "31", "OP": "51", "OR": "41", "PP": "09", "RF": "43", "RM": "47", "RP": "32", "RU": "32", "TO": "22",
    "TP": "30", "TU": "30", "UR": "33", "WR": "20", "WS": "46",
}  # fmt: skip

EURO_COUNTRIES: Final = frozenset(
    {
        "AT", "BE", "BG", "CY", "DE", "EE", "ES", "FI", "FR", "GR", "HR", "IE", "IT", "LT", "LU", "LV", "MT", "NL",
        "PT", "SI", "SK",
    }
)  # fmt: skip
