"""The mail of a notification, for the page of the back office that shows what was to be told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django import template

from bookshelf_site.logs import masked
from orders.mail.preview import Preview, preview

register = template.Library()


@register.simple_tag(takes_context=True)
def mail_of(context: dict[str, Any], notification: Any) -> Preview | None:
    """None for what the staff is told. Only who may change orders reads the customer's link in it."""
    shown = preview(UUID(str(notification.pk)))
    if shown is None or context["request"].user.has_perm("orders.change_order"):
        return shown
    return replace(shown, letter=replace(shown.letter, text=masked(shown.letter.text)))
