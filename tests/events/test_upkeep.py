"""From where on a receiver is owed events, and what becomes of one that has a new uid."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from bookshelf_site.events.backfill import reconcile, replay_receiver, unreconciled
from bookshelf_site.events.models import Delivery, Event, Receiver
from bookshelf_site.events.upkeep import after_migrate, note_receivers, rename_deliveries
from tests.events.happenings import Rang, change_and_emit, effects, note, relay_comes_by, ring
from tests.racing import race, race_behind

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]


def boundary(uid):
    return Receiver.objects.get(uid=uid).owed_after


@pytest.fixture
def rename(connect):
    """`rename()`: the code that called it `tests.old` is replaced by code that calls it `tests.new`."""

    def hears(sender, event, **kwargs):
        note("tests.hears", event.number)

    connect(Rang, "tests.old", hears)
    note_receivers()

    def rename():
        disconnect("tests.old")
        connect(Rang, "tests.new", hears, aliases=("tests.old",))

    return rename


def disconnect(uid):
    Rang.signal.disconnect(dispatch_uid=uid)


def test_a_new_receiver_is_owed_what_comes_after_the_migration(connect):
    ring(1)
    connect(Rang, "tests.new")

    after_migrate(using="default")

    assert boundary("tests.new") == Event.objects.get().pk


def test_a_receiver_stays_where_it_was(connect):
    connect(Rang, "tests.first")
    note_receivers()
    before = Receiver.objects.values().get(uid="tests.first")
    ring(1)

    note_receivers()

    assert Receiver.objects.values().get(uid="tests.first") == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite a migration has the database to itself")
def test_whoever_is_just_emitting_is_waited_for(connect):
    connect(Rang, "tests.new")

    [_] = race_behind(lambda: change_and_emit(Rang(number=1)), [note_receivers])

    assert boundary("tests.new") == Event.objects.get().pk


@pytest.mark.django_db(transaction=True)
def test_two_migrations_at_once_agree(connect):
    connect(Rang, "tests.new")

    results = race([note_receivers] * 3)

    assert results == [None] * 3
    assert boundary("tests.new") == 0


def test_a_renamed_receiver_is_owed_what_it_was_owed(rename, settings):
    settings.EVENTS_ENGINE = "relay"
    ring(1)
    before = boundary("tests.old")
    rename()

    after_migrate(using="default")
    relay_comes_by()

    assert (boundary("tests.new"), boundary("tests.old")) == (before, None)
    assert Delivery.objects.get().receiver == "tests.new"
    assert effects() == [("tests.hears", 1)]


def test_what_old_code_still_owes_under_the_old_uid_comes_once(rename, settings):
    settings.EVENTS_ENGINE = "relay"
    ring(1, 2)
    rename()
    note_receivers()

    relay_comes_by()
    reconcile()
    relay_comes_by()

    assert effects() == [("tests.hears", 1), ("tests.hears", 2)]
    assert set(Delivery.objects.values_list("receiver", flat=True)) == {"tests.new"}


def test_what_has_been_heard_under_the_old_uid_is_not_missed_under_the_new(rename):
    ring(1)
    rename()
    note_receivers()

    assert unreconciled() == {}
    assert replay_receiver(receiver="tests.new").made == 0
    assert Delivery.objects.get().receiver == "tests.old"
    assert reconcile() == {}
    assert Delivery.objects.get().receiver == "tests.new"
    assert effects() == [("tests.hears", 1)]


def test_code_that_went_back_to_the_old_uid_owes_nothing_that_the_new_one_has_had(rename, connect):
    rename()
    note_receivers()
    with code_of_before(connect):
        note_receivers()
    ring(1)  # by a process that hasn't ended yet

    with code_of_before(connect):
        assert reconcile() == {}

    assert effects() == [("tests.hears", 1)]


@contextmanager
def code_of_before(connect):
    (function,) = [durable.function for durable in Rang.signal.durable.values()]
    disconnect("tests.new")
    Rang.signal.connect(function, dispatch_uid="tests.old")
    yield
    disconnect("tests.old")
    connect(Rang, "tests.new", function, aliases=("tests.old",))


def test_a_receiver_may_get_its_old_uid_back(rename, connect):
    before = boundary("tests.old")
    rename()
    note_receivers()
    disconnect("tests.new")
    connect(Rang, "tests.old", aliases=("tests.new",))

    note_receivers()

    assert (boundary("tests.old"), boundary("tests.new")) == (before, None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite there is one writer")
def test_a_delivery_that_is_just_run_is_renamed_later(rename, settings):
    settings.EVENTS_ENGINE = "relay"
    ring(1, 2)
    rename()
    held = Delivery.objects.order_by("pk")[:1]

    with transaction.atomic():
        assert len(held.select_for_update()) == 1
        renamed = race([rename_deliveries])

    assert renamed == [1]
    assert rename_deliveries() == 1
    assert rename_deliveries() == 0


def test_renaming_goes_on_where_a_batch_ended(rename, settings, monkeypatch):
    monkeypatch.setattr("bookshelf_site.events.upkeep.BATCH", 2)
    settings.EVENTS_ENGINE = "relay"
    ring(*range(5))
    rename()

    assert rename_deliveries() == 5


def test_a_person_reads_since_when_it_is_there(connect):
    connect(Rang, "tests.new")

    note_receivers()

    assert timezone.now() - Receiver.objects.get(uid="tests.new").since < timedelta(minutes=1)
