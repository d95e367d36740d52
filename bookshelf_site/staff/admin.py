"""The managers' door to who works here and what they may."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from bookshelf_site.admin import DeskAdmin, ReadOnlyAdmin, short_time
from bookshelf_site.staff import rights, two_factor
from bookshelf_site.staff.errors import NoManagerLeft
from bookshelf_site.staff.models import FailedLogin

# Their own pages show secrets; here a lost device is removed on its user's page, and never looked at.
admin.site.unregister([User, Group, StaticDevice, TOTPDevice])


class SomebodyManagesAdmin(DeskAdmin):
    """Writes nothing after which nobody could look after users and groups."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        if request.method != "POST":
            return super().changeform_view(request, object_id, form_url, extra_context)
        try:
            with rights.somebody_manages():
                return super().changeform_view(request, object_id, form_url, extra_context)
        except NoManagerLeft as refused:
            return self._refused(request, refused)

    def _refused(self, request: HttpRequest, refused: NoManagerLeft) -> HttpResponse:
        self.message_user(request, str(refused), messages.ERROR)
        return HttpResponseRedirect(request.path)


@admin.register(User)
class StaffAdmin(SomebodyManagesAdmin, UserAdmin):  # type: ignore[type-arg]  # generic to the checker only
    """Who works here. A user is never deleted, for the log names them: one who leaves is made inactive."""

    list_display = ("username", "full_name", "is_active", "is_staff", "groups_in_words", "has_two_factor", "seen")
    list_filter = ("is_active", "is_staff", "groups")
    list_select_related = False
    change_form_template = "admin/staff/user/change_form.html"
    search_help_text = gettext_lazy("Name or e-mail")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups", "totpdevice_set")

    @admin.display(description=gettext_lazy("name"))
    def full_name(self, user: User) -> str:
        return user.get_full_name() or "–"

    @admin.display(description=gettext_lazy("groups"))
    def groups_in_words(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all()) or "–"

    @admin.display(description=gettext_lazy("two-factor"), boolean=True)
    def has_two_factor(self, user: Any) -> bool:
        return any(device.confirmed for device in user.totpdevice_set.all())

    @admin.display(description=gettext_lazy("last login"))
    def seen(self, user: User) -> str:
        return short_time(user.last_login)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only who may do everything makes others so, or gives them single rights."""
        if obj is None:
            return super().get_fieldsets(request, obj)
        what = ["is_active", "is_staff", "groups"]
        if request.user.is_superuser:
            what += ["is_superuser", "user_permissions"]
        # of a password there is nothing to see, and only who may reset it finds the button there
        name = ["username", "password"] if self.has_change_permission(request, obj) else ["username"]
        return [
            (None, {"fields": name}),
            (gettext_lazy("Person"), {"fields": [("first_name", "last_name"), "email"]}),
            (gettext_lazy("What they may do"), {"fields": what}),
        ]

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "groups":
            # what somebody is in stays to be chosen, or to save the form would take it away
            given = request.resolver_match.kwargs.get("object_id") or 0
            field.queryset = rights.groups_to_give(request.user) | Group.objects.filter(user=int(given))
            field.queryset = field.queryset.distinct().order_by("name")
            field.help_text = _("You can give what you may do yourself.")
        return field

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        user = cast("User", request.user)
        return super().has_change_permission(request, obj) and (obj is None or rights.may_look_after(user, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:  # noqa: A002  # Django's signature
        """Also by taking the password away somebody may be locked out."""
        if request.method != "POST":
            return super().user_change_password(request, id, form_url)
        try:
            with rights.somebody_manages():
                return super().user_change_password(request, id, form_url)
        except NoManagerLeft as refused:
            return self._refused(request, refused)

    # Lost phones

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.two_factor_view)
        return [path("<int:user_id>/two_factor/", view, name="auth_user_two_factor"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        user = kwargs.get("obj")
        context["can_turn_two_factor_off"] = bool(
            user and two_factor.is_on(user) and self.has_change_permission(request, user)
        )
        return super().render_change_form(request, context, *args, **kwargs)

    def two_factor_view(self, request: HttpRequest, user_id: int) -> HttpResponse:
        """Let somebody in without their lost phone; its secret is shown to nobody."""
        user = get_object_or_404(User, pk=user_id)
        if not self.has_change_permission(request, user):
            raise PermissionDenied
        if request.method == "POST":
            two_factor.remove(user, by=cast("User", request.user))
            self.message_user(request, _("%(user)s logs in by the password alone again.") % {"user": user})
            return HttpResponseRedirect(reverse("admin:auth_user_change", args=[user.pk]))
        return self.show_page(
            request,
            "admin/staff/user/two_factor.html",
            _("Turn two-factor login off"),
            subtitle=str(user),
            original=user,
            form=Form(),
        )


@admin.register(Group)
class RightsAdmin(SomebodyManagesAdmin, GroupAdmin):
    """What those in a group may do."""

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if field is not None and db_field.name == "permissions":
            field.queryset = rights.rights_to_give(request.user)
            field.help_text = _("You can give what you may do yourself.")
        return field

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_give(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_give(request, obj)

    def _may_give(self, request: HttpRequest, group: Group | None) -> bool:
        return group is None or rights.may_give(cast("User", request.user), group)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        if request.method != "POST":
            return super().delete_view(request, object_id, extra_context)
        try:
            with rights.somebody_manages():
                return super().delete_view(request, object_id, extra_context)
        except NoManagerLeft as refused:
            return self._refused(request, refused)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """One at a time, on its own page, where it is said what hangs on it."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}


@admin.register(FailedLogin)
class FailedLoginAdmin(ReadOnlyAdmin):
    """Who has to wait because of wrong passwords, and from where they came."""

    list_display = ("username", "ip_address", "failures_since_start", "last_failure", "locked")
    list_display_links = None
    ordering = ("-attempt_time",)
    search_fields = ("username", "ip_address")
    actions = ("unlock",)

    @admin.display(description=gettext_lazy("last failure"))
    def last_failure(self, failed: FailedLogin) -> str:
        return short_time(failed.attempt_time)

    @admin.display(description=gettext_lazy("has to wait"), boolean=True)
    def locked(self, failed: FailedLogin) -> bool:
        return failed.is_locked

    def has_unlock_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("staff.unlock_login")

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """There is no more to see than in the list, and what was typed is nobody's business."""
        raise PermissionDenied

    history_view = change_view

    @admin.action(description=gettext_lazy("Let the selected logins try again now"), permissions=["unlock"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[FailedLogin]) -> None:
        for failed in queryset:
            rights.unlock(failed)
        self.message_user(request, _("They may try again now."), messages.SUCCESS)
