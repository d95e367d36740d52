"""What staff may do to the copies of a book: each task is a form, a permission and a service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inventory import services
from inventory.admin.forms import AdjustmentForm, CountForm, ReceiptForm, TakeBackForm, ThresholdForm
from inventory.errors import NeverOrdered
from inventory.models import Allocation, StockMovement


@dataclass(frozen=True, kw_only=True)
class StockTask:
    """Something that staff may do to the copies of a book."""

    name: str
    title: Any
    permission: str
    form: type[Any]
    service: Callable[..., object]


def take_back(*, book_id: UUID, order_number: str, quantity: int, condition: str, reason: str) -> StockMovement:
    """Raises NeverOrdered for an order that has no line of the book."""
    number = order_number.replace("-", "").replace(" ", "").upper()
    line = Allocation.objects.of_book(book_id).of_number(number).first()
    if line is None:
        raise NeverOrdered
    service = services.return_damaged_copies if condition == "damaged" else services.return_copies
    return service(book_id=book_id, order_id=line.order_id, quantity=quantity, reason=reason)


def set_threshold(*, book_id: UUID, low_stock_threshold: int | None, reason: str) -> str:
    item = services.set_low_stock_threshold(book_id=book_id, threshold=low_stock_threshold, reason=reason)
    return _("low at %(threshold)d") % {"threshold": item.threshold}


TASKS = [
    StockTask(
        name="receive",
        title=gettext_lazy("Receive copies"),
        permission="inventory.receive_copies",
        form=ReceiptForm,
        service=services.receive_copies,
    ),
    StockTask(
        name="count",
        title=gettext_lazy("Count the shelf"),
        permission="inventory.adjust_stock",
        form=CountForm,
        service=services.count_copies,
    ),
    StockTask(
        name="adjust",
        title=gettext_lazy("Adjust"),
        permission="inventory.adjust_stock",
        form=AdjustmentForm,
        service=services.adjust_stock,
    ),
    StockTask(
        name="take_back",
        title=gettext_lazy("Take back"),
        permission="inventory.receive_copies",
        form=TakeBackForm,
        service=take_back,
    ),
    StockTask(
        name="threshold",
        title=gettext_lazy("Threshold"),
        permission="inventory.adjust_stock",
        form=ThresholdForm,
        service=set_threshold,
    ),
]
