"""An event may say itself that it is nothing for a receiver: it is then not owed, not even afterwards."""

import pytest
from django.db import transaction

from bookshelf_site.events.backfill import reconcile, replay_event, replay_preview, replay_receiver, unreconciled
from bookshelf_site.events.errors import NotHeard
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.upkeep import note_receivers
from tests.events.happenings import Called, Rang, ring

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]
UID = "tests.far_away"


@pytest.fixture
def far_away(connect):
    """Hears what is called aloud."""
    connect(Called, UID, only_if="aloud")
    connect(Called, "tests.near")


def call(number, **how):
    with transaction.atomic():
        emit(Called(number=number, **how))


def owed(uid=UID):
    return list(Delivery.objects.filter(receiver=uid).order_by("pk").values_list("event__data__number", flat=True))


@pytest.mark.usefixtures("far_away")
def test_it_is_owed_what_is_for_it():
    call(1, aloud=False)
    call(2, aloud=True)

    assert (owed(), owed("tests.near")) == ([2], [1, 2])


def test_what_events_of_another_kind_do_not_say_is_for_it(connect):
    connect(Rang, UID, only_if="aloud")

    ring(1)

    assert owed() == [1]


@pytest.fixture
def deployed(connect):
    """What was called by code that didn't know this receiver yet; the first by code that didn't say how."""
    connect(Called, UID)
    note_receivers()
    Called.signal.disconnect(dispatch_uid=UID)
    first = Event.of(Called(number=1))
    del first.data["aloud"]
    first.save()
    call(2, aloud=False)
    call(3, aloud=True)
    connect(Called, UID, only_if="aloud")


@pytest.mark.usefixtures("deployed")
def test_afterwards_it_is_owed_no_more_than_at_once():
    assert (unreconciled(), replay_preview(receiver=UID).made) == ({UID: 2}, 2)
    assert reconcile() == {UID: 2}
    assert (owed(), unreconciled(), replay_receiver(receiver=UID).made) == ([1, 3], {}, 0)


@pytest.mark.usefixtures("deployed")
def test_by_hand_it_is_given_no_more_either():
    silent = Event.objects.get(data__number=2)

    with pytest.raises(NotHeard):
        replay_event(event_id=silent.pk, receiver=UID)

    assert owed() == []


def test_a_plain_send_is_heard_if_it_is_for_it(connect):
    heard = []
    connect(Called, UID, lambda event, **kwargs: heard.append(event.number), only_if="aloud")

    for number, aloud in enumerate([True, False]):
        Called.signal.send(sender=None, event=Called(number=number, aloud=aloud))

    assert heard == [0]
