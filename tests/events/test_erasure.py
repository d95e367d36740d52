"""Personal data leaves the log, and nobody who has read it before can put it anywhere any more."""

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from model_bakery import baker

from bookshelf_site.events.delivery import deliver
from bookshelf_site.events.erasure import erase_personal
from bookshelf_site.events.models import Delivery, Event

pytestmark = pytest.mark.django_db


def an_event(stream="tests.bell:1", personal=None):
    return baker.make(Event, name="tests.rang", stream=stream, data={"number": 1}, personal=personal)


def a_delivery(event, **values):
    return baker.make(Delivery, event=event, receiver="tests.ring", max_attempts=5, due=timezone.now(), **values)


def test_the_personal_fields_go_and_the_rest_stays():
    alice, nobody = an_event(personal={"to": "Alice"}), an_event()
    other = an_event(stream="tests.bell:2", personal={"to": "Ben"})

    assert erase_personal(Event.objects.filter(stream="tests.bell:1")) == 1

    assert Event.objects.filter(pk__in=[alice.pk, nobody.pk], personal__isnull=True, data={"number": 1}).count() == 2
    assert Event.objects.get(pk=other.pk).personal == {"to": "Ben"}


def test_the_log_is_closed_again_afterwards():
    event = an_event(personal={"to": "Alice"})

    erase_personal(Event.objects.all())

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE events_event SET name = 'x' WHERE id = %s", [event.pk])


def test_what_a_failure_quoted_is_gone():
    event = an_event(personal={"to": "Alice"})
    failed = a_delivery(event, status="dead", last_error="ValueError: Alice")
    done = a_delivery(event, target="2", status="done", done_at=timezone.now(), last_error="skipped: Alice moved")
    fine = a_delivery(event, target="3", status="pending")

    erase_personal(Event.objects.all())

    errors = dict(Delivery.objects.values_list("pk", "last_error"))
    assert errors == {failed.pk: "(erased)", done.pk: "(erased)", fine.pk: ""}


@pytest.mark.parametrize(("status", "attempts"), [("pending", (3, 6)), ("dead", (3, 6)), ("done", (2, 5))])
def test_what_is_still_owed_is_fenced_off_and_loses_no_attempt(status, attempts):
    done_at = timezone.now() if status == "done" else None
    delivery = a_delivery(an_event(personal={"to": "Alice"}), status=status, attempts=2, done_at=done_at)

    erase_personal(Event.objects.all())

    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.max_attempts) == (status, *attempts)


def test_who_has_read_the_event_before_can_not_acknowledge_it_any_more():
    event = an_event(personal={"to": "Alice"})
    delivery = a_delivery(event, status="pending", attempts=1)
    in_another_process = Delivery.objects.select_related("event").get(pk=delivery.pk)

    erase_personal(Event.objects.all())
    deliver([in_another_process])

    delivery.refresh_from_db()
    assert (delivery.status, delivery.last_error) == ("pending", "")
