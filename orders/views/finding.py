"""Send me my link: who knows an order's number and its address gets the link there; here nobody learns anything."""

from __future__ import annotations

import math

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from orders import finding
from orders.errors import TooManyRequests
from orders.models import CONTACT_LENGTHS
from orders.numbers import normalise_number


class FindForm(forms.Form):
    number = forms.CharField(label=gettext_lazy("Order number"), max_length=40)
    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=CONTACT_LENGTHS["customer_email"])

    def clean_number(self) -> str:
        """The number has a check character: who mistyped it is told so, whether there is such an order or not."""
        number = normalise_number(self.cleaned_data["number"])
        if number is None:
            raise forms.ValidationError(
                _("This is no order number. It has nine letters and digits; perhaps one is mistyped.")
            )
        return number


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def find_order(request: HttpRequest) -> HttpResponse:
    """Whatever is asked for, the answer is the same after the same work; the link goes to the order's own address."""
    form = FindForm(request.POST if request.method == "POST" else None)
    if not form.is_bound:
        return render(request, "orders/find.html", {"form": form})
    if not form.is_valid():
        return render(request, "orders/find.html", {"form": form}, status=422)
    try:
        finding.request_link(**form.cleaned_data, client=request.META.get("REMOTE_ADDR", ""))
    except TooManyRequests as refused:
        return _refuse(request, retry_after=refused.retry_after)
    sent = HttpResponseRedirect(reverse("order-link-sent"))
    sent.status_code = 303
    return sent


def _refuse(request: HttpRequest, *, retry_after: int) -> HttpResponse:
    response = render(request, "429.html", {"minutes": math.ceil(retry_after / 60)}, status=429)
    response.headers["Retry-After"] = str(retry_after)
    return response


@require_safe
def link_sent(request: HttpRequest) -> HttpResponse:
    return render(request, "orders/link_sent.html")
