"""The site's own pages: what runs here, and what is said when something goes wrong."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseServerError
from django.shortcuts import render
from django.template import loader
from django.views.decorators.http import require_safe

from bookshelf_site.problems import CODES, refused_unread


def shop(request: HttpRequest | None) -> dict[str, str]:
    """What every page may say of the shop."""
    return {"shop_name": settings.SHOP_NAME, "shop_contact": settings.SHOP_CONTACT}


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    return render(request, "landing.html")


@require_safe
def problems(request: HttpRequest) -> HttpResponse:
    """Every problem that the API may answer with."""
    return render(request, "problems.html", {"problems": CODES.items()})


@require_safe
def problem(request: HttpRequest, code: str) -> HttpResponse:
    """The page to which the `type` of a problem leads (RFC 9457 §3.1.1)."""
    if code not in CODES:
        raise Http404
    return render(request, "problem.html", {"code": code, "problem": CODES[code]})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path_info.startswith("/api/"):
        return refused_unread(request, exception)
    if isinstance(exception, RequestDataTooBig):
        return render(request, "413.html", status=413)
    return render(request, "400.html", status=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "403.html", status=403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Without the request: whatever is broken, database and session included, can't break this page too."""
    return HttpResponseServerError(loader.get_template("500.html").render(shop(None)))
