import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Optional
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bookshelf_site.events import DomainEvent, personal, upcasts, uuid7
from bookshelf_site.events.domain_event import EVENTS, decode
from bookshelf_site.events.failures import BrokenPayload, UnknownToThisCode
from bookshelf_site.events.models import Event
from bookshelf_site.money import Money
from inventory.events import StockAdjusted
from inventory.models import StockMovement
from orders.events import OrderPlaced, PlacedLine
from tests.events.happenings import Chimed, Everything, Part, Rang, Whispered

EARLIEST, LATEST = datetime(2, 1, 1), datetime(9998, 1, 1)  # noqa: DTZ001  # hypothesis adds the zone
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
amounts = st.decimals(min_value=0, max_value=Decimal("999999999.99"), places=2)
prices = st.builds(Money, amounts, st.sampled_from(["USD", "EUR", "JPY"]))
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
parts = st.builds(
    Part, key=st.uuids(), price=prices, words=st.lists(text, max_size=3).map(tuple), note=st.none() | text
)
everything = st.builds(
    Everything,
    text=text,
    whole=st.integers(-(10**30), 10**30),
    yes=st.booleans(),
    amount=st.decimals(allow_nan=False, allow_infinity=False),
    key=st.uuids(),
    day=st.dates(),
    moment=st.datetimes(timezones=zones, min_value=EARLIEST, max_value=LATEST),
    price=prices,
    maybe=st.none() | prices,
    parts=st.lists(parts, max_size=4).map(tuple),
    uid=st.uuids(),
    occurred_at=st.datetimes(timezones=st.just(UTC)),
    stream=text,
)


def envelope(event):
    return {"uid": event.uid, "occurred_at": event.occurred_at, "stream": event.stream}


def through_json(event: Any) -> Any:
    public, private = json.loads(json.dumps(event.encoded()))
    return decode(name=event.name, version=event.version, values=public | (private or {}) | envelope(event))


@given(everything)
def test_an_event_comes_back_exactly_as_it_was(event):
    back = through_json(event)

    assert back == event
    assert envelope(back) == envelope(event)
    assert repr(back) == repr(replace(event, moment=back.moment))
    assert back.moment.utcoffset() == event.moment.utcoffset()


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(everything.filter(lambda event: len(event.stream) <= 150))
def test_an_event_comes_back_from_the_database_as_it_was(event):
    row = Event.of(replace(event, uid=uuid7()))
    row.save()

    back: Any = Event.objects.get(pk=row.pk).decoded

    assert back == event
    assert repr(back) == repr(replace(event, moment=back.moment))


def test_what_is_stored_is_jsons_own():
    event = OrderPlaced(
        order_id=UUID(int=1),
        number="7K3M",
        customer_name="Alice Johnson",
        lines=(
            PlacedLine(
                line_id=UUID(int=2),
                book_id=UUID(int=3),
                title="The Great Gatsby",
                isbn=None,
                quantity=2,
                unit_price=Money(Decimal("12.99"), "USD"),
            ),
        ),
        total=Money(Decimal("25.98"), "USD"),
    )

    assert event.encoded() == (
        {
            "order_id": "00000000-0000-0000-0000-000000000001",
            "number": "7K3M",
            "has_email": True,
            "lines": [
                {
                    "line_id": "00000000-0000-0000-0000-000000000002",
                    "book_id": "00000000-0000-0000-0000-000000000003",
                    "title": "The Great Gatsby",
                    "isbn": None,
                    "quantity": 2,
                    "unit_price": {"amount": "12.99", "currency": "USD"},
                }
            ],
            "total": {"amount": "25.98", "currency": "USD"},
        },
        {"customer_name": "Alice Johnson"},
    )


def test_a_choice_is_stored_as_its_text():
    event = StockAdjusted(
        book_id=UUID(int=1), kind=StockMovement.Kind.DAMAGED, change=-1, on_hand=3, reason="fell into the bath"
    )

    public, _ = event.encoded()

    assert public["kind"] == "damaged"
    assert through_json(event) == event


def test_personal_fields_are_kept_apart():
    event = Whispered(to="Alice", about=None, loudness=3)

    assert event.encoded() == ({"loudness": 3}, {"to": "Alice", "about": None})
    assert through_json(event) == event


def test_erased_personal_fields_come_back_empty():
    assert Whispered.decoded({"loudness": 3}) == Whispered(to="", about=None, loudness=3)


def test_fields_of_newer_code_are_ignored():
    assert Rang.decoded({"number": 1, "colour": "red"}) == Rang(number=1)


def test_a_field_that_is_not_what_it_was_is_named_and_not_quoted():
    with pytest.raises(BrokenPayload) as refused:
        Whispered.decoded({"to": ["secret"], "loudness": "loud"})

    assert str(refused.value).startswith("tests.whispered v2: to: Input should be a valid string; loudness: Input")
    assert "secret" not in str(refused.value)


def test_an_event_of_newer_code_is_not_guessed_at():
    with pytest.raises(UnknownToThisCode, match="written by newer code; this code knows v2"):
        decode(name="tests.whispered", version=3, values={"loudness": 1})
    with pytest.raises(UnknownToThisCode, match="no event is called"):
        decode(name="tests.unheard_of", version=1, values={})


@pytest.mark.parametrize("name", ["tests.chimed", "tests.bonged"])
@pytest.mark.parametrize(
    ("version", "values", "tower"),
    [(1, {"times": 12}, "the only one"), (2, {"strokes": 12}, "the only one"), (3, {"strokes": 12, "tower": "N"}, "N")],
)
def test_what_was_stored_under_older_versions_and_names_is_read(name, version, values, tower):
    event = decode(name=name, version=version, values=values | {"heard_by": "Alice", "pitch": "unheard of"})

    assert event == Chimed(strokes=12, tower=tower, heard_by="Alice")


def test_upcasting_leaves_what_is_stored_alone():
    values = {"times": 12}

    assert decode(name="tests.chimed", version=1, values=values) == Chimed(
        strokes=12, tower="the only one", heard_by=""
    )
    assert values == {"times": 12}


def test_a_payload_that_an_upcaster_can_not_read_is_broken_and_not_quoted():
    with pytest.raises(BrokenPayload, match=r"tests\.chimed v1: <function name_strokes.* raised KeyError$") as refused:
        decode(name="tests.chimed", version=1, values={"heard_by": "Alice"})

    assert refused.value.__cause__ is None


def test_a_version_is_upcast_by_one_function():
    with pytest.raises(ValueError, match=r"tests\.chimed v1 is upcast by <function name_strokes"):
        upcasts("tests.chimed", version=1)(dict)


def test_an_event_is_equal_to_another_that_says_the_same():
    assert Rang(number=1) == Rang(number=1)
    assert Rang(number=1).uid != Rang(number=1).uid
    assert Rang(number=1) != Rang(number=2)


def test_an_event_can_not_be_changed():
    with pytest.raises(AttributeError):
        Rang(number=1).number = 2  # type: ignore[misc]


@pytest.fixture
def nothing_is_defined():
    before = dict(EVENTS)
    yield
    assert before == EVENTS


@pytest.mark.usefixtures("nothing_is_defined")
def test_a_name_is_given_once():
    with pytest.raises(ValueError, match=r"tests\.rang"):

        class Rung(DomainEvent, name="tests.rang"):
            pass


@pytest.mark.usefixtures("nothing_is_defined")
def test_a_name_that_another_event_had_before_is_taken():
    with pytest.raises(ValueError, match=r"tests\.bonged"):

        class Bonged(DomainEvent, name="tests.bonged"):
            pass


@pytest.mark.usefixtures("nothing_is_defined")
def test_a_name_fits_its_column():
    with pytest.raises(ValueError, match="at most 100 characters"):

        class Long(DomainEvent, name="n" * 101):
            pass


@pytest.mark.usefixtures("nothing_is_defined")
def test_a_field_hides_nothing_of_the_class():
    with pytest.raises(ValueError, match="no field can be called name"):

        class Named(DomainEvent, name="tests.named"):
            name: str  # type: ignore[misc]


@pytest.mark.usefixtures("nothing_is_defined")
def test_a_personal_field_can_be_erased():
    with pytest.raises(ValueError, match="something to erase it to"):

        class Aged(DomainEvent, name="tests.aged"):
            age: int = personal()


def test_an_optional_personal_field_is_known_however_it_is_written():
    from bookshelf_site.events.domain_event import _empty

    assert [_empty("x", hint) for hint in (str, str | None, Optional[date], UUID | None)] == ["", None, None, None]  # noqa: UP045
