"""What staff fill in about the copies of a book, or of all the books that they have counted."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy

from bookshelf_site.admin import RefusableForm
from inventory import services
from inventory.errors import UnreadableCounts
from inventory.models import MAX_COPIES, REASON_LENGTH
from inventory.stocktake import read_counts


class ReceiptForm(RefusableForm, forms.Form):
    quantity = forms.IntegerField(min_value=1, max_value=MAX_COPIES)
    reason = forms.CharField(
        max_length=REASON_LENGTH, required=False, help_text=gettext_lazy("such as the delivery note")
    )


class CountForm(RefusableForm, forms.Form):
    counted = forms.IntegerField(
        min_value=0, max_value=MAX_COPIES, help_text=gettext_lazy("all copies on the shelf, promised ones too")
    )
    reason = forms.CharField(max_length=REASON_LENGTH)


class AdjustmentForm(RefusableForm, forms.Form):
    kind = forms.ChoiceField(choices=[(kind.value, kind.label) for kind in services.ADJUSTMENTS])
    change = forms.IntegerField(help_text=gettext_lazy("-2: two copies fewer"))
    reason = forms.CharField(max_length=REASON_LENGTH)


class TakeBackForm(RefusableForm, forms.Form):
    order_number = forms.CharField(label=gettext_lazy("Order"), max_length=20, help_text=gettext_lazy("its number"))
    quantity = forms.IntegerField(min_value=1, max_value=MAX_COPIES)
    condition = forms.ChoiceField(
        choices=[
            ("fine", gettext_lazy("fine: back on the shelf")),
            ("damaged", gettext_lazy("damaged: written off")),
        ]
    )
    reason = forms.CharField(max_length=REASON_LENGTH, required=False)


class ThresholdForm(RefusableForm, forms.Form):
    low_stock_threshold = forms.IntegerField(
        label=gettext_lazy("Low at"),
        min_value=0,
        max_value=MAX_COPIES,
        required=False,
        help_text=gettext_lazy("available copies or fewer; empty: the shop’s own number"),
    )


class StocktakeForm(RefusableForm, forms.Form):
    scans = forms.CharField(
        label=gettext_lazy("Counted books"),
        max_length=400_000,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false", "autocomplete": "off"}),
        help_text=gettext_lazy(
            "One ISBN or scan per line is one copy, and the same again one more; “9780743273565, 12” is twelve copies, "
            "“…, 0” none. Count all copies on the shelf, promised ones too. "
            "Books that aren’t in the list stay as they are."
        ),
    )
    reason = forms.CharField(max_length=REASON_LENGTH)

    def clean(self) -> None:
        if "scans" not in self.cleaned_data:
            return
        try:
            self.counted = read_counts(self.cleaned_data["scans"])
        except UnreadableCounts as refused:
            self.refuse(refused)
