"""What the database itself refuses of a delivery."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from model_bakery import baker

from bookshelf_site.events.models import Delivery, Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def event():
    return baker.make(Event, name="tests.rang", data={"number": 1})


def owe(event, **columns):
    with transaction.atomic():
        return Delivery.objects.create(
            event=event, receiver="tests.first", max_attempts=5, due=timezone.now(), **columns
        )


def test_an_event_is_owed_to_a_receiver_once(event):
    owe(event)

    with pytest.raises(IntegrityError):
        owe(event)

    assert Delivery.objects.count() == 1


def test_an_event_is_owed_to_each_target_of_a_receiver(event):
    owe(event)
    owe(event, target="endpoint-7")

    with pytest.raises(IntegrityError):
        owe(event, target="endpoint-7")

    assert Delivery.objects.count() == 2


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "lost"},
        {"status": "done"},
        {"done_at": timezone.now()},
        {"status": "dead", "done_at": timezone.now()},
    ],
)
def test_a_delivery_is_in_a_state_that_means_something(event, columns):
    with pytest.raises(IntegrityError):
        owe(event, **columns)

    assert not Delivery.objects.exists()


def test_an_event_that_is_owed_can_not_go(event):
    owe(event)

    with pytest.raises(IntegrityError):
        event.delete()


def test_an_events_id_is_its_own(event):
    with pytest.raises(IntegrityError), transaction.atomic():
        baker.make(Event, uid=event.uid)


def test_a_receiver_is_known_since_the_migration_that_brought_it():
    from bookshelf_site.events.models import Receiver
    from bookshelf_site.events.signals import durable_receivers
    from bookshelf_site.events.upkeep import after_migrate

    after_migrate(using="default")
    since = dict(Receiver.objects.values_list("uid", "since"))
    after_migrate(using="default")

    assert since.keys() >= {durable.uid for durable in durable_receivers()}
    assert dict(Receiver.objects.values_list("uid", "since")) == since
