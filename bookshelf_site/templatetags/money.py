"""Amounts as people of the page's language write them."""

from __future__ import annotations

from babel.core import Locale, UnknownLocaleError
from babel.numbers import format_currency
from django import template
from django.utils.translation import get_language, to_locale

from bookshelf_site.money import Money

register = template.Library()


@register.filter
def money(amount: Money) -> str:
    """$12.99 in English, 12,99 $ in German and French."""
    return str(format_currency(amount.amount, amount.currency, locale=_locale()))


def _locale() -> Locale:
    try:
        return Locale.parse(to_locale(get_language() or "en"))
    except UnknownLocaleError:
        return Locale("en")
