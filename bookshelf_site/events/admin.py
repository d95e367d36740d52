"""The log and its deliveries, to look at; of a dead letter staff may say that it is tried again, or given up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.apps import apps
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from bookshelf_site.errors import DomainError
from bookshelf_site.events import services
from bookshelf_site.events.backfill import replay_event
from bookshelf_site.events.chain import Link, chain_of
from bookshelf_site.events.domain_event import EVENTS
from bookshelf_site.events.models import Delivery, Event, Receiver
from bookshelf_site.events.report import MOST_COUNTED, standings
from bookshelf_site.events.signals import RECEIVERS

if TYPE_CHECKING:
    BaseAdmin = admin.ModelAdmin[Any]
    BaseInline = admin.TabularInline[Any, Any]
else:
    BaseAdmin, BaseInline = admin.ModelAdmin, admin.TabularInline


class NobodyWrites:
    """No one adds, changes or deletes these rows by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LogAdmin(NobodyWrites, BaseAdmin):
    """A long table: found by exact keys, which have indexes, and never counted as a whole."""

    show_full_result_count = False
    list_per_page = 50
    search_fields = ("uid",)  # so that there is a search box; `get_search_results` says what it does
    search_help_text = gettext_lazy("an event's id, a request's id, or what it happened to (orders.order:…, or its id)")
    to_event: ClassVar[str] = ""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, {**title, **(extra_context or {})})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        streams = [term, *(f"{model._meta.label_lower}:{term}" for model in apps.get_models())]
        found = Q(**{f"{self.to_event}correlation_id": term}) | Q(**{f"{self.to_event}stream__in": streams})
        if (uid := _as_uuid(term)) is not None:
            found |= Q(**{f"{self.to_event}uid": uid})
        return queryset.filter(found), False


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


class KnownFilter(admin.SimpleListFilter):
    """A filter over what this code knows: to ask the table would read all of it."""

    known: ClassVar[Callable[[], Iterable[str]]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in sorted(type(self).known())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset


class NameFilter(KnownFilter):
    title = gettext_lazy("name")
    parameter_name = "name"
    known = EVENTS.keys


class ReceiverFilter(KnownFilter):
    title = gettext_lazy("receiver")
    parameter_name = "receiver"
    known = RECEIVERS.keys


class DeliveryInline(NobodyWrites, BaseInline):
    model = Delivery
    fields = readonly_fields = ("receiver", "target", "status", "attempts", "due", "done_at")
    show_change_link = True
    extra = 0


@admin.register(Event)
class EventAdmin(LogAdmin):
    list_display = ("occurred_at", "name", "stream", "actor", "correlation_id")
    list_filter = (NameFilter, "occurred_at")
    ordering = ("-id",)
    inlines = (DeliveryInline,)
    readonly_fields = ("payload", "personal_data", "request", "chain")

    def get_fields(self, request: HttpRequest, obj: Event | None = None) -> Any:
        fields = ["uid", "name", "version", "occurred_at", "stream", "actor", "request", "payload", "chain"]
        if request.user.has_perm("events.read_personal_data"):
            fields.append("personal_data")
        return fields

    @admin.display(description=gettext_lazy("payload"))
    def payload(self, event: Event) -> SafeString:
        return _pretty(event.data)

    @admin.display(description=gettext_lazy("personal data"))
    def personal_data(self, event: Event) -> SafeString | str:
        return _pretty(event.personal) if event.personal else "-"

    @admin.display(description=gettext_lazy("request"))
    def request(self, event: Event) -> SafeString | str:
        address = f"{reverse('admin:events_event_changelist')}?q={event.correlation_id}"
        return format_html('<a href="{}">{}</a>', address, event.correlation_id) if event.correlation_id else "-"

    @admin.display(description=gettext_lazy("cause and effect"))
    def chain(self, event: Event) -> SafeString:
        found = chain_of(event)
        notes = [_("Earlier causes are not shown.")] if found.is_cut_above else []
        notes += [_("More came of it than is shown.")] if found.is_cut_below else []
        below = format_html_join("", '<p class="help">{}</p>', ((note,) for note in notes))
        return format_html('<ul class="chain">{}</ul>{}', _branch(found.first, event), below)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("events.replay_event")

    def get_urls(self) -> list[Any]:
        replay = self.admin_site.admin_view(require_POST(self.replay_view))
        return [path("<path:object_id>/replay/", replay, name="events_event_replay"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        event = self.get_object(request, object_id) if self.has_replay_permission(request) else None
        context = {"receivers": _hearing(event) if event else []}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

    def replay_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        event = self.get_object(request, object_id)
        if event is None:
            raise Http404
        if not (self.has_replay_permission(request) and self.has_view_permission(request, event)):
            raise PermissionDenied
        receiver = request.POST.get("receiver", "")
        try:
            replay_event(event_id=event.pk, receiver=receiver)
        except DomainError as refused:
            self.message_user(request, str(refused), messages.ERROR)
        else:
            self.message_user(request, _("Owed to %(receiver)s.") % {"receiver": receiver}, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:events_event_change", args=[event.pk]))


@admin.register(Delivery)
class DeliveryAdmin(LogAdmin):
    list_display = ("owed_to", "what", "listed_status", "attempts", "due", "done_at")
    list_filter = ("status", ReceiverFilter)
    list_select_related = ("event",)
    ordering = ("-id",)
    actions = ("retry_selected", "skip_selected")
    readonly_fields = ("what", "traceback")
    fields = (
        *("what", "receiver", "target", "status", "attempts", "max_attempts", "due", "done_at"),
        *("stream", "traceback"),
    )
    to_event = "event__"

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("events.retry_delivery")

    def has_skip_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("events.skip_delivery")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        allowed = {"may_retry": self.has_retry_permission(request), "may_skip": self.has_skip_permission(request)}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **allowed})

    @admin.display(description=gettext_lazy("receiver"))
    def owed_to(self, delivery: Delivery) -> SafeString | str:
        if not delivery.target:
            return delivery.receiver
        return format_html('{}<br><span class="help">{}</span>', delivery.receiver, delivery.target)

    @admin.display(description=gettext_lazy("status"))
    def listed_status(self, delivery: Delivery) -> SafeString:
        return format_html('<span class="badge badge-{}">{}</span>', delivery.status, delivery.get_status_display())

    @admin.display(description=gettext_lazy("event"))
    def what(self, delivery: Delivery) -> SafeString:
        return _link(delivery.event)

    @admin.display(description=gettext_lazy("last error"))
    def traceback(self, delivery: Delivery) -> SafeString | str:
        return format_html("<pre>{}</pre>", delivery.last_error) if delivery.last_error else "-"

    @admin.action(description=gettext_lazy("Retry dead letters"), permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        self._for_each(request, queryset, lambda pk: services.retry_delivery(delivery_id=pk), _("owed again"))

    @admin.action(description=gettext_lazy("Skip dead letters"), permissions=["skip"])
    def skip_selected(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse | None:
        reason = request.POST.get("reason")
        if reason is None:
            context = {
                **self.admin_site.each_context(request),
                "title": _("Skip dead letters"),
                "opts": self.opts,
                "deliveries": queryset.dead(),  # type: ignore[attr-defined]  # the manager's own QuerySet
                "reason_length": services.REASON_LENGTH,
            }
            return TemplateResponse(request, "admin/events/delivery/skip.html", context)
        self._for_each(
            request, queryset, lambda pk: services.skip_delivery(delivery_id=pk, reason=reason), _("skipped")
        )
        return None

    def _for_each(
        self, request: HttpRequest, queryset: QuerySet[Delivery], ask: Callable[[int], object], done: str
    ) -> None:
        """Ask it of each in a transaction of its own, and say what came of it."""
        succeeded, refusals = 0, []
        for pk in queryset.values_list("pk", flat=True):
            try:
                ask(pk)
                succeeded += 1
            except DomainError as refused:
                refusals.append(str(refused))
        if succeeded:
            counted = ngettext("%(count)d delivery: %(done)s", "%(count)d deliveries: %(done)s", succeeded)
            self.message_user(request, counted % {"count": succeeded, "done": done}, messages.SUCCESS)
        for refusal in refusals:
            self.message_user(request, refusal, messages.ERROR)


@admin.register(Receiver)
class ReceiverAdmin(NobodyWrites, BaseAdmin):
    """The receivers as one page that says at a glance what is owed, how old the oldest is, and what is dead."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = standings()
        context = {
            **self.admin_site.each_context(request),
            "title": capfirst(self.opts.verbose_name_plural),
            "opts": self.opts,
            "standings": found,
            "owed": sum(one.owed for one in found),
            "dead": sum(one.dead for one in found),
            "oldest_due": min((one.oldest_due for one in found if one.oldest_due and one.age), default=None),
            "most_counted": MOST_COUNTED,
            "deliveries": reverse("admin:events_delivery_changelist"),
        }
        return TemplateResponse(request, "admin/events/receiver/at_a_glance.html", context)


def _hearing(event: Event) -> list[str]:
    """Who hears events of this kind."""
    kind = EVENTS.get(event.name)
    return sorted(kind.signal.durable) if kind else []


def _branch(link: Link, shown: Event) -> SafeString:
    event = link.event
    name = format_html("<strong>{}</strong>", event.name) if event.pk == shown.pk else _link(event)
    below = format_html_join("", "{}", ((_branch(effect, shown),) for effect in link.effects))
    effects = format_html("<ul>{}</ul>", below) if below else ""
    when = date_format(timezone.localtime(event.occurred_at), "SHORT_DATETIME_FORMAT")
    return format_html("<li>{} <span>{} {}</span>{}</li>", name, event.stream, when, effects)


def _pretty(values: object) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(values, indent=2, ensure_ascii=False))


def _link(event: Model) -> SafeString:
    return format_html('<a href="{}">{}</a>', reverse("admin:events_event_change", args=[event.pk]), event)
