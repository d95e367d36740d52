"""Author lists that are longer than the catalogue's field."""

from __future__ import annotations

import re
from itertools import accumulate

from catalog.feeds.records import AUTHOR_LENGTH

ET_AL = " et al."
BETWEEN_NAMES = re.compile(r"\s*(?:,\s*and\b|,|\band\b|&|\|)\s*", re.IGNORECASE)


def fit_authors(listed: str) -> str:
    """As many whole names as the catalogue holds, then "et al."; a list that fits stays as it is."""
    if len(listed) <= AUTHOR_LENGTH:
        return listed
    names, separator = _names(listed)
    room = AUTHOR_LENGTH - len(ET_AL)
    ends = accumulate(len(name) + len(separator) for name in names)
    fitting = sum(end - len(separator) <= room for end in ends)
    if not fitting:
        return shorten(listed, AUTHOR_LENGTH)
    return separator.join(names[:fitting]) + ET_AL


def shorten(text: str, length: int) -> str:
    """The text up to the last word that fits, and an ellipsis."""
    if len(text) <= length:
        return text
    words, space, _ = text[:length].rpartition(" ")
    return (words if space else text[: length - 1]).rstrip(" ,;") + "…"


def _names(listed: str) -> tuple[list[str], str]:
    # "Melville, Herman; Poe, Edgar": where semicolons part the names, commas belong to them
    parts, separator = (listed.split(";"), "; ") if ";" in listed else (BETWEEN_NAMES.split(listed), ", ")
    return [name.strip() for name in parts if name.strip()], separator
