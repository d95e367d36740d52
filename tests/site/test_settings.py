"""Each setting is tried in a process of its own, as an operator would start it."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.heavy("sqlite")

SECRET_KEY = "for the tests only, and long enough for every check of Django's"


def manage(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": "sqlite://:memory:", **environment},
        capture_output=True,
        text=True,
        timeout=180,
    )


def configured(*names, **environment):
    code = (
        f"import json; from bookshelf_site import settings; print(json.dumps([vars(settings)[n] for n in {names!r}]))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"DATABASE_URL": "sqlite://:memory:", "SECRET_KEY": SECRET_KEY, **environment},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_starting_without_a_secret_key_is_refused_in_one_sentence():
    ran = manage("check")

    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr == (
        "SECRET_KEY is not set: set it to a long random string that you keep to yourself, or DEBUG=1 for development.\n"
    )


def test_a_database_that_refuses_is_no_drift():
    ran = manage("check_events", SECRET_KEY=SECRET_KEY)

    assert ran.returncode == 2
    assert ran.stderr.startswith("The database of DATABASE_URL refuses: no such table")
    assert "Traceback" not in ran.stderr
    assert "Traceback" in manage("check_events", "--traceback", SECRET_KEY=SECRET_KEY).stderr


def test_a_secret_key_or_debug_is_enough_to_start():
    assert manage("check", SECRET_KEY=SECRET_KEY).returncode == 0
    assert manage("check", DEBUG="1").returncode == 0


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("OPENING_STOCK", "ten", "a whole number from 0 to 1000000"),
        ("PORT", "80 80", "a whole number from 1 to 65535"),
        ("DEBUG", "maybe", "1 or 0"),
        ("EVENTS_ENGINE", "kafka", "one of inline, relay, celery"),
        ("LOG_FORMAT", "xml", "one of console, json"),
        ("SHOP_CURRENCY", "euro", "a currency's three-letter code, such as EUR"),
        ("API_RATE_LIMIT", "lots", "a number per s, m, h or d, such as 6000/m, or empty"),
        ("PORT", "0", "a whole number from 1 to 65535"),
        (
            "ALLOWED_HOSTS",
            "https://a.example",
            "host names separated by commas, without https:// and port, such as shop.example.com",
        ),
        ("STAFF_EMAIL", "desk", "one e-mail address, such as shop@example.com"),
        ("DEFAULT_FROM_EMAIL", "The Shop", "one e-mail address, such as shop@example.com"),
        ("TIME_ZONE", "Mars", "a time zone of the IANA database, such as Europe/Berlin"),
        ("PUBLIC_URL", "shop", "the address that customers see, such as https://shop.example.com"),
    ],
)
def test_a_bad_value_is_refused_with_what_would_be_right(name, value, right):
    ran = manage("check", SECRET_KEY=SECRET_KEY, **{name: value})

    assert (ran.returncode, ran.stderr) == (2, f"{name} is {value!r}, but it must be {right}.\n")


def test_celery_without_a_broker_is_refused():
    ran = manage("check", SECRET_KEY=SECRET_KEY, EVENTS_ENGINE="celery")

    assert ran.returncode == 2
    assert "CELERY_BROKER_URL" in ran.stderr


def test_an_https_address_passes_every_deployment_check():
    ran = manage(
        "check", "--deploy", "--fail-level=WARNING", SECRET_KEY=SECRET_KEY, PUBLIC_URL="https://shop.example.com"
    )

    assert ran.returncode == 0, ran.stderr


def test_an_https_address_closes_every_door_to_http():
    assert configured(
        "ALLOWED_HOSTS",
        "CSRF_TRUSTED_ORIGINS",
        "SECURE_SSL_REDIRECT",
        "SECURE_HSTS_SECONDS",
        "SESSION_COOKIE_SECURE",
        "CSRF_COOKIE_SECURE",
        "SECURE_PROXY_SSL_HEADER",
        PUBLIC_URL="https://shop.example.com",
    ) == [["shop.example.com"], ["https://shop.example.com"], True, 31536000, True, True, None]


def test_a_local_address_is_served_plainly_under_its_local_names():
    assert configured(
        "PUBLIC_URL",
        "ALLOWED_HOSTS",
        "SECURE_SSL_REDIRECT",
        "SECURE_HSTS_SECONDS",
        "SESSION_COOKIE_SECURE",
        PORT="8080",
    ) == ["http://127.0.0.1:8080", ["127.0.0.1", "localhost", "[::1]"], False, 0, False]


def test_allowed_hosts_may_be_said_outright():
    assert configured("ALLOWED_HOSTS", ALLOWED_HOSTS="a.example,b.example") == [["a.example", "b.example"]]


def test_the_forwarded_scheme_counts_only_where_a_proxy_is_trusted():
    assert configured("SECURE_PROXY_SSL_HEADER", TRUSTED_PROXIES="10.0.0.0/8") == [["HTTP_X_FORWARDED_PROTO", "https"]]


def test_a_shop_has_sensible_defaults():
    assert configured(
        "SHOP_NAME",
        "SHOP_CURRENCY",
        "OPENING_STOCK",
        "LOW_STOCK_THRESHOLD",
        "PENDING_ORDER_HOURS",
        "API_RATE_LIMIT",
        "EVENTS_ENGINE",
        "WEBHOOKS_ALLOW_PRIVATE",
        "TIME_ZONE",
        "DEBUG",
    ) == ["Bookshelf", "USD", 10, 3, 72, "6000/m", "inline", False, "UTC", False]


def test_an_empty_rate_limit_turns_it_off():
    assert configured("API_RATE_LIMIT", API_RATE_LIMIT="") == [""]


def test_the_policy_for_pages_allows_nothing_unsafe_and_no_other_host():
    [policy] = configured("CONTENT_SECURITY_POLICY")

    directives = policy["DIRECTIVES"]
    assert directives["default-src"] == ["'none'"]
    assert {source for sources in directives.values() for source in sources} == {"'none'", "'self'", "data:"}
