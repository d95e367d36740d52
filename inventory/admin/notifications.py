"""What was to be told to whom, and what came of its mail; one that went wrong can be sent again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from bookshelf_site.admin import ReadOnlyAdmin, short_time
from bookshelf_site.errors import DomainError
from inventory import notices
from inventory.models import Notification


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ("message", "kind", "audience", "listed_status", "order", "when", "sent")
    list_filter = ("kind", "audience", "status")
    list_per_page = 50
    search_fields = ("message",)
    ordering = ("-created_at", "-id")
    actions = ("send_again",)
    fields = ("message", "kind", "audience", "listed_status", "order", "when", "sent")
    change_form_template = "admin/inventory/notification/change_form.html"

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def listed_status(self, notification: Notification) -> str:
        label = notification.get_status_display()
        return format_html('<span class="badge badge-{}">{}</span>', notification.status, label)

    @admin.display(description=gettext_lazy("when"), ordering="created_at")
    def when(self, notification: Notification) -> str:
        return short_time(notification.created_at)

    @admin.display(description=gettext_lazy("sent"), ordering="sent_at")
    def sent(self, notification: Notification) -> str:
        return short_time(notification.sent_at)

    @admin.display(description=gettext_lazy("order"))
    def order(self, notification: Notification) -> str:
        if notification.order_id is None:
            return "–"
        page = reverse("admin:orders_order_change", args=[notification.order_id])
        return format_html('<a href="{}">{}</a>', page, _("open"))

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("inventory.resend_notification")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.send_again_view))
        return [path("<uuid:pk>/send_again/", view, name="inventory_notification_send_again"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        allowed = {"may_resend": self.has_resend_permission(request)}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **allowed})

    def send_again_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        notification = self.get_object(request, str(pk))
        if not (self.has_resend_permission(request) and self.has_view_permission(request, notification)):
            raise PermissionDenied
        if notification is None:
            raise Http404
        self._send_again(request, [notification])
        return HttpResponseRedirect(reverse("admin:inventory_notification_change", args=[pk]))

    @admin.action(description=gettext_lazy("Send again"), permissions=["resend"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Notification]) -> None:
        self._send_again(request, list(queryset.order_by("created_at", "id")))

    def _send_again(self, request: HttpRequest, notifications: list[Notification]) -> None:
        """Each in a transaction of its own, the oldest first; who asked is on the record, as an event."""
        asked, refusals = 0, set()
        for notification in notifications:
            try:
                notices.send_again(notification_id=notification.pk)
                asked += 1
            except DomainError as refused:
                refusals.add(str(refused))
        if asked:
            text = ngettext("%(count)d mail goes out again.", "%(count)d mails go out again.", asked)
            self.message_user(request, text % {"count": asked}, messages.SUCCESS)
        for refusal in refusals:
            self.message_user(request, refusal, messages.WARNING)
