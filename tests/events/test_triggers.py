"""The database itself keeps the log, whoever writes to it."""

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from model_bakery import baker

from bookshelf_site.events import erasing
from bookshelf_site.events.models import Event
from bookshelf_site.events.triggers import make_append_only, missing_triggers

pytestmark = pytest.mark.django_db


@pytest.fixture
def event():
    return baker.make(Event, name="tests.rang", data={"number": 1}, personal={"to": "Alice"})


def execute(statement, *parameters):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def stored(event):
    return Event.objects.filter(pk=event.pk).values().get()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events_event SET data = '{}'",
        "UPDATE events_event SET personal = NULL",
        "UPDATE events_event SET name = name",
        "UPDATE events_event SET actor = 'nobody', position = 1",
        "DELETE FROM events_event",
    ],
)
def test_raw_sql_can_not_change_what_happened(event, statement):
    before = stored(event)

    with pytest.raises(DatabaseError, match="events_event is append-only"):
        execute(statement)

    assert stored(event) == before


def test_the_log_can_not_be_truncated(event):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")

    with pytest.raises(DatabaseError, match="events_event is append-only"):
        execute("TRUNCATE events_event CASCADE")

    assert stored(event)


def test_a_position_is_written_once(event):
    execute("UPDATE events_event SET position = 7 WHERE id = %s", event.pk)

    with pytest.raises(DatabaseError, match="append-only"):
        execute("UPDATE events_event SET position = 8 WHERE id = %s", event.pk)

    assert stored(event)["position"] == 7


def test_personal_data_can_be_erased(event):
    with transaction.atomic(), erasing():
        Event.objects.filter(pk=event.pk).update(personal=None)

    assert stored(event)["personal"] is None
    with pytest.raises(DatabaseError, match="append-only"):
        execute("UPDATE events_event SET actor = 'nobody'")


@pytest.mark.django_db(transaction=True)
def test_erasing_works_inside_a_transaction_only(event):
    with pytest.raises(RuntimeError, match="inside a transaction only"), erasing():
        pytest.fail("it began")

    assert stored(event)["personal"] == {"to": "Alice"}


def test_erasing_ends_with_its_block_in_the_same_transaction(event):
    with transaction.atomic():
        with erasing():
            pass
        with pytest.raises(DatabaseError, match="append-only"):
            execute("DELETE FROM events_event")

    assert stored(event)


def test_erasing_ends_with_its_block_when_that_is_left_by_an_error(event):
    with transaction.atomic():
        with pytest.raises(LookupError), erasing():
            raise LookupError
        with pytest.raises(DatabaseError, match="append-only"):
            execute("DELETE FROM events_event")

    assert stored(event)


def test_erasing_inside_erasing_ends_with_the_outer_one(event):
    with transaction.atomic(), erasing():
        with erasing():
            pass
        execute("UPDATE events_event SET personal = NULL")

    assert stored(event)["personal"] is None


def test_a_database_error_while_erasing_is_not_hidden(event):
    with pytest.raises(DatabaseError, match="no_such_column"), transaction.atomic(), erasing():
        execute("UPDATE events_event SET no_such_column = 1")


def test_a_missing_trigger_is_noticed_and_made_again(event):
    table = " ON events_event" if connection.vendor == "postgresql" else ""
    execute(f"DROP TRIGGER events_event_append_only_delete{table}")
    assert missing_triggers(Event, using="default", write_once=["position"]) == ["events_event_append_only_delete"]

    make_append_only(Event, using="default", write_once=["position"])

    assert missing_triggers(Event, using="default", write_once=["position"]) == []


def test_the_system_check_names_a_missing_trigger(capsys):
    table = " ON events_event" if connection.vendor == "postgresql" else ""
    execute(f"DROP TRIGGER events_event_append_only_update{table}")

    call_command("check", database=["default"])

    assert "events.W001" in capsys.readouterr().err


def test_a_table_that_is_not_there_needs_no_trigger():
    class Unmade(Event.__base__):  # type: ignore[misc, name-defined]
        class Meta:
            app_label = "tests"
            managed = False

    make_append_only(Unmade, using="default")

    assert missing_triggers(Unmade, using="default") == []
