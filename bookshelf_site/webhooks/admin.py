"""The webhooks' door for staff: who is told of what, whether it gets through, and what to do if it doesn't."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from bookshelf_site.admin import ServiceAdmin, ServiceForm, short_time
from bookshelf_site.webhooks import services, signing
from bookshelf_site.webhooks.addresses import URL_LENGTH
from bookshelf_site.webhooks.messages import Message, messages_to, with_last_attempt
from bookshelf_site.webhooks.models import DESCRIPTION_LENGTH, SigningSecret, Webhook, WebhookQuerySet

MESSAGES_PER_PAGE = 25


class WebhookForm(ServiceForm):
    url = forms.CharField(
        label=gettext_lazy("URL"),
        max_length=URL_LENGTH,
        help_text=gettext_lazy("such as https://shop.example.com/hooks/bookshelf; it has to be on the public internet"),
        widget=forms.TextInput(attrs={"class": "vLargeTextField", "inputmode": "url", "autocomplete": "off"}),
    )
    event_types = forms.CharField(
        label=gettext_lazy("Events"),
        help_text=gettext_lazy("* for all, orders.* for a family, orders.order_shipped for one; several with commas"),
        widget=forms.TextInput(attrs={"class": "vLargeTextField", "autocomplete": "off"}),
        initial="*",
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        max_length=DESCRIPTION_LENGTH,
        required=False,
        help_text=gettext_lazy("who it is, such as “web shop”"),
        widget=forms.TextInput(attrs={"class": "vLargeTextField"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if isinstance(known := self.initial.get("event_types"), list):
            self.initial["event_types"] = ", ".join(known) or "*"

    def clean_event_types(self) -> list[str]:
        return [pattern for pattern in self.cleaned_data["event_types"].replace(",", " ").split() if pattern]


class HealthFilter(admin.SimpleListFilter):
    title = gettext_lazy("health")
    parameter_name = "health"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("well", gettext_lazy("Gets through")),
            ("failing", gettext_lazy("Failing")),
            ("disabled", gettext_lazy("Disabled")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> WebhookQuerySet:
        webhooks: WebhookQuerySet = queryset
        match self.value():
            case "well":
                return webhooks.enabled().filter(failing_since=None)
            case "failing":
                return webhooks.enabled().exclude(failing_since=None)
            case "disabled":
                return webhooks.filter(status=Webhook.Status.DISABLED)
        return webhooks


@admin.register(Webhook)
class WebhookAdmin(ServiceAdmin):
    form = WebhookForm
    list_display = ("name", "event_list", "health", "last_success", "waiting")
    list_filter = (HealthFilter,)
    search_fields = ("url", "description")
    search_help_text = gettext_lazy("URL or description")
    ordering = ("id",)
    fields = ("url", "event_types", "description")
    actions = ("enable", "disable")
    change_form_template = "admin/webhooks/webhook/change_form.html"

    def get_queryset(self, request: HttpRequest) -> WebhookQuerySet:
        return cast("WebhookQuerySet", super().get_queryset(request)).with_waiting()

    # The list

    @admin.display(description=gettext_lazy("webhook"), ordering="url")
    def name(self, webhook: Webhook) -> SafeString | str:
        if not webhook.description:
            return webhook.host
        return format_html('{}<br><span class="help">{}</span>', webhook.description, webhook.host)

    @admin.display(description=gettext_lazy("events"))
    def event_list(self, webhook: Webhook) -> str:
        return ", ".join(webhook.event_types)

    @admin.display(description=gettext_lazy("health"), ordering="status")
    def health(self, webhook: Webhook) -> SafeString:
        since = webhook.disabled_at or webhook.failing_since
        told = _("since %(time)s") % {"time": short_time(since)} if since else ""
        return format_html('{}<br><span class="help">{}</span>', badge(webhook), told) if told else badge(webhook)

    @admin.display(description=gettext_lazy("last success"), ordering="last_success_at")
    def last_success(self, webhook: Webhook) -> str:
        return short_time(webhook.last_success_at)

    @admin.display(description=gettext_lazy("waiting"))
    def waiting(self, webhook: Webhook) -> int:
        return cast("int", webhook.waiting)  # type: ignore[attr-defined]  # with_waiting adds it

    @admin.action(description=gettext_lazy("Enable the selected webhooks"), permissions=["change"])
    def enable(self, request: HttpRequest, queryset: WebhookQuerySet) -> None:
        self.attempt(request, queryset, lambda one: services.enable_webhook(webhook_id=one.pk), _("enabled"))

    @admin.action(description=gettext_lazy("Disable the selected webhooks"), permissions=["change"])
    def disable(self, request: HttpRequest, queryset: WebhookQuerySet) -> None:
        self.attempt(request, queryset, lambda one: services.disable_webhook(webhook_id=one.pk), _("disabled"))

    # Adding and changing

    def save_model(self, request: HttpRequest, obj: Webhook, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's signature
        given = services.WebhookChanges(
            url=form.cleaned_data["url"],
            event_types=form.cleaned_data["event_types"],
            description=form.cleaned_data["description"],
        )
        if change:
            services.change_webhook(webhook_id=obj.pk, changes=given)
            return
        webhook = services.add_webhook(**given)
        obj.pk = webhook.pk
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: Webhook, post_url_continue: str | None = None) -> Any:
        """Show the secret in this answer and nowhere else: a message would be kept in a cookie or the session."""
        return self._with_secret(request, obj, _("Your new webhook"))

    def rotate_view(self, request: HttpRequest, webhook_id: UUID) -> HttpResponse:
        def rotate(webhook: Webhook) -> HttpResponse:
            self.attempt(request, [webhook], lambda one: services.rotate_secret(webhook_id=one.pk), _("secret rotated"))
            return self._with_secret(request, webhook, _("Its new secret"))

        return self._asked(
            request,
            webhook_id,
            title=_("Rotate the secret"),
            meaning=_("It gets a new secret. For 24 hours each message is signed with the old one too."),
            do=rotate,
        )

    def _with_secret(self, request: HttpRequest, webhook: Webhook, title: str) -> HttpResponse:
        secret = SigningSecret.objects.get(webhook=webhook, expires_at__isnull=True).secret
        return self.show_page(
            request,
            "admin/webhooks/webhook/secret.html",
            title,
            subtitle=str(webhook),
            webhook=webhook,
            secret=signing.shown(secret),
        )

    # The page of one

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        webhook: Webhook | None = kwargs.get("obj")
        if webhook is not None:
            log = Paginator(with_last_attempt(messages_to(webhook.pk)).order_by("-id"), MESSAGES_PER_PAGE)
            page = log.get_page(request.GET.get("page"))
            context |= {
                "webhook": webhook,
                "badge": badge(webhook),
                "may_change": self.has_change_permission(request, webhook),
                "may_remove": request.user.has_perm("webhooks.delete_webhook"),
                "page": page,
                "log": Message.of(list(page.object_list)),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        views = {
            "ping": self.ping_view,
            "enable": self.enable_view,
            "disable": self.disable_view,
            "rotate": self.rotate_view,
            "remove": self.remove_view,
        }
        resend = path(
            "<uuid:webhook_id>/deliveries/<uuid:event_uid>/resend/",
            self.admin_site.admin_view(self.resend_view),
            name="webhooks_webhook_resend",
        )
        own = [
            path(f"<uuid:webhook_id>/{name}/", self.admin_site.admin_view(view), name=f"webhooks_webhook_{name}")
            for name, view in views.items()
        ]
        return [*own, resend, *super().get_urls()]

    @method_decorator(require_POST)
    def ping_view(self, request: HttpRequest, webhook_id: UUID) -> HttpResponse:
        return self._done(
            request,
            webhook_id,
            lambda one: services.ping_webhook(webhook_id=one.pk),
            _("a ping is on its way; the log below tells what comes of it"),
        )

    @method_decorator(require_POST)
    def enable_view(self, request: HttpRequest, webhook_id: UUID) -> HttpResponse:
        return self._done(
            request,
            webhook_id,
            lambda one: services.enable_webhook(webhook_id=one.pk),
            _("enabled; it is told what happens from now on"),
        )

    @method_decorator(require_POST)
    def resend_view(self, request: HttpRequest, webhook_id: UUID, event_uid: UUID) -> HttpResponse:
        if not messages_to(webhook_id).filter(event__uid=event_uid).exists():
            raise Http404
        return self._done(
            request,
            webhook_id,
            lambda one: services.resend(webhook_id=one.pk, event_uid=event_uid),
            _("the message is on its way again"),
        )

    def disable_view(self, request: HttpRequest, webhook_id: UUID) -> HttpResponse:
        def disable(webhook: Webhook) -> HttpResponse:
            return self._done(
                request, webhook.pk, lambda one: services.disable_webhook(webhook_id=one.pk), _("disabled")
            )

        return self._asked(
            request,
            webhook_id,
            title=_("Disable the webhook"),
            meaning=_("It is told nothing any more. What it is still owed is skipped, and it is not told of it later."),
            do=disable,
        )

    def remove_view(self, request: HttpRequest, webhook_id: UUID) -> HttpResponse:
        def remove(webhook: Webhook) -> HttpResponse:
            name = str(webhook)
            self.log_deletions(request, Webhook.objects.filter(pk=webhook.pk))
            services.remove_webhook(webhook_id=webhook.pk)
            self.message_user(request, _("%(webhook)s: removed") % {"webhook": name})
            return HttpResponseRedirect(reverse("admin:webhooks_webhook_changelist"))

        if not request.user.has_perm("webhooks.delete_webhook"):
            raise PermissionDenied
        return self._asked(
            request,
            webhook_id,
            title=_("Remove the webhook"),
            meaning=_("It is told nothing any more, and its secret and its log go with it. It can’t be undone."),
            do=remove,
        )

    def _asked(
        self, request: HttpRequest, webhook_id: UUID, *, title: str, meaning: str, do: Callable[[Webhook], HttpResponse]
    ) -> HttpResponse:
        """Do it if somebody has said yes, else ask."""
        webhook = self._one(request, webhook_id)
        if request.method == "POST":
            return do(webhook)
        return self.show_page(
            request,
            "admin/webhooks/webhook/question.html",
            title,
            subtitle=str(webhook),
            meaning=meaning,
            form=Form(),
            webhook=webhook,
        )

    def _done(
        self, request: HttpRequest, webhook_id: UUID, ask: Callable[[Webhook], object], done: str
    ) -> HttpResponse:
        self.attempt(request, [self._one(request, webhook_id)], ask, done)
        return HttpResponseRedirect(reverse("admin:webhooks_webhook_change", args=[webhook_id]))

    def _one(self, request: HttpRequest, webhook_id: UUID) -> Webhook:
        webhook = Webhook.objects.filter(pk=webhook_id).first()
        if not self.has_change_permission(request, webhook):
            raise PermissionDenied
        if webhook is None:
            raise Http404
        return webhook


def badge(webhook: Webhook) -> SafeString:
    """How it is doing, at a glance."""
    if not webhook.is_enabled:
        why = capfirst(_("disabled: %(why)s") % {"why": webhook.get_disabled_reason_display().lower()})
        return format_html('<span class="badge badge-cancelled">{}</span>', why)
    if webhook.failing_since:
        return format_html('<span class="badge badge-pending">{}</span>', _("Failing"))
    if webhook.last_success_at:
        return format_html('<span class="badge badge-active">{}</span>', _("Gets through"))
    return format_html('<span class="badge">{}</span>', _("Nothing sent yet"))
