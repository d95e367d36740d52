"""What every request passes: probes, proxies, request id, actor, headers."""

import ipaddress
import re
import time
import uuid
from collections.abc import Callable
from typing import Final

import structlog
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

from bookshelf_site import probes
from bookshelf_site.environment import Network
from bookshelf_site.events import acting

GetResponse = Callable[[HttpRequest], HttpResponseBase]

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
log = structlog.stdlib.get_logger("bookshelf.requests")


class HeadMiddleware:
    """Answers HEAD with the headers of GET alone: the server would complain in the log of each body that it drops.

    And 304 without a length: it would be that of what the client keeps (RFC 9110 §8.6), and CommonMiddleware says 0.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method == "HEAD":
            if isinstance(response, StreamingHttpResponse):
                response.streaming_content = []
            elif isinstance(response, HttpResponse):
                response.content = b""
        if response.status_code == 304:
            response.headers.pop("Content-Length", None)
        return response


class ProbeMiddleware:
    """Answers probes before the checks of host and HTTPS: an orchestrator asks by the pod's bare address."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = probes.PROBES.get(request.path_info)
        return probe(request) if probe else self.get_response(request)


class TrustedProxyMiddleware:
    """Believes X-Forwarded-For and X-Forwarded-Proto from TRUSTED_PROXIES; from anyone else they are dropped."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        forwarded_for = request.META.pop("HTTP_X_FORWARDED_FOR", "")
        if not is_trusted(request.META.get("REMOTE_ADDR", "")):
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        else:
            request.META["REMOTE_ADDR"] = client_address(request.META["REMOTE_ADDR"], forwarded_for)
        return self.get_response(request)


def is_trusted(address: str) -> bool:
    trusted: list[Network] = settings.TRUSTED_PROXIES
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return any(ip in network for network in trusted)


def client_address(peer: str, forwarded_for: str) -> str:
    """Read from the right: what stands left of the first untrusted address may be invented by the client."""
    address = peer
    for hop in reversed(forwarded_for.split(",")):
        if not is_trusted(address):
            break
        try:
            address = str(ipaddress.ip_address(hop.strip()))
        except ValueError:
            break
    return address


class RequestContextMiddleware:
    """Gives each request an id, which its events, its log lines and its answer carry."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        request_id = given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
        started = time.perf_counter()
        with acting(correlation_id=request_id), structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
            log.info(
                "request",
                method=request.method,
                path=request.path,
                status=response.status_code,
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
            )
        response.headers["X-Request-ID"] = request_id
        return response


class LanguageMiddleware(LocaleMiddleware):
    """Speaks to customers as their browser asks, to staff and programs in English: nothing is half translated."""

    def process_request(self, request: HttpRequest) -> None:
        if _is_for_customers(request):
            super().process_request(request)
            return
        translation.activate(settings.LANGUAGE_CODE)
        request.LANGUAGE_CODE = settings.LANGUAGE_CODE

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if _is_for_customers(request):
            response = super().process_response(request, response)
        else:
            response.headers.setdefault("Content-Language", settings.LANGUAGE_CODE)
        translation.deactivate()  # what the thread does next is another's
        return response


def _is_for_customers(request: HttpRequest) -> bool:
    return not request.path_info.startswith(("/admin/", "/api/", "/docs/"))


class ActorMiddleware:
    """Names the member of staff behind a request; needs the user, so it comes after authentication."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Whoever sends no session cookie is nobody: API calls and customers cost no query.
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or not request.user.is_authenticated:
            return self.get_response(request)
        with acting(actor=f"user:{request.user.get_username()}"):
            return self.get_response(request)


class PolicyMiddleware:
    """Tells browsers what a page may load and do; it is the same for all of them, so it is written once.

    They use no camera, no place, no payment: no script that got in may either.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.policies = {"Content-Security-Policy": build_policy(), "Permissions-Policy": settings.PERMISSIONS_POLICY}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        # what Django shows a developer of a failure brings its styles within
        if not settings.DEBUG or response.status_code not in {404, 500}:
            for name, policy in self.policies.items():
                response.headers.setdefault(name, policy)
        return response
