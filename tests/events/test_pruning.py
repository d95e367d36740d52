from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from bookshelf_site.events import PermanentFailure
from bookshelf_site.events.backfill import reconcile
from bookshelf_site.events.models import Delivery, Event, Receiver
from bookshelf_site.events.pruning import preview, prune_deliveries
from bookshelf_site.events.upkeep import note_receivers
from tests.events.happenings import Rang, effects, relay_comes_by, ring
from tests.racing import race

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]


@pytest.fixture
def heard(connect):
    """`heard(1, 2)`: `tests.first` has heard them long ago."""
    connect(Rang, "tests.first")
    note_receivers()
    return ring


def a_hundred_days_pass(later):
    later(days=100)


def test_what_was_settled_long_ago_goes_and_its_event_stays(heard, later):
    heard(1, 2)
    a_hundred_days_pass(later)
    heard(3)

    assert preview(days=90) == 2
    assert prune_deliveries(days=90) == 2

    assert Event.objects.count() == 3
    assert Delivery.objects.get().event.data == {"number": 3}


def test_what_has_gone_is_never_owed_again(heard, later):
    heard(1)
    a_hundred_days_pass(later)
    prune_deliveries()

    assert reconcile() == {}
    relay_comes_by()
    assert effects() == [("tests.first", 1)]


def test_a_clock_that_ran_behind_makes_nothing_come_twice(heard, later):
    heard(1)
    a_hundred_days_pass(later)
    heard(2)
    Delivery.objects.update(done_at=timezone.now() - timedelta(days=95))

    assert prune_deliveries() == 1
    assert reconcile() == {}
    relay_comes_by()

    assert effects() == [("tests.first", 1), ("tests.first", 2)]


@pytest.mark.parametrize("status", ["pending", "dead"])
def test_what_is_not_settled_stays(heard, later, status):
    heard(1)
    Delivery.objects.update(status=status, done_at=None)
    a_hundred_days_pass(later)

    assert prune_deliveries() == 0
    assert Delivery.objects.get().status == status


def test_what_was_settled_lately_stays_however_old_its_event(heard, later, connect):
    def fails(sender, event, **kwargs):
        raise PermanentFailure

    connect(Rang, "tests.fails", fails)
    heard(1)
    a_hundred_days_pass(later)
    Delivery.objects.filter(receiver="tests.fails").update(status="done", done_at=timezone.now())
    note_receivers()

    assert prune_deliveries() == 1
    assert Delivery.objects.get().receiver == "tests.fails"


def test_what_somebody_was_never_told_is_owed_before_it_is_too_late(heard, later, connect):
    connect(Rang, "tests.new")
    note_receivers()
    Rang.signal.disconnect(dispatch_uid="tests.new")
    heard(1)
    a_hundred_days_pass(later)
    connect(Rang, "tests.new")

    assert prune_deliveries() == 1
    relay_comes_by()

    assert effects() == [("tests.first", 1), ("tests.new", 1)]


def test_of_a_receiver_that_no_migration_has_noted_nothing_is_forgotten(heard, later):
    heard(1)
    Receiver.objects.filter(uid="tests.first").delete()
    a_hundred_days_pass(later)

    assert prune_deliveries() == 0


def test_many_go_in_batches(heard, later, monkeypatch):
    monkeypatch.setattr("bookshelf_site.events.pruning.BATCH", 2)
    heard(*range(5))
    a_hundred_days_pass(later)

    assert prune_deliveries() == 5


def test_less_than_a_day_is_refused(heard):
    heard(1)

    with pytest.raises(ValueError, match="a day at least"):
        prune_deliveries(days=0)

    assert Delivery.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_several_prune_at_once(heard, later):
    heard(*range(6))
    a_hundred_days_pass(later)

    counts = race([prune_deliveries] * 3)

    assert sum(counts) == 6
    assert not Delivery.objects.exists()


def test_a_delivery_that_is_done_again_meanwhile_is_not_deleted(heard, later):
    heard(1)
    a_hundred_days_pass(later)
    with transaction.atomic():
        Delivery.objects.update(status="pending", done_at=None, due=timezone.now() + timedelta(hours=1))

    assert prune_deliveries() == 0
