import pytest
from django.utils import timezone

from bookshelf_site.errors import InvalidValue
from bookshelf_site.events import PermanentFailure, acting
from bookshelf_site.events.errors import NotDead
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.services import retry_delivery, skip_delivery
from tests.events.happenings import Rang, delivery_to, effects, note, relay_comes_by, ring

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]


@pytest.fixture
def illness(connect):
    """While this isn't empty, the receiver fails for good."""
    illness = ["ill"]

    def ill(sender, event, **kwargs):
        if illness:
            raise PermanentFailure("ill")
        note("tests.ill", event.number)

    connect(Rang, "tests.ill", ill, max_attempts=5)
    ring(1)
    return illness


@pytest.fixture
def dead(illness):
    return delivery_to("tests.ill")


def test_a_retried_dead_letter_is_owed_at_once_with_all_its_attempts_on_top(dead):
    retry_delivery(delivery_id=dead.pk)

    delivery = delivery_to("tests.ill")
    assert (delivery.status, delivery.attempts, delivery.max_attempts) == ("pending", 1, 6)
    assert delivery.due <= timezone.now()


def test_a_retried_dead_letter_arrives(dead, illness):
    illness.clear()
    retry_delivery(delivery_id=dead.pk)

    relay_comes_by()

    assert effects() == [("tests.ill", 1)]


def test_a_skipped_dead_letter_is_settled_and_says_why(dead):
    with acting(actor="user:alice"):
        skip_delivery(delivery_id=dead.pk, reason="  told by phone ")

    delivery = delivery_to("tests.ill")
    assert delivery.status == "done"
    assert delivery.done_at is not None
    assert delivery.last_error.startswith("skipped by user:alice: told by phone\n\nTraceback")
    assert effects() == []


def test_who_did_it_when_and_why_is_on_record(dead):
    with acting(actor="user:alice", correlation_id="request-7"):
        retry_delivery(delivery_id=dead.pk)
        relay_comes_by()
        skip_delivery(delivery_id=dead.pk, reason="told by phone")

    retried, skipped = Event.objects.filter(stream=f"events.delivery:{dead.pk}").order_by("id")
    common = {"event_uid": str(dead.event.uid), "receiver": "tests.ill", "target": ""}
    assert (retried.name, retried.actor) == ("events.delivery_retried", "user:alice")
    assert retried.data == common | {"attempts": 1}
    assert (skipped.name, skipped.correlation_id) == ("events.delivery_skipped", "request-7")
    assert skipped.data == common | {"attempts": 2, "reason": "told by phone"}
    assert retried.occurred_at <= timezone.now()


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_skipping_needs_a_reason(dead, reason):
    with pytest.raises(InvalidValue):
        skip_delivery(delivery_id=dead.pk, reason=reason)

    assert delivery_to("tests.ill").status == "dead"


@pytest.mark.parametrize("status", ["pending", "done"])
def test_only_a_dead_letter_is_retried_or_skipped(dead, status):
    done_at = timezone.now() if status == "done" else None
    Delivery.objects.filter(pk=dead.pk).update(status=status, done_at=done_at)
    before = Delivery.objects.values().get()

    with pytest.raises(NotDead, match=f"Delivery {dead.pk} is {status}: only a dead letter"):
        retry_delivery(delivery_id=dead.pk)
    with pytest.raises(NotDead):
        skip_delivery(delivery_id=dead.pk, reason="why not")

    assert Delivery.objects.values().get() == before
    assert Event.objects.count() == 1


def test_a_dead_letter_of_a_receiver_that_is_gone_can_be_skipped(dead):
    Rang.signal.disconnect(dispatch_uid="tests.ill")

    skip_delivery(delivery_id=dead.pk, reason="nobody listens any more")

    assert delivery_to("tests.ill").status == "done"
