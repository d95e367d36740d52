"""The four groups, made after migrations; their rights are set when they are made, so that a shop may change them."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.db.models import Q

_APPS = ("catalog", "orders", "inventory", "events", "access", "webhooks")

_VIEW = Q(codename__startswith="view_", content_type__app_label__in=_APPS)

_BOOKSELLER = [
    "catalog.add_book",
    "catalog.change_book",
    "catalog.import_books",
    "orders.add_order",
    "orders.change_order",
    "orders.confirm_order",
    "orders.ship_order",
    "orders.cancel_order",
    "inventory.receive_copies",
    "inventory.adjust_stock",
    "inventory.resend_notification",
]

_INTEGRATION = [
    "catalog.add_book",
    "catalog.change_book",
    "catalog.import_books",
    "orders.add_order",
    "orders.change_order",
    "orders.confirm_order",
    "orders.cancel_order",
    "webhooks.view_webhook",
    "webhooks.add_webhook",
    "webhooks.change_webhook",
    "webhooks.delete_webhook",
]

_HIDDEN = Q(content_type__app_label__in=["access", "webhooks"])
"""Who holds which key, and who is told what at which address, is the managers' business."""


def _named(names: list[str]) -> Q:
    condition = Q(pk__in=[])
    for name in names:
        app_label, codename = name.split(".")
        condition |= Q(content_type__app_label=app_label, codename=codename)
    return condition


GROUPS: dict[str, Q] = {
    "Read-only": _VIEW & ~_HIDDEN,
    "Bookseller": (_VIEW & ~_HIDDEN) | _named(_BOOKSELLER),
    "Integration": (_VIEW & ~_HIDDEN) | _named(_INTEGRATION),
    "Manager": (
        Q(content_type__app_label__in=_APPS) & ~Q(codename__startswith="delete_")
        | _named(["webhooks.delete_webhook"])
        | (Q(content_type__app_label="auth", content_type__model__in=["user", "group"]) & ~_named(["auth.delete_user"]))
        | Q(content_type__app_label="staff")
    ),
}


def make_groups(*, using: str, **kwargs: Any) -> None:
    """Make the groups that are missing, with the permissions of all apps; Django makes those app by app, after this."""
    for config in apps.get_app_configs():
        create_permissions(config, using=using, verbosity=0)
    for name, rights in GROUPS.items():
        group, is_new = Group.objects.using(using).get_or_create(name=name)
        if is_new:
            group.permissions.set(Permission.objects.using(using).filter(rights))
