"""What staff fill in: the customer, the lines of a new order, the reason of a cancellation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget, AutocompleteSelect
from django.http import HttpRequest
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy

from bookshelf_site.admin import REFUSED, RefusableForm, ServiceForm
from bookshelf_site.errors import DomainError, FieldError
from orders.models import (
    CANCEL_NOTE_LENGTH,
    CONTACT_LENGTHS,
    MAX_LINES,
    MAX_QUANTITY,
    NOTE_LENGTH,
    REASON_LENGTH,
    CancelReason,
    Contact,
    Fulfilment,
    OrderLine,
)
from orders.services import LineRequest

if TYPE_CHECKING:
    BookFieldBase = forms.ModelChoiceField[Any]
    LineFormSetBase = forms.BaseInlineFormSet[Any, Any, Any]
    LineInlineBase = admin.TabularInline[Any, Any]
else:
    BookFieldBase = forms.ModelChoiceField
    LineFormSetBase = forms.BaseInlineFormSet
    LineInlineBase = admin.TabularInline

CONTACT_FIELDS = [
    "customer_name",
    "customer_email",
    "phone",
    "language",
    "fulfilment",
    "street",
    "postal_code",
    "city",
    "country",
    "note",
]


class ContactForm(ServiceForm):
    customer_name = forms.CharField(max_length=CONTACT_LENGTHS["customer_name"], widget=AdminTextInputWidget)
    customer_email = forms.EmailField(label=gettext_lazy("E-mail"), required=False, widget=AdminTextInputWidget)
    phone = forms.CharField(max_length=CONTACT_LENGTHS["phone"], required=False)
    language = forms.ChoiceField(choices=settings.LANGUAGES)
    fulfilment = forms.ChoiceField(choices=Fulfilment.choices)
    street = forms.CharField(max_length=CONTACT_LENGTHS["street"], required=False, widget=AdminTextInputWidget)
    postal_code = forms.CharField(max_length=CONTACT_LENGTHS["postal_code"], required=False)
    city = forms.CharField(max_length=CONTACT_LENGTHS["city"], required=False)
    country = forms.CharField(max_length=CONTACT_LENGTHS["country"], required=False)
    note = forms.CharField(max_length=NOTE_LENGTH, required=False, widget=AdminTextareaWidget(attrs={"rows": 3}))

    class Meta:
        labels: ClassVar = {"customer_email": gettext_lazy("E-mail")}  # where it is shown and can't be changed

    def refuse(self, refused: DomainError) -> None:
        if not _is_about_lines(refused):
            super().refuse(refused)

    def _field_of(self, error: FieldError) -> str | None:
        return "street" if error.field == "address" else super()._field_of(error)

    def contact(self) -> Contact:
        return Contact(**{name: self.cleaned_data[name] for name in CONTACT_FIELDS})


def _is_about_lines(refused: DomainError) -> bool:
    return any(error.field.startswith("lines") for error in refused.errors)


class BookField(BookFieldBase):
    def label_from_instance(self, obj: Any) -> str:
        return " · ".join(filter(None, [obj.title, obj.author, obj.isbn]))


class NewLineForm(ServiceForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        column: Any = OrderLine._meta.get_field("book")
        # the table's heads are no labels of its cells; what searches for a book takes its name from the title
        widget = AutocompleteSelect(column, admin.site, attrs={"title": capfirst(column.verbose_name)})
        self.fields["book"] = BookField(column.related_model.objects.all(), widget=widget)

    quantity = forms.IntegerField(
        min_value=1,
        max_value=MAX_QUANTITY,
        initial=1,
        widget=forms.NumberInput(attrs={"aria-label": gettext_lazy("Quantity")}),
    )


class NewLineFormSet(LineFormSetBase):
    """The lines of an order that is being placed."""

    refused: ClassVar[DomainError | None] = None

    @property
    def filled(self) -> list[Any]:
        """The forms of the lines that somebody filled in; what the service refuses counts these."""
        return [form for form in self.forms if form.has_changed()]

    def requests(self) -> list[LineRequest]:
        return [
            LineRequest(book_id=form.cleaned_data["book"].pk, quantity=form.cleaned_data["quantity"])
            for form in self.filled
        ]

    def clean(self) -> None:
        """Django would refuse two lines of one book; the service adds them up."""
        for error in self.refused.errors if self.refused else ():
            self._show(error)

    def _show(self, error: FieldError) -> None:
        top, _slash, place = error.field.partition("/")
        if top != "lines":
            return
        index, _slash, field = place.partition("/")
        if not index:
            raise forms.ValidationError(capfirst(error.detail))
        form = self.filled[int(index)]
        form.add_error("quantity" if field == "quantity" else "book", capfirst(error.detail))


class NewLineInline(LineInlineBase):
    """Lines are filled in when the order is placed, and never again."""

    model = OrderLine
    form = NewLineForm
    formset = NewLineFormSet
    fields = ("book", "quantity")
    verbose_name = gettext_lazy("line")
    verbose_name_plural = gettext_lazy("lines")
    extra = 3
    max_num = MAX_LINES
    can_delete = False

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs | {"fields": ()})
        return type(formset.__name__, (formset,), {"refused": request.META.get(REFUSED)})

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("orders.add_order")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CancelForm(RefusableForm, forms.Form):
    reason = forms.ChoiceField(
        choices=[(reason.value, reason.label) for reason in CancelReason if reason != CancelReason.EXPIRED]
    )
    note = forms.CharField(max_length=CANCEL_NOTE_LENGTH, required=False, widget=forms.Textarea(attrs={"rows": 3}))


class ReasonForm(RefusableForm, forms.Form):
    reason = forms.CharField(
        max_length=REASON_LENGTH,
        required=False,
        help_text=gettext_lazy("for the staff, in the order’s timeline; may be left out"),
        widget=AdminTextInputWidget,
    )


class NoteForm(forms.Form):
    text = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=NOTE_LENGTH,
        help_text=gettext_lazy("for the staff; the customer never sees it"),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
