"""No event changes without a new version, and nobody forgets what is in the log."""

import json

import pytest
from django.core.management import CommandError, call_command

from bookshelf_site.events.schemas import differences, published_events, schema_of, write_missing
from catalog.events import BookWithdrawn
from tests.events.happenings import Chimed, Everything, Rang, Whispered


@pytest.fixture
def published(tmp_path):
    """A folder in which Rang and Chimed are published as they are."""
    write_missing([Rang, Chimed], tmp_path)
    return tmp_path


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_is_published_of_this_shop_is_what_its_code_says(capsys):
    call_command("check_event_schemas")

    assert "events are what they were published as." in capsys.readouterr().out


def test_events_of_the_tests_are_not_published():
    names = {kind.name for kind in published_events()}

    assert "orders.order_placed" in names
    assert not {name for name in names if name.startswith(("tests.", "benchmarks."))}


def test_an_event_as_it_was_published_is_well(published):
    assert list(differences([Rang, Chimed], published)) == []


def test_a_changed_event_needs_a_new_version(published):
    edit(published / "tests.rang.v1.json", properties={"number": {"type": "string"}})

    (found,) = differences([Rang, Chimed], published)

    assert found.startswith("tests.rang.v1.json is not what the code says: give Rang the version 2")


def test_a_new_event_needs_a_file(published):
    (found,) = differences([Rang, Chimed, Whispered], published)

    assert found == "tests.whispered.v2.json is missing: check_event_schemas --write makes it"


def test_a_published_file_is_never_written_over(published):
    edit(published / "tests.rang.v1.json", properties={})
    before = (published / "tests.rang.v1.json").read_text()

    assert write_missing([Rang, Chimed, Whispered], published) == ["tests.whispered.v2.json"]

    assert (published / "tests.rang.v1.json").read_text() == before


def test_an_event_that_is_in_the_log_can_not_go(published):
    (found,) = differences([Chimed], published)

    assert found == "tests.rang.v1.json: no event has this name or alias, so the log can't be read any more"


def test_an_event_keeps_what_it_was_called(published):
    edit(published / "tests.rang.v1.json", name="tests.bonged")

    assert list(differences([Chimed], published)) == []


def test_a_version_does_not_go_back(published):
    edit(published / "tests.chimed.v3.json", version=4)

    (found,) = [found for found in differences([Rang, Chimed], published) if "gone back" in found]

    assert found == "tests.chimed.v3.json: Chimed has gone back to version 3"


def test_the_command_exits_with_one(tmp_path, settings, capsys):
    settings.BASE_DIR = tmp_path

    with pytest.raises(CommandError) as refused:
        call_command("check_event_schemas")

    assert refused.value.returncode == 1
    call_command("check_event_schemas", "--write")
    assert "orders.order_placed.v1.json written" in capsys.readouterr().out


def test_a_schema_says_what_is_stored_and_nothing_else():
    assert schema_of(Whispered) == {
        "name": "tests.whispered",
        "version": 2,
        "type": "object",
        "properties": {
            "to": {"type": "string", "personal": True},
            "about": {"anyOf": [{"type": "string"}, {"type": "null"}], "personal": True},
            "loudness": {"type": "integer"},
        },
        "required": ["to", "about", "loudness"],
    }


def test_a_schema_holds_what_it_refers_to_but_no_words():
    written = json.dumps(schema_of(Everything))

    assert "$ref" not in written
    assert "description" not in written
    assert schema_of(Everything)["properties"]["price"]["properties"].keys() == {"amount", "currency"}


def test_a_field_may_be_called_title():
    assert schema_of(BookWithdrawn)["properties"]["title"] == {"type": "string"}
