import ipaddress
import re

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import RequestFactory

from bookshelf_site import middleware
from bookshelf_site.events import current_actor, current_context


@pytest.fixture
def seen():
    return {}


@pytest.fixture
def view(seen):
    def view(request):
        seen.update(
            address=request.META["REMOTE_ADDR"],
            proto=request.META.get("HTTP_X_FORWARDED_PROTO"),
            forwarded=request.META.get("HTTP_X_FORWARDED_FOR"),
            actor=current_actor(),
            correlation_id=current_context().correlation_id,
        )
        return HttpResponse()

    return view


def request(**headers):
    return RequestFactory().get("/", **headers)


def test_a_request_id_is_answered_and_carried_to_events(view, seen):
    response = middleware.RequestContextMiddleware(view)(request(HTTP_X_REQUEST_ID="till-7.a_b"))

    assert response["X-Request-ID"] == "till-7.a_b"
    assert seen["correlation_id"] == "till-7.a_b"
    assert current_context().correlation_id == ""


@pytest.mark.parametrize("given", ["", "a b", "a\nb", "x" * 65, "ä", "<script>"])
def test_a_request_id_that_is_none_is_replaced(view, seen, given):
    response = middleware.RequestContextMiddleware(view)(request(HTTP_X_REQUEST_ID=given))

    assert re.fullmatch("[0-9a-f-]{36}", response["X-Request-ID"])
    assert seen["correlation_id"] == response["X-Request-ID"]


def test_a_request_leaves_one_line_in_the_log(view, caplog):
    with caplog.at_level("INFO", logger="bookshelf.requests"):
        middleware.RequestContextMiddleware(view)(request())

    [record] = [record for record in caplog.records if record.name == "bookshelf.requests"]
    assert record.msg["event"] == "request"
    assert (record.msg["method"], record.msg["path"], record.msg["status"]) == ("GET", "/", 200)


@pytest.mark.django_db
def test_staff_who_are_logged_in_are_the_actor(view, seen, client, django_user_model):
    user = django_user_model.objects.create_user("bea")
    asked = request()
    asked.COOKIES["sessionid"], asked.user = "any", user

    middleware.ActorMiddleware(view)(asked)

    assert seen["actor"] == "user:bea"
    assert current_actor() == ""


def test_a_stranger_is_nobody(view, seen):
    asked = request()
    asked.COOKIES["sessionid"], asked.user = "any", AnonymousUser()

    middleware.ActorMiddleware(view)(asked)

    assert seen["actor"] == ""


def test_without_a_session_nobody_asks_who_it_is(view, seen):
    middleware.ActorMiddleware(view)(request())  # has no `user` at all

    assert seen["actor"] == ""


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("::ffff:10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
    ],
)
def test_a_trusted_proxy_is_believed(view, seen, settings, peer, forwarded_for, client):
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("10.0.0.0/8")]

    middleware.TrustedProxyMiddleware(view)(
        request(REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded_for, HTTP_X_FORWARDED_PROTO="https")
    )

    assert (seen["address"], seen["proto"]) == (client, "https")


@pytest.mark.parametrize("trusted", [[], [ipaddress.ip_network("10.0.0.0/8")]])
@pytest.mark.parametrize("peer", ["203.0.113.7", ""])
def test_anyone_else_is_not(view, seen, settings, trusted, peer):
    settings.TRUSTED_PROXIES = trusted

    middleware.TrustedProxyMiddleware(view)(
        request(REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR="10.0.0.1", HTTP_X_FORWARDED_PROTO="https")
    )

    assert (seen["address"], seen["proto"], seen["forwarded"]) == (peer, None, None)


@pytest.mark.django_db
def test_every_page_carries_the_policy(client):
    response = client.get("/admin/login/")

    assert sorted(response.headers["Content-Security-Policy"].split("; ")) == [
        "base-uri 'none'",
        "connect-src 'self'",
        "default-src 'none'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "img-src 'self' data:",
        "script-src 'self'",
        "style-src 'self'",
    ]


@pytest.mark.django_db
def test_every_page_carries_the_protective_headers(client):
    response = client.get("/admin/login/")

    assert response.status_code == 200
    assert {
        name: response.headers[name]
        for name in (
            "Cross-Origin-Opener-Policy",
            "Permissions-Policy",
            "Referrer-Policy",
            "X-Content-Type-Options",
            "X-Frame-Options",
        )
    } == {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


def test_search_engines_are_kept_out(client):
    response = client.get("/robots.txt")

    assert b"".join(response.streaming_content) == b"User-agent: *\nDisallow: /\n"


def test_an_unknown_host_is_refused(client):
    assert client.get("/admin/login/", HTTP_HOST="evil.example").status_code == 400


def test_an_https_site_sends_http_there(client, settings):
    settings.SECURE_SSL_REDIRECT = True

    response = client.get("/admin/login/")

    assert (response.status_code, response["Location"]) == (301, "https://testserver/admin/login/")
