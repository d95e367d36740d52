import json
import signal
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from bookshelf_site.events import PermanentFailure
from bookshelf_site.events.models import Delivery, Event, Receiver
from tests.events.happenings import Rang, delivery_to, effects, ring

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def by_relay(settings):
    settings.EVENTS_ENGINE = "relay"


@pytest.fixture
def check(capsys):
    """What `check_events` finds, and how it exits."""

    def check():
        exit_code = 0
        try:
            call_command("check_events", as_json=True)
        except CommandError as error:
            exit_code = error.returncode
        return exit_code, json.loads(capsys.readouterr().out)

    return check


def test_relay_once_delivers_what_is_owed(connect, by_relay):
    connect(Rang, "tests.first")
    ring(1, 2)

    call_command("relay", once=True)

    assert effects() == [("tests.first", 1), ("tests.first", 2)]


def test_relay_once_says_what_is_left(connect, by_relay):
    connect(Rang, "tests.dead", dies)
    connect(Rang, "tests.later")
    ring(1)
    Delivery.objects.filter(receiver="tests.later").update(due=timezone.now() + timedelta(hours=1))

    with pytest.raises(CommandError, match="1 deliveries are pending, 1 are dead") as refused:
        call_command("relay", once=True)

    assert refused.value.returncode == 1


def dies(sender, event, **kwargs):
    raise PermanentFailure


def test_relay_leaves_the_handlers_of_signals_as_they_were():
    before = signal.getsignal(signal.SIGTERM)

    call_command("relay", once=True)

    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("batch", ["0", "-1", "many", "1.5"])
def test_relay_refuses_a_batch_that_is_none(batch):
    with pytest.raises(CommandError, match="is no whole number from 1"):
        call_command("relay", "--once", f"--batch={batch}")


def test_nothing_is_wrong_where_everybody_was_told(connect, check):
    connect(Rang, "tests.first")
    Receiver.objects.create(uid="tests.first", since=LONG_AGO, owed_after=0)
    ring(1)

    assert check() == (
        0,
        {"ok": True, "owed": 0, "oldest": None, "overdue": 0, "dead": {}, "unknown": {}, "missing": {}},
    )


def test_what_is_owed_is_well_while_it_is_not_overdue(connect, by_relay, check):
    connect(Rang, "tests.first")
    ring(1)

    exit_code, report = check()

    assert (exit_code, report["owed"], report["overdue"]) == (0, 1, 0)
    assert report["oldest"] == delivery_to("tests.first").due.isoformat()


def test_what_is_overdue_by_a_minute_is_wrong(connect, by_relay, check):
    connect(Rang, "tests.first")
    ring(1)
    Delivery.objects.update(due=timezone.now() - timedelta(seconds=61))

    exit_code, report = check()

    assert (exit_code, report["ok"], report["overdue"]) == (1, False, 1)


def test_a_dead_letter_is_wrong(connect, check):
    connect(Rang, "tests.dead", dies)
    ring(1, 2)

    exit_code, report = check()

    assert (exit_code, report["dead"]) == (1, {"tests.dead": 2})


def test_what_only_other_code_can_deliver_is_named(connect, by_relay, check):
    connect(Rang, "tests.first")
    ring(1)
    Rang.signal.disconnect(dispatch_uid="tests.first")

    exit_code, report = check()

    assert (exit_code, report["unknown"]) == (0, {"tests.first": 1})


def test_an_event_of_which_a_receiver_was_not_told_is_wrong(connect, check):
    ring(1)
    connect(Rang, "tests.new")
    Receiver.objects.create(uid="tests.new", since=LONG_AGO, owed_after=0)
    ring(2)

    exit_code, report = check()

    assert (exit_code, report["missing"]) == (1, {"tests.new": 1})


def test_nobody_is_owed_what_happened_before_it_was_there_or_was_pruned(connect, check):
    ring(1)
    connect(Rang, "tests.new")
    Receiver.objects.create(uid="tests.new", since=LONG_AGO, owed_after=Event.objects.get().pk)

    assert check()[0] == 0


def test_a_person_reads_what_is_wrong(connect, capsys):
    connect(Rang, "tests.dead", dies)
    ring(1)

    with pytest.raises(CommandError, match=r"1 dead \(tests\.dead: 1\)\."):
        call_command("check_events")

    assert capsys.readouterr().out == "owed: 0\noldest due: nothing\ndead: tests.dead 1\n"


# What operates the log


@pytest.fixture
def ask(capsys):
    """`ask("replay", "tests.new", "--again")`: what a program reads."""

    def ask(*arguments):
        call_command(*arguments, "--json")
        return json.loads(capsys.readouterr().out)

    return ask


@pytest.fixture
def missed(connect):
    """`tests.new` was never told of an event."""
    ring(1)
    connect(Rang, "tests.new", repeatable=True)
    Receiver.objects.create(uid="tests.new", since=LONG_AGO, owed_after=0)


def test_reconcile_tells_first_and_does_then(missed, ask, check):
    assert ask("reconcile", "--dry-run") == {"dry_run": True, "owed": {"tests.new": 1}}
    assert check()[0] == 1
    assert ask("reconcile") == {"dry_run": False, "owed": {"tests.new": 1}}
    assert ask("reconcile") == {"dry_run": False, "owed": {}}
    assert check()[0] == 0


def test_replay_tells_first_and_does_then(missed, ask):
    assert ask("replay", "tests.new", "--dry-run") == {"dry_run": True, "made": 1, "reopened": 0}
    assert not Delivery.objects.exists()
    assert ask("replay", "tests.new") == {"dry_run": False, "made": 1, "reopened": 0}
    call_command("relay", once=True)
    assert ask("replay", "tests.new", "--again", "--dry-run") == {"dry_run": True, "made": 0, "reopened": 1}
    assert ask("replay", "tests.new", "--again") == {"dry_run": False, "made": 0, "reopened": 1}
    call_command("relay", once=True)

    assert effects() == [("tests.new", 1)] * 2
    assert set(Event.objects.filter(name="events.receiver_replayed").values_list("actor", flat=True)) == {
        "command:replay"
    }


@pytest.mark.parametrize("since", ["2020-01-01", "2020-01-01T10:00", "2020-01-01T10:00Z", "2020-01-01T10:00+02:00"])
def test_replay_takes_a_day_or_a_moment(missed, ask, since):
    assert ask("replay", "tests.new", f"--since={since}")["made"] == 1


def test_replay_leaves_out_what_happened_before(missed, ask):
    assert ask("replay", "tests.new", "--since=2100-01-01")["made"] == 0


@pytest.mark.parametrize("since", ["yesterday", "2020-13-01", "2020-01-01T25:00", ""])
def test_replay_refuses_what_is_no_moment(missed, since):
    with pytest.raises(CommandError, match="is no moment, such as"):
        call_command("replay", "tests.new", f"--since={since}")


def test_replay_refuses_whom_nobody_knows(capsys):
    with pytest.raises(CommandError, match="No durable receiver is called") as refused:
        call_command("replay", "tests.nobody")

    assert refused.value.returncode == 2


def test_prune_deliveries_tells_first_and_does_then(connect, ask, later):
    connect(Rang, "tests.first")
    Receiver.objects.create(uid="tests.first", since=LONG_AGO, owed_after=0)
    ring(1)
    later(days=91)

    assert ask("prune_deliveries", "--days=100") == {"dry_run": False, "deleted": 0}
    assert ask("prune_deliveries", "--dry-run") == {"dry_run": True, "deleted": 1}
    assert ask("prune_deliveries") == {"dry_run": False, "deleted": 1}
    assert ask("reconcile") == {"dry_run": False, "owed": {}}


def test_prune_deliveries_refuses_less_than_a_day():
    with pytest.raises(CommandError, match="is no whole number from 1"):
        call_command("prune_deliveries", "--days=0")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["reconcile"], "tests.new: 1 are now owed\n"),
        (["reconcile", "--dry-run"], "tests.new: 1 would be owed\n"),
        (["replay", "tests.new"], "1 are now owed for the first time, 0 again.\n"),
        (["prune_deliveries"], "0 were deleted.\n"),
    ],
)
def test_a_person_reads_what_was_done(missed, capsys, command, said):
    call_command(*command)

    assert capsys.readouterr().out == said
