"""How often a password may be guessed: django-axes counts in the database, for all processes together."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

TOO_MANY_REQUESTS = 429


def client_address(request: HttpRequest) -> str | None:
    """Where the request comes from, as TrustedProxyMiddleware has found out; a Unix socket has no address."""
    return request.META.get("REMOTE_ADDR") or None


def locked_out(request: HttpRequest, response: HttpResponse, credentials: dict[str, Any] | None) -> HttpResponse:
    """Instead of the answer: when this name may be tried again from here."""
    until = open_again(str((credentials or {}).get("username", "")), client_address(request))
    context = {**admin.site.each_context(request), "title": "", "until": timezone.localtime(until)}
    answer = render(request, "admin/locked_out.html", context, status=TOO_MANY_REQUESTS)
    answer.headers["Retry-After"] = str(max(1, math.ceil((until - timezone.now()).total_seconds())))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def open_again(username: str, address: str | None) -> datetime:
    """When a name that is locked at an address may be tried there again."""
    failed = AccessAttempt.objects.filter(username=username, ip_address=address).order_by("-attempt_time").first()
    return (failed.attempt_time if failed else timezone.now()) + settings.AXES_COOLOFF_TIME
