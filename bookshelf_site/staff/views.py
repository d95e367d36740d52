"""Logging in, by password and, for who wants it, a code; and the page where one wants it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final, cast

import segno
from axes.handlers.proxy import AxesProxyHandler
from django import forms
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import authenticate, load_backend, login
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import LoginView, RedirectURLMixin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView

from bookshelf_site.admin import RefusableForm
from bookshelf_site.errors import DomainError
from bookshelf_site.staff import two_factor

HALFWAY: Final = "staff.halfway"
SECONDS_FOR_THE_CODE: Final = 300


class CodeForm(RefusableForm, forms.Form):
    code = forms.CharField(
        max_length=20,
        label=gettext_lazy("Code"),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "text", "autofocus": True}),
    )


class TurnOffForm(CodeForm):
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    field_order = ("password", "code")


class Login(LoginView):
    """Name and password; whoever has two-factor login on is asked for a code next."""

    template_name = "admin/login.html"
    authentication_form = AdminAuthenticationForm

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if admin.site.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        return super().get(request, *args, **kwargs)

    def get_default_redirect_url(self) -> str:
        return reverse("admin:index")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        request = self.request
        return {
            **admin.site.each_context(request),
            **super().get_context_data(**kwargs),
            "title": _("Log in"),
            "subtitle": None,
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
        }

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        if not two_factor.is_on(user):
            return super().form_valid(form)
        Halfway.begin(self.request, user)
        return HttpResponseRedirect(f"{reverse('login-code')}?{urlencode({'next': self.get_success_url()})}")


@dataclass(frozen=True)
class Halfway:
    """Somebody whose password was right, and who has some minutes to enter the code."""

    user: User
    backend: str

    @staticmethod
    def begin(request: HttpRequest, user: Any) -> None:
        request.session.flush()
        request.session[HALFWAY] = {
            "user": user.pk,
            "backend": user.backend,
            "hash": user.get_session_auth_hash(),
            "until": time.time() + SECONDS_FOR_THE_CODE,
        }

    @classmethod
    def of(cls, request: HttpRequest) -> Halfway | None:
        """None if there is nobody, it has taken too long, or the user was changed or shut out meanwhile."""
        noted = request.session.get(HALFWAY)
        if not noted or noted["until"] < time.time():
            return None
        user: Any = cast("Any", load_backend(noted["backend"])).get_user(noted["user"])
        if user is None or not user.is_staff or user.get_session_auth_hash() != noted["hash"]:
            return None
        return cls(user, noted["backend"])


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class Code(RedirectURLMixin, FormView):  # type: ignore[type-arg]  # generic to the checker only
    """The second step of the login; its wrong codes count as wrong passwords do."""

    template_name = "admin/login_code.html"
    form_class = CodeForm
    halfway: Halfway

    def get_default_redirect_url(self) -> str:
        return reverse("admin:index")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        halfway = Halfway.of(request)
        if halfway is None:
            return HttpResponseRedirect(f"{reverse('admin:login')}?{urlencode({'next': self.get_success_url()})}")
        self.halfway = halfway
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = {"title": _("Two-factor login"), "next": self.get_redirect_url()}
        return {**admin.site.each_context(self.request), **super().get_context_data(**kwargs), **context}

    def form_valid(self, form: Any) -> HttpResponse:
        request, user = self.request, self.halfway.user
        credentials = {"username": user.get_username()}
        if not AxesProxyHandler.is_allowed(request, credentials):
            return self._locked(request, credentials)
        try:
            two_factor.verify(user, form.cleaned_data["code"])
        except DomainError as refused:
            user_login_failed.send(sender=__name__, credentials=credentials, request=request)
            form.add_error("code", str(refused))
            return self.form_invalid(form)
        del request.session[HALFWAY]
        AxesProxyHandler.update_request(request)  # it notes who logged in, and where
        login(request, user, backend=self.halfway.backend)
        return HttpResponseRedirect(self.get_success_url())

    def _locked(self, request: Any, credentials: dict[str, str]) -> HttpResponse:
        """axes' middleware answers in place of this."""
        request.axes_locked_out, request.axes_credentials = True, credentials
        return HttpResponse(status=429)


@never_cache
@sensitive_post_parameters()
def two_factor_page(request: HttpRequest) -> HttpResponse:
    """Turn two-factor login on and off; what has to be kept is shown once, in the answer."""
    user = cast("User", request.user)
    step = request.POST.get("step", "") if request.method == "POST" else ""
    page = Page(request, user)
    return STEPS.get(step, Page.show)(page)


class Page:
    """The page of who is logged in."""

    def __init__(self, request: HttpRequest, user: User) -> None:
        self.request = request
        self.user = user
        self.forms: dict[str, Any] = {}

    def show(self, **context: Any) -> HttpResponse:
        is_on = two_factor.is_on(self.user)
        device = None if is_on else two_factor.begun(self.user)
        context = {
            **admin.site.each_context(self.request),
            "title": _("Two-factor login"),
            "is_on": is_on,
            "since": two_factor.on_since(self.user),
            "codes_left": two_factor.backup_codes_left(self.user),
            "picture": picture_of(device.config_url) if device else "",
            "secret": two_factor.secret_of(device) if device else "",
            "confirm_form": self.forms.get("confirm") or CodeForm(auto_id="confirm_%s"),
            "renew_form": self.forms.get("renew") or CodeForm(auto_id="renew_%s"),
            "turn_off_form": self.forms.get("turn_off") or TurnOffForm(auto_id="turn_off_%s"),
            **context,
        }
        return TemplateResponse(self.request, "admin/two_factor.html", context)

    def begin(self) -> HttpResponse:
        try:
            two_factor.begin(self.user)
        except DomainError as refused:
            return self.show(refused=str(refused))
        return HttpResponseRedirect(self.request.path)

    def confirm(self) -> HttpResponse:
        return self._codes_for("confirm", two_factor.confirm)

    def renew(self) -> HttpResponse:
        return self._codes_for("renew", two_factor.renew_backup_codes)

    def _codes_for(self, step: str, service: Any) -> HttpResponse:
        form = self.forms[step] = CodeForm(self.request.POST, auto_id=f"{step}_%s")
        if not form.is_valid():
            return self.show()
        try:
            codes = service(self.user, form.cleaned_data["code"])
        except DomainError as refused:
            form.add_error("code", str(refused))
            return self.show()
        self.forms.clear()
        return self.show(codes=codes)

    def turn_off(self) -> HttpResponse:
        form = self.forms["turn_off"] = TurnOffForm(self.request.POST, auto_id="turn_off_%s")
        if not form.is_valid():
            return self.show()
        # through the backends, so that wrong passwords are counted here too
        name, password = self.user.get_username(), form.cleaned_data["password"]
        if authenticate(self.request, username=name, password=password) is None:
            form.add_error("password", _("This is not your password."))
            return self.show()
        try:
            two_factor.turn_off(self.user, form.cleaned_data["code"])
        except DomainError as refused:
            form.add_error("code", str(refused))
            return self.show()
        return HttpResponseRedirect(self.request.path)


STEPS: Final = {"begin": Page.begin, "confirm": Page.confirm, "renew": Page.renew, "turn_off": Page.turn_off}


def picture_of(url: str) -> SafeString:
    """A QR code as SVG of attributes alone, which the strictest policy allows; on white, or phones can't read it."""
    drawn = segno.make(url, error="m").svg_inline(omitsize=True, border=4, dark="#000", light="#fff", svgclass="qr")
    return mark_safe(drawn)  # noqa: S308  # segno escapes, and draws nothing but squares
