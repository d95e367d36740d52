import ipaddress

import pytest
from django.core.exceptions import ImproperlyConfigured

from bookshelf_site import environment


@pytest.fixture
def value(monkeypatch):
    return lambda given: monkeypatch.setenv("VALUE", given)


def test_a_text_that_is_unset_or_blank_takes_the_default(value):
    assert environment.text("VALUE", "default") == "default"
    value("  ")
    assert environment.text("VALUE", "default") == "default"
    value(" given ")
    assert environment.text("VALUE", "default") == "given"


@pytest.mark.parametrize(
    ("given", "meant"),
    [("1", True), ("true", True), ("YES", True), ("on", True), ("0", False), ("False", False), ("", False)],
)
def test_a_flag_is_read(value, given, meant):
    value(given)

    assert environment.flag("VALUE") is meant


def test_a_flag_that_is_neither_is_refused(value):
    value("maybe")

    with pytest.raises(ImproperlyConfigured, match=r"^VALUE is 'maybe', but it must be 1 or 0\.$"):
        environment.flag("VALUE")


@pytest.mark.parametrize(("given", "meant"), [("0", 0), ("72", 72), (" 5 ", 5), ("", 10)])
def test_a_whole_number_is_read(value, given, meant):
    value(given)

    assert environment.whole_number("VALUE", 10) == meant


@pytest.mark.parametrize("given", ["ten", "-1", "1.5", "1e3", "1001", "٣", "9" * 5000])
def test_a_number_that_is_not_whole_or_out_of_range_is_refused(value, given):
    value(given)

    with pytest.raises(ImproperlyConfigured, match="^VALUE is '.*', but it must be a whole number from 0 to 1000.$"):
        environment.whole_number("VALUE", 10, most=1000)


def test_the_first_choice_is_the_default(value):
    assert environment.one_of("VALUE", ["inline", "relay"]) == "inline"


def test_what_is_no_choice_is_refused(value):
    value("kafka")

    with pytest.raises(ImproperlyConfigured, match=r"^VALUE is 'kafka', but it must be one of inline, relay\.$"):
        environment.one_of("VALUE", ["inline", "relay"])


def test_an_empty_value_is_kept_where_the_pattern_allows_it(value):
    value("")

    assert environment.matching("VALUE", "x?", "x", default="x") == ""


def test_names_are_separated_by_commas(value):
    value("a.example, b.example,,")

    assert environment.names("VALUE") == ["a.example", "b.example"]


@pytest.mark.parametrize("given", ["*", ".example.com", "a.example,[::1]", "127.0.0.1", "A.example"])
def test_hosts_are_what_django_compares(value, given):
    value(given)

    assert environment.hosts("VALUE") == given.split(",")


@pytest.mark.parametrize(
    "given", ["https://a.example", "a.example:8000", "a.example b.example", "a.example/", "bücher.example"]
)
def test_a_host_that_no_request_would_match_is_refused(value, given):
    value(given)

    with pytest.raises(ImproperlyConfigured, match="^VALUE is '.*', but it must be host names separated by commas"):
        environment.hosts("VALUE")


@pytest.mark.parametrize("given", ["", "desk@example.com", "root@mailhost"])
def test_a_mailbox_is_one_address_or_none(value, given):
    value(given)

    assert environment.mailbox("VALUE") == given


@pytest.mark.parametrize(
    "given", ["desk", "a@b.example,c@d.example", "Desk <desk@example.com>", "a@b.example\nBcc: c@d.example"]
)
def test_what_is_not_one_address_is_refused(value, given):
    value(given)

    with pytest.raises(ImproperlyConfigured, match="^VALUE is '.*', but it must be one e-mail address"):
        environment.mailbox("VALUE")


@pytest.mark.parametrize(
    "given", ["bookshelf@localhost", "The Shop <shop@example.com>", '"Books, Ltd." <shop@example.com>']
)
def test_a_sender_may_have_a_name(value, given):
    value(given)

    assert environment.sender("VALUE", "") == given


def test_a_sender_without_an_address_is_refused(value):
    value("The Shop")

    with pytest.raises(ImproperlyConfigured, match="^VALUE is 'The Shop', but it must be one e-mail address"):
        environment.sender("VALUE", "")


def test_networks_are_addresses_and_ranges(value):
    value("10.0.0.0/8, ::1")

    assert environment.networks("VALUE") == [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128")]


@pytest.mark.parametrize("given", ["proxy.example", "10.0.0.1/8", "*"])
def test_what_is_no_network_is_refused(value, given):
    value(given)

    with pytest.raises(ImproperlyConfigured, match="^VALUE is '.*', but it must be addresses or networks"):
        environment.networks("VALUE")


@pytest.mark.parametrize("given", ["Europe/Atlantis", "../etc/passwd", "/etc/passwd", "Europe"])
def test_an_unknown_time_zone_is_refused(value, given):
    value(given)

    with pytest.raises(ImproperlyConfigured, match="such as Europe/Berlin"):
        environment.time_zone("VALUE", "UTC")


def test_the_sites_address_loses_its_last_slash(value):
    value("https://shop.example.com:8443/")

    assert environment.site_url("VALUE", "") == "https://shop.example.com:8443"


@pytest.mark.parametrize(
    "given",
    [
        "shop.example.com",
        "ftp://shop.example.com",
        "https://",
        "https://a/b",
        "https://a?b",
        "https://u@a",
        "https://a:x",
        "https://bücher.example",
    ],
)
def test_what_is_no_address_of_a_site_is_refused(value, given):
    value(given)

    with pytest.raises(ImproperlyConfigured, match=r"such as https://shop\.example\.com"):
        environment.site_url("VALUE", "")


def test_sqlite_is_durable_and_waits_its_turn(value):
    value("sqlite:////srv/shop.sqlite3")

    configured = environment.database("VALUE", "")

    assert configured["NAME"] == "/srv/shop.sqlite3"
    assert configured["OPTIONS"] == {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
    }


def test_postgresql_is_pooled_and_lets_go_of_a_frozen_worker(value):
    value("postgresql://shop:secret@db.example/books")

    configured = environment.database("VALUE", "")

    assert configured["HOST"] == "db.example"
    assert configured["CONN_HEALTH_CHECKS"] is True
    assert configured["OPTIONS"] == {
        "prepare_threshold": 1,
        "pool": {"min_size": 1, "max_size": 20, "timeout": 10},
        "options": "-c idle_in_transaction_session_timeout=15000 -c lock_timeout=10000",
    }


def test_what_a_database_url_says_for_itself_stands(value):
    value("postgresql://shop@db.example/books?sslmode=require&options=-c%20lock_timeout%3D1")

    options = environment.database("VALUE", "")["OPTIONS"]

    assert options["sslmode"] == "require"
    assert options["options"] == "-c lock_timeout=1"


def test_a_pooler_of_transactions_can_be_spared_prepared_statements(value):
    value("postgresql://shop@db.example/books?prepare_threshold=none")

    assert environment.database("VALUE", "")["OPTIONS"]["prepare_threshold"] is None


@pytest.mark.parametrize("given", ["mysql://u:secret@h/n", "oracle://u:secret@h/n", "banana:secret", "secret"])
def test_another_database_is_refused_without_showing_its_password(value, given):
    value(given)

    with pytest.raises(ImproperlyConfigured, match="it must be sqlite:///PATH or postgresql://") as refused:
        environment.database("VALUE", "")
    assert "secret" not in str(refused.value)


def test_mail_is_printed_unless_a_server_is_named():
    assert environment.mail("VALUE") == {"EMAIL_BACKEND": "bookshelf_site.printed_mail.EmailBackend"}


@pytest.mark.parametrize(
    ("given", "port", "use_ssl", "use_tls"),
    [
        ("smtp://shop:p%40ss@mail.example", 25, False, False),
        ("smtp://shop:p%40ss@mail.example/?tls=1", 587, False, True),
        ("smtp://shop:p%40ss@mail.example:2525/?tls=true", 2525, False, True),
        ("smtps://shop:p%40ss@mail.example", 465, True, False),
    ],
)
def test_a_mail_server_is_read_from_one_url(value, given, port, use_ssl, use_tls):
    value(given)

    assert environment.mail("VALUE") == {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": "mail.example",
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": "shop",
        "EMAIL_HOST_PASSWORD": "p@ss",
        "EMAIL_USE_SSL": use_ssl,
        "EMAIL_USE_TLS": use_tls,
    }


@pytest.mark.parametrize(
    "given", ["mail.example", "imap://u:secret@h", "smtp://", "smtp://u:secret@h:x", "smtp://u:secret@h?tls=perhaps"]
)
def test_what_is_no_mail_server_is_refused_without_showing_its_password(value, given):
    value(given)

    with pytest.raises(ImproperlyConfigured, match="^VALUE can't be read; it must be smtp://") as refused:
        environment.mail("VALUE")
    assert "secret" not in str(refused.value)
