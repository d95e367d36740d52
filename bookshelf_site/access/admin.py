"""The API keys' door for staff: a key is shown once, when it is made."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bookshelf_site.access import services
from bookshelf_site.access.models import ApiKey, ApiKeyQuerySet
from bookshelf_site.admin import ServiceAdmin, ServiceForm
from bookshelf_site.errors import DomainError, InvalidValue
from bookshelf_site.staff.rights import may_give, may_look_after

SECRET = "bookshelf.api_key"  # noqa: S105  # the name under which it is handed on


class ApiKeyForm(ServiceForm):
    name = forms.CharField(max_length=100, help_text=gettext_lazy("who uses it, such as “till”"))
    group = forms.ModelChoiceField(Group.objects.order_by("name"), help_text=gettext_lazy("what it may do"))
    expires_in_days = forms.IntegerField(
        min_value=1, max_value=3650, required=False, help_text=gettext_lazy("empty: until it is revoked")
    )


@admin.register(ApiKey)
class ApiKeyAdmin(ServiceAdmin):
    form = ApiKeyForm
    list_display = ("name", "shown_prefix", "groups", "state", "created_at", "expires_at", "last_used_at")
    list_select_related = ("account",)
    search_fields = ("name", "prefix")
    ordering = ("-created_at", "-id")
    actions = ("rotate", "rotate_with_overlap", "revoke")

    def get_queryset(self, request: HttpRequest) -> ApiKeyQuerySet:
        keys = cast("ApiKeyQuerySet", super().get_queryset(request))
        return keys.prefetch_related("account__groups")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ["name", "group", "expires_in_days"]
        return ["name", "shown_prefix", "account", "groups", "state", "created_at", "expires_at", "last_used_at"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Nothing of a key can be edited; the right to change it is the right to rotate and to revoke it.
        return obj is None and super().has_change_permission(request)

    @admin.display(description=gettext_lazy("key"))
    def shown_prefix(self, key: ApiKey) -> str:
        return f"bs_{key.prefix}_…"

    @admin.display(description=gettext_lazy("groups"))
    def groups(self, key: ApiKey) -> str:
        return ", ".join(group.name for group in key.account.groups.all())

    @admin.display(description=gettext_lazy("state"))
    def state(self, key: ApiKey) -> str:
        return str(key.state.label)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's signature
        days, group = form.cleaned_data["expires_in_days"], form.cleaned_data["group"]
        if not may_give(cast("User", request.user), group):
            raise InvalidValue("group", "it may do more than you, and nobody gives away rights that they lack")
        key, request.META[SECRET] = services.create_api_key(
            name=form.cleaned_data["name"],
            group=group,
            expires_in=timedelta(days=days) if days else None,
        )
        obj.pk = key.pk
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> Any:
        return self._shown_once(request, obj, request.META[SECRET])

    def _shown_once(self, request: HttpRequest, key: ApiKey, secret: str) -> TemplateResponse:
        """Show the key in this answer and nowhere else: a message would be kept in a cookie or the session."""
        template = "admin/access/apikey/created.html"
        return self.show_page(request, template, _("Your new API key"), subtitle=key.name, key=secret)

    @admin.action(description=gettext_lazy("Rotate the selected key: the old one ends now"), permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: ApiKeyQuerySet) -> TemplateResponse | None:
        return self._rotated(request, queryset, timedelta(0))

    @admin.action(
        description=gettext_lazy("Rotate the selected key: the old one ends in a day"), permissions=["change"]
    )
    def rotate_with_overlap(self, request: HttpRequest, queryset: ApiKeyQuerySet) -> TemplateResponse | None:
        return self._rotated(request, queryset, timedelta(days=1))

    def _rotated(self, request: HttpRequest, queryset: ApiKeyQuerySet, overlap: timedelta) -> TemplateResponse | None:
        """The successor, shown once; one key at a time, for there is one page to copy it from."""
        if len(keys := list(queryset[:2])) != 1:
            self.message_user(request, _("Select one key: its successor is shown once."), messages.ERROR)
            return None
        (old,) = keys
        if not may_look_after(cast("User", request.user), old.account):
            self.message_user(request, _("This key may do more than you: its successor is not yours."), messages.ERROR)
            return None
        try:
            key, secret = services.rotate_api_key(key_id=old.pk, overlap=overlap)
        except DomainError as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return None
        self.log_change(request, old, _("Rotated"))
        return self._shown_once(request, key, secret)

    @admin.action(description=gettext_lazy("Revoke the selected keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: ApiKeyQuerySet) -> None:
        self.attempt(request, queryset, lambda key: services.revoke_api_key(key_id=key.pk), _("revoked"))
