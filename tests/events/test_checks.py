import io
import tokenize
from ast import Constant, Expr, parse, walk
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from bookshelf_site.events import checks, relay
from bookshelf_site.events.checks import (
    check_engine,
    check_engine_is_installed,
    check_receivers_are_durable_or_say_that_they_are_not,
    check_rows_are_known,
    check_sqlite_is_immediate,
)
from bookshelf_site.events.models import Delivery, Event
from tests.events.happenings import Rang, ring

PROOF = ["delivery.py", "outbox.py", "relay.py"]


def test_an_engine_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setattr(settings, "EVENTS_ENGINE", "carrier pigeon")

    (error,) = check_engine(None)

    assert (error.id, error.hint) == ("events.E001", "one of inline, relay, celery")


@pytest.mark.parametrize("engine", ["inline", "relay", "celery"])
def test_an_engine_that_is_there_is_none(monkeypatch, engine):
    monkeypatch.setattr(settings, "EVENTS_ENGINE", engine)

    assert check_engine(None) == []


def test_an_engine_whose_package_is_there_is_no_error(monkeypatch):
    monkeypatch.setattr(settings, "EVENTS_ENGINE", "celery")

    assert check_engine_is_installed(None) == []


def test_an_engine_whose_package_is_missing_is_an_error_that_names_the_cure(monkeypatch):
    monkeypatch.setattr(settings, "EVENTS_ENGINE", "celery")
    monkeypatch.setattr(checks, "NEEDS", {"celery": "celery_that_nobody_has_installed"})

    (error,) = check_engine_is_installed(None)

    assert error.id == "events.E003"
    assert error.hint == "pip install '.[celery]', or choose another engine"


@pytest.fixture
def hears():
    """`hears("inventory.receivers")`: a receiver that this module connects without a dispatch_uid."""
    connected = []

    def connect(module, **options):
        def count_bells(sender, event, **kwargs):
            pass

        count_bells.__module__ = module
        Rang.signal.connect(count_bells, **options)
        connected.append(count_bells)
        return count_bells

    yield connect
    for function in connected:
        Rang.signal.disconnect(function)


def test_a_receiver_of_an_app_without_a_dispatch_uid_is_asked_about(hears):
    hears("inventory.receivers")

    (warning,) = check_receivers_are_durable_or_say_that_they_are_not(None)

    assert warning.id == "events.W002"
    assert warning.msg.startswith("inventory.receivers.")
    assert "count_bells hears tests.rang" in warning.msg


def test_a_receiver_that_says_best_effort_is_not_asked_about(hears):
    hears("inventory.receivers", best_effort=True)

    assert check_receivers_are_durable_or_say_that_they_are_not(None) == []


def test_a_receiver_that_is_gone_or_of_no_app_is_not_asked_about(hears):
    hears("a_module_of_no_app")
    Rang.signal.disconnect(hears("inventory.receivers"))

    assert check_receivers_are_durable_or_say_that_they_are_not(None) == []


def test_a_method_without_a_dispatch_uid_is_asked_about():
    class Clerk:
        def hear(self, sender, event, **kwargs):
            pass

    Clerk.hear.__module__ = "orders.receivers"
    clerk = Clerk()
    Rang.signal.connect(clerk.hear)

    (warning,) = check_receivers_are_durable_or_say_that_they_are_not(None)

    assert "Clerk.hear hears tests.rang" in warning.msg
    Rang.signal.disconnect(clerk.hear)
    assert check_receivers_are_durable_or_say_that_they_are_not(None) == []


def test_a_receiver_is_durable_or_best_effort(connect):
    with pytest.raises(ValueError, match="durable, not best effort"):
        connect(Rang, "tests.bell", best_effort=True)


@pytest.mark.django_db
@pytest.mark.usefixtures("ledger")
def test_rows_of_receivers_and_events_that_nobody_knows_are_named(connect):
    connect(Rang, "tests.bell", ordered=True)
    ring(1, 2)
    assert check_rows_are_known(None, databases=["default"]) == []
    Delivery.objects.update(receiver="tests.gone")
    happened = Event.of(Rang(number=3))
    happened.name = "tests.forgotten"
    happened.save()

    warnings = check_rows_are_known(None, databases=["default"])

    assert [warning.id for warning in warnings] == ["events.W003", "events.W004"]
    assert "'tests.gone'" in warnings[0].msg
    assert "'tests.forgotten'" in warnings[1].msg


@pytest.mark.django_db
@pytest.mark.usefixtures("ledger")
def test_looking_for_unknown_events_asks_for_each_name_and_not_for_each_event(connect, django_assert_num_queries):
    connect(Rang, "tests.bell", ordered=True)
    ring(1, 2, 3)

    with django_assert_num_queries(4):  # tables, deliveries, and the one name with none after it
        check_rows_are_known(None, databases=["default"])


def test_sqlite_begins_its_transactions_immediate(monkeypatch):
    databases = {
        "default": {"ENGINE": "django.db.backends.sqlite3"},
        "right": {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {"transaction_mode": "IMMEDIATE"}},
        "other": {"ENGINE": "django.db.backends.postgresql"},
    }
    monkeypatch.setattr(settings, "DATABASES", databases)

    assert [error.id for error in check_sqlite_is_immediate(None)] == ["events.E002"]


@pytest.mark.django_db
def test_the_projects_own_database_passes(capsys):
    call_command("check", database=["default"], fail_level="WARNING")

    assert "no issues" in capsys.readouterr().out


def test_the_part_that_carries_the_proof_fits_in_the_head():
    """Lines of code, without blank ones, comments and docstrings."""
    folder = Path(relay.__file__).parent

    assert sum(lines_of_code((folder / name).read_text()) for name in PROOF) <= 300


def lines_of_code(source):
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    lines = {n for t in tokens if t.type not in layout for n in range(t.start[0], t.end[0] + 1)}
    texts = [n for n in walk(parse(source)) if isinstance(n, Expr) and isinstance(n.value, Constant)]
    return len(lines - {n for text in texts for n in range(text.lineno, (text.end_lineno or 0) + 1)})
