"""Whom a book is by, out of all that contributed to it."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

from catalog.feeds.authors import fit_authors
from catalog.feeds.onix_codes import ROLES, UNNAMED
from catalog.feeds.onix_values import code, codes, number, said

PARTS_OF_A_NAME: Final = (
    "TitlesBeforeNames", "NamesBeforeKey", "PrefixToKey", "KeyNames", "NamesAfterKey", "SuffixToKey",
)  # fmt: skip
LAST: Final = 10**9


def read_authors(detail: Element) -> str:
    """The authors in their sequence; if there are none, the editors, and so on; as whole names that fit."""
    contributors = sorted(detail.findall("Contributor"), key=_sequence)
    for roles in ROLES:
        names = [name for person in contributors if _roles(person) & roles and (name := _name(person))]
        if names:
            return _listed(names)
    return fit_authors(said(detail, "ContributorStatement").removeprefix("By ").removeprefix("by "))


def _sequence(contributor: Element) -> int:
    sequence = number(contributor, "SequenceNumber")
    return LAST if sequence is None else sequence


def _roles(contributor: Element) -> set[str]:
    return codes(contributor, "ContributorRole") or {""}


def _listed(names: list[str]) -> str:
    # "King, Jr." is one name: where commas belong to names, semicolons part them
    separator = "; " if any("," in name for name in names) else ", "
    return fit_authors(separator.join(dict.fromkeys(names)))


def _name(contributor: Element) -> str:
    return (
        said(contributor, "PersonName")
        or _in_parts(contributor)
        or said(contributor, "CorporateName")
        or _turned(said(contributor, "PersonNameInverted"))
        or UNNAMED.get(code(contributor, "UnnamedPersons"), "")
    )


def _in_parts(contributor: Element) -> str:
    if contributor.find("KeyNames") is None:
        return ""
    return " ".join(part for tag in PARTS_OF_A_NAME if (part := said(contributor, tag)))


def _turned(inverted: str) -> str:
    """Herman Melville, out of "Melville, Herman"."""
    key, _, before = inverted.partition(",")
    before, comma, suffix = before.strip().partition(",")
    return f"{before} {key}{comma}{suffix}".strip()
