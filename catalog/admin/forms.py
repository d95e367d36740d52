"""What staff fill in about a book."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.admin.widgets import AdminDateWidget, AdminTextareaWidget, AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.urls import reverse, reverse_lazy
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bookshelf_site.admin import ServiceForm
from bookshelf_site.errors import DomainError
from bookshelf_site.money import Money
from catalog.errors import DuplicateIsbn
from catalog.isbn import InvalidIsbn, normalise_isbn
from catalog.models import (
    AUTHOR_LENGTH,
    DESCRIPTION_LENGTH,
    MAX_OPENING_STOCK,
    MAX_PRICE,
    PUBLISHER_LENGTH,
    TITLE_LENGTH,
    Book,
    BookDetails,
)


class BookForm(ServiceForm):
    """Every field is declared: the columns are bound by the domain's rules, not by Django's."""

    title = forms.CharField(max_length=TITLE_LENGTH, widget=AdminTextInputWidget)
    author = forms.CharField(max_length=AUTHOR_LENGTH, required=False, widget=AdminTextInputWidget)
    isbn = forms.CharField(
        label=gettext_lazy("ISBN"),
        max_length=60,
        required=False,
        # a script brings it to 13 digits while somebody types; without one the server does when the form is sent
        widget=AdminTextInputWidget(
            attrs={
                "autocomplete": "off",
                "inputmode": "text",
                "data-isbn": reverse_lazy("admin:catalog_book_isbn"),
                "aria-describedby": "id_isbn_verdict",
            }
        ),
        help_text=gettext_lazy("ten or thirteen digits, with or without hyphens; or scan the barcode"),
    )
    price = forms.DecimalField(
        min_value=0,
        max_value=MAX_PRICE,
        decimal_places=2,
        required=False,
        help_text=gettext_lazy("empty: not for sale"),
    )
    publisher = forms.CharField(max_length=PUBLISHER_LENGTH, required=False, widget=AdminTextInputWidget)
    published_on = forms.DateField(required=False, widget=AdminDateWidget)
    description = forms.CharField(max_length=DESCRIPTION_LENGTH, required=False, widget=AdminTextareaWidget)

    def clean_isbn(self) -> str | None:
        text: str = self.cleaned_data["isbn"]
        try:
            return normalise_isbn(text) if text else None
        except InvalidIsbn as error:
            raise ValidationError(capfirst(str(error)), code="invalid") from error

    def refuse(self, refused: DomainError) -> None:
        if not isinstance(refused, DuplicateIsbn):
            super().refuse(refused)
            return
        twin = reverse("admin:catalog_book_change", args=[refused.existing_id])
        text = _("This book is already in the catalogue:")
        self.add_error("isbn", ValidationError(format_html('{} <a href="{}">{}</a>', text, twin, refused.isbn)))

    def details(self, before: BookDetails) -> BookDetails:
        """What the form says over what was known before."""
        names = ["title", "author", "isbn", "publisher", "published_on", "description"]
        return replace(before, **{name: self.cleaned_data[name] for name in names})

    def asked_price(self) -> Money | None:
        amount = self.cleaned_data["price"]
        return None if amount is None else Money(amount, settings.SHOP_CURRENCY)


class NewBookForm(BookForm):
    opening_stock = forms.IntegerField(
        min_value=0, max_value=MAX_OPENING_STOCK, help_text=gettext_lazy("copies on the shelf from the first day")
    )


class BookChangeForm(BookForm):
    seen_version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        book: Book = self.instance
        self.initial = vars(book.details) | {"price": book.price_amount, "seen_version": book.version}
