"""What an element of ONIX says: texts, codes, lists of codes and dates."""

from __future__ import annotations

import re
from datetime import date
from typing import Final
from xml.etree.ElementTree import Element

from catalog.feeds.onix_codes import DAYS
from catalog.feeds.plain_text import one_line, paragraphs, resolve, without_markup

DAY: Final = re.compile(r"(?P<y>[0-9]{4})-?(?P<m>[0-9]{2})-?(?P<d>[0-9]{2})(?:T[0-9:.]+(?:Z|[+-][0-9:]+)?)?")
NUMBER: Final = re.compile(r"[0-9]{1,9}")


def said(parent: Element, tag: str) -> str:
    """What the child says, in one line; empty if there is none."""
    child = parent.find(tag)
    return "" if child is None else line_of(child)


def line_of(element: Element) -> str:
    """What the element says, in one line and without markup."""
    return one_line(without_markup(resolve(_characters(element))))


def paragraphs_of(element: Element) -> str:
    """What the element says in several lines; of HTML and XHTML, what a reader sees."""
    parts: list[str] = []
    _write(element, parts)
    return paragraphs(without_markup(resolve("".join(parts))))


def code(parent: Element, tag: str) -> str:
    """The code that the child holds; empty if there is none."""
    return (parent.findtext(tag) or "").strip()


def codes(parent: Element, tag: str) -> set[str]:
    """All codes that the children of this name hold, however many stand in each."""
    return {word for child in parent.findall(tag) for word in (child.text or "").split()}


def number(parent: Element, tag: str) -> int | None:
    text = code(parent, tag)
    return int(text) if NUMBER.fullmatch(text) else None


def day(parent: Element, tag: str) -> date | None:
    """The full date that the child holds; none for a month, a year, another calendar or what is no date."""
    child = parent.find(tag)
    if child is None or (child.get("dateformat") or code(parent, "DateFormat")) not in DAYS:
        return None
    written = DAY.fullmatch((child.text or "").strip())
    try:
        return date(int(written["y"]), int(written["m"]), int(written["d"])) if written else None
    except ValueError:
        return None


def _characters(element: Element) -> str:
    return "".join(element.itertext()) if len(element) else element.text or ""


def _write(element: Element, parts: list[str]) -> None:
    """The content of an element as markup, whatever namespace its elements are in."""
    parts.append(element.text or "")
    for child in element:
        name = child.tag.rpartition("}")[2]
        parts.append(f"<{name}>")
        _write(child, parts)
        parts.append(f"</{name}>")
        parts.append(child.tail or "")
