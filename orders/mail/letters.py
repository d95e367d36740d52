"""What customers and staff are written: the words of one small template, set as text and as HTML in their language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from django.conf import settings
from django.template import Context, engines
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.formats import date_format
from django.utils.timezone import localtime

from orders import services
from orders.models import Fulfilment, Order

PARAGRAPHS: Final = re.compile(r"\n\s*\n")
UNSEEN: Final = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, and those that turn the direction of what follows."""


@dataclass(frozen=True, kw_only=True)
class Letter:
    """What is sent: both parts say the same."""

    subject: str
    text: str
    html: str
    language: str


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a template says: its first paragraph is the subject, the second the headline."""

    subject: str
    headline: str
    paragraphs: list[str]

    @classmethod
    def of(cls, template: str, facts: Mapping[str, Any]) -> Self:
        """The words of a template, not escaped: the layout of each part does what it needs."""
        rendered = engines["django"].engine.get_template(template).render(Context(dict(facts), autoescape=False))  # type: ignore[attr-defined]  # Django's own engine
        subject, headline, *paragraphs = [one_line(part) for part in PARAGRAPHS.split(rendered.strip())]
        return cls(subject=subject, headline=headline, paragraphs=paragraphs)


def letter_to_customer(kind: str, order: Order, facts: Mapping[str, Any]) -> Letter:
    """The letter of this kind, about the order as it is now."""
    with translation.override(order.language):
        known = {**_of_order(order), **facts}
        words = Words.of(f"mail/{kind}.txt", known)
        return _set("mail/letter", words, {**known, "language": order.language}, order.language)


def letter_to_staff(template: str, facts: Mapping[str, Any]) -> Letter:
    """A letter in the shop's own language."""
    with translation.override(settings.LANGUAGE_CODE):
        known = {**_of_shop(), **facts, "language": settings.LANGUAGE_CODE}
        words = Words.of(f"mail/staff/{template}_words.txt", known)
        return _set(f"mail/staff/{template}", words, known, settings.LANGUAGE_CODE)


def one_line(text: str) -> str:
    """Text without breaks and without what nobody sees, so that it forges no line and no header."""
    return " ".join(UNSEEN.sub("", text).split())


def _set(layout: str, words: Words, facts: Mapping[str, Any], language: str) -> Letter:
    # by name: not every mail program knows what the start of a line is
    start, end = ("right", "left") if translation.get_language_bidi() else ("left", "right")
    context = {**facts, "words": words, "start": start, "end": end}
    return Letter(
        subject=words.subject,
        text=_lines(render_to_string(f"{layout}.txt", context)),
        html=render_to_string(f"{layout}.html", context),
        language=language,
    )


def _lines(text: str) -> str:
    """The text without more than one empty line in a row."""
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _of_shop() -> dict[str, Any]:
    return {"shop_name": settings.SHOP_NAME, "shop_contact": settings.SHOP_CONTACT, "public_url": settings.PUBLIC_URL}


def _of_order(order: Order) -> dict[str, Any]:
    promised = services.promised_lines(order)
    shown = [one for one in promised if not one.line.cancelled_at]
    return {
        **_of_shop(),
        "order": order,
        "number": order.number,
        "name": order.customer_name,
        "first_name": order.customer_name.partition(" ")[0],
        "is_collected": order.fulfilment == Fulfilment.COLLECT,
        "tracking": order.tracking,
        "reason": order.cancel_reason,
        "link": order.status_url,
        "placed_on": date_format(localtime(order.placed_at), "DATE_FORMAT"),
        "missing": sum(one.missing for one in shown),
        "lines": [
            {
                "title": one.line.title,
                "quantity": one.line.quantity,
                "each": one.line.unit_price,
                "total": one.line.line_total,
                "missing": one.missing,
            }
            for one in shown
        ],
        "total": order.total,
    }
