"""What staff fill in about the copies of a book, or of all the books that they have counted."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy

from bookshelf_site.admin import RefusableForm
from inventory import services
from inventory.counting import read_table
from inventory.errors import UnreadableCounts
from inventory.models import MAX_COPIES, REASON_LENGTH

LARGEST_TABLE = 2 * 2**20


class ReceiptForm(RefusableForm, forms.Form):
    quantity = forms.IntegerField(min_value=1, max_value=MAX_COPIES)
    reason = forms.CharField(
        max_length=REASON_LENGTH, initial=gettext_lazy("Delivery"), help_text=gettext_lazy("such as the delivery note")
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
    reason = forms.CharField(max_length=REASON_LENGTH, initial=gettext_lazy("Return"))


class ThresholdForm(RefusableForm, forms.Form):
    low_stock_threshold = forms.IntegerField(
        label=gettext_lazy("Low at"),
        min_value=0,
        max_value=MAX_COPIES,
        required=False,
        help_text=gettext_lazy("available copies or fewer; empty: the shop’s own number"),
    )
    reason = forms.CharField(max_length=REASON_LENGTH)


class ScanForm(RefusableForm, forms.Form):
    text = forms.CharField(
        label=gettext_lazy("Scan or type"),
        max_length=100,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "off",
                "spellcheck": "false",
                "aria-describedby": "scan-help",
            }
        ),
    )
    token = forms.UUIDField(widget=forms.HiddenInput)


class ListForm(RefusableForm, forms.Form):
    scans = forms.CharField(
        label=gettext_lazy("List"),
        max_length=400_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off"}),
        help_text=gettext_lazy("One ISBN per line is one copy; “9780743273565, 12” is twelve copies, “…, 0” none."),
    )
    table = forms.FileField(
        label=gettext_lazy("or file"),
        required=False,
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.xlsx"}),
        help_text=gettext_lazy("CSV or Excel (.xlsx) with the columns isbn and counted, or on_hand as it is exported"),
    )

    def clean(self) -> None:
        table, text = self.cleaned_data.get("table"), self.cleaned_data.get("scans", "")
        if table and table.size > LARGEST_TABLE:
            self.add_error("table", gettext_lazy("The file is too large: a stocktake has at most 10,000 lines."))
        elif table:
            try:
                text = f"{text}\n{read_table(table)}" if text.strip() else read_table(table)
            except UnreadableCounts as refused:
                self.add_error("table", str(refused))
        self.listed: str = text


class ApplyForm(RefusableForm, forms.Form):
    reason = forms.CharField(max_length=REASON_LENGTH)
