"""The event core: nothing that happened is lost, and nothing takes effect twice.

This is what an app needs to describe and hear events; `aggregate`, `outbox`, `delivery` and `relay` hold the rest.
"""

from __future__ import annotations

from django.db import transaction

from bookshelf_site.events.context import acting, current_actor, current_context
from bookshelf_site.events.domain_event import DomainEvent, personal, upcasts
from bookshelf_site.events.failures import PermanentFailure, RetryAfter
from bookshelf_site.events.signals import DomainSignal
from bookshelf_site.events.triggers import erasing
from bookshelf_site.events.uid import uuid7

__all__ = [
    "DomainEvent",
    "DomainSignal",
    "PermanentFailure",
    "RetryAfter",
    "acting",
    "current_actor",
    "current_context",
    "erasing",
    "personal",
    "unit_of_work",
    "upcasts",
    "uuid7",
]

unit_of_work = transaction.atomic(savepoint=False)
"""One transaction for all that a service does; a service called by another joins it and costs no savepoint."""
