import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from model_bakery import baker

from bookshelf_site.events import uuid7
from bookshelf_site.events.chain import chain_of
from bookshelf_site.events.models import Event

pytestmark = pytest.mark.django_db


def happened(name, cause=None):
    causation_id = cause.uid if cause else None
    return baker.make(Event, uid=uuid7(), name=name, data={}, causation_id=causation_id, position=None)


def names(link):
    """`["a", ["b", ["c"]], ["d"]]`: a led to b and d, b to c."""
    return [link.event.name, *(names(effect) for effect in link.effects)]


def test_what_led_to_it_stands_above_and_what_came_of_it_below():
    placed = happened("placed")
    confirmed = happened("confirmed", placed)
    happened("beside", placed)
    shipped = happened("shipped", confirmed)
    happened("noted", confirmed)
    happened("mailed", shipped)
    happened("unrelated")

    chain = chain_of(confirmed)

    assert names(chain.first) == ["placed", ["confirmed", ["shipped", ["mailed"]], ["noted"]]]
    assert (chain.is_cut_above, chain.is_cut_below) == (False, False)


def test_one_that_stands_alone_is_a_chain_too():
    chain = chain_of(happened("placed"))

    assert names(chain.first) == ["placed"]


def test_a_cause_that_is_not_in_this_log_is_no_cause():
    event = baker.make(Event, uid=uuid7(), name="placed", data={}, causation_id=uuid7(), position=None)

    assert names(chain_of(event).first) == ["placed"]


def test_a_long_chain_is_cut_on_both_sides_and_says_so(monkeypatch):
    monkeypatch.setattr("bookshelf_site.events.chain.MOST_LEVELS", 1)
    events = [happened("0")]
    for number in range(1, 5):
        events.append(happened(str(number), events[-1]))

    chain = chain_of(events[2])

    assert names(chain.first) == ["1", ["2", ["3"]]]
    assert (chain.is_cut_above, chain.is_cut_below) == (True, True)


def test_a_chain_that_just_fits_is_not_called_cut(monkeypatch):
    monkeypatch.setattr("bookshelf_site.events.chain.MOST_LEVELS", 1)
    cause = happened("0")
    event = happened("1", cause)
    happened("2", event)

    chain = chain_of(event)

    assert names(chain.first) == ["0", ["1", ["2"]]]
    assert (chain.is_cut_above, chain.is_cut_below) == (False, False)


def test_a_wide_chain_is_cut(monkeypatch):
    monkeypatch.setattr("bookshelf_site.events.chain.MOST_EFFECTS", 3)
    cause = happened("0")
    for _ in range(5):
        happened("1", cause)

    chain = chain_of(cause)

    assert len(chain.first.effects) == 3
    assert chain.is_cut_below


def test_a_chain_costs_a_query_for_each_level():
    cause = happened("0")
    first, second = happened("1", cause), happened("1", cause)
    for effect in (first, second):
        happened("2", effect)
        happened("2", effect)

    with CaptureQueriesContext(connection) as asked:
        chain_of(cause)

    assert len(asked) == 3


def test_a_circle_in_a_broken_log_ends():
    one, two = uuid7(), uuid7()
    event = baker.make(Event, uid=one, name="0", data={}, causation_id=two, position=None)
    baker.make(Event, uid=two, name="1", data={}, causation_id=one, position=None)

    chain = chain_of(event)

    assert chain.is_cut_above
    assert chain.is_cut_below
