"""The helpers for tests of receivers find what they are there to find."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from bookshelf_site.events import PermanentFailure
from bookshelf_site.events.models import Delivery
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.testing import assert_raised, deliver_now, deliver_twice, raised
from catalog.events import BookWithdrawn
from tests.conftest import ROOT
from tests.events.happenings import Echoed, Rang, effects, note, ring
from tests.given import a_book

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ledger")]


# What was raised


def test_the_event_with_these_fields_is_found() -> None:
    ring(1, 2)

    assert assert_raised(Rang, number=2) == Rang(number=2)
    assert raised(Rang) == [Rang(number=1), Rang(number=2)]
    assert raised(Echoed) == []


@pytest.mark.parametrize("asked", [{"number": 3}, {}])
def test_none_and_more_than_one_fail_and_tell_what_there_is(asked: dict[str, Any]) -> None:
    ring(1, 2)

    with pytest.raises(AssertionError, match=r"of Rang .* among \[Rang\(number=1\), Rang\(number=2\)\]"):
        assert_raised(Rang, **asked)


def test_a_misspelt_field_is_a_mistake_and_no_proof_that_nothing_happened() -> None:
    with pytest.raises(TypeError, match="Rang has no field nubmer"):
        raised(Rang, nubmer=1)


def test_what_a_row_has_raised_is_found_before_it_is_saved() -> None:
    book = a_book()

    book.withdraw()

    assert assert_raised(BookWithdrawn, book, book_id=book.pk).title == "Emma"
    assert not raised(BookWithdrawn)


# Deliver now


def test_what_no_request_runs_is_run(connect: Any) -> None:
    connect(Rang, "tests.ordered", ordered=True)
    connect(Rang, "tests.external", external=True)
    ring(1)
    assert effects() == []

    deliver_now()

    assert sorted(effects()) == [("tests.external", 1), ("tests.ordered", 1)]


def test_what_comes_of_it_is_run_too(connect: Any) -> None:
    connect(Rang, "tests.raises", lambda event, **kwargs: emit(Echoed(number=event.number)), ordered=True)
    connect(Echoed, "tests.echo", ordered=True)
    ring(1)

    deliver_now()

    assert effects() == [("tests.echo", 1)]


def test_a_lease_is_not_waited_out(connect: Any) -> None:
    connect(Rang, "tests.ordered", ordered=True)
    ring(1)
    Delivery.objects.update(attempts=1, due=timezone.now() + timedelta(hours=1))

    deliver_now()

    assert effects() == [("tests.ordered", 1)]


@pytest.mark.parametrize(("failure", "status"), [(LookupError, "pending"), (PermanentFailure, "dead")])
def test_a_failing_receiver_fails_the_test(connect: Any, failure: type[Exception], status: str) -> None:
    def fails(event: Any, **kwargs: Any) -> None:
        raise failure("on purpose")

    connect(Rang, "tests.ordered", fails, ordered=True)
    ring(1)

    with pytest.raises(AssertionError, match=f"(?s)tests.ordered failed and is {status}.*on purpose"):
        deliver_now()


def test_a_dead_letter_from_before_is_nothing_new(connect: Any) -> None:
    connect(Rang, "tests.ordered", ordered=True)
    ring(1)
    Delivery.objects.update(status="dead", last_error="on purpose")

    deliver_now()


def test_a_receiver_that_failed_and_is_mended_is_run_at_once(connect: Any) -> None:
    broken = ["broken"]

    def fails_once(event: Any, **kwargs: Any) -> None:
        if broken:
            raise LookupError(broken.pop())
        note("tests.ordered", event.number)

    connect(Rang, "tests.ordered", fails_once, ordered=True)
    ring(1)
    with pytest.raises(AssertionError, match="tests.ordered failed"):
        deliver_now()

    deliver_now()

    assert effects() == [("tests.ordered", 1)]


# Deliver twice


@pytest.mark.parametrize("options", [{}, {"alone": True}, {"ordered": True}, {"max_attempts": 1}])
def test_an_effect_in_rows_is_there_once(connect: Any, options: dict[str, Any]) -> None:
    connect(Rang, "tests.first", **options)
    connect(Rang, "tests.second")

    deliver_twice("tests.first", Rang(number=1))

    assert effects() == [("tests.first", 1)]


def test_an_effect_elsewhere_is_found_out(connect: Any) -> None:
    heard = []
    connect(Rang, "tests.first", lambda event, **kwargs: heard.append(event.number))

    deliver_twice("tests.first", Rang(number=1))

    assert heard == [1, 1]


def test_a_batch_receiver_hears_it_as_a_batch(connect: Any) -> None:
    def hear(events: Any, **kwargs: Any) -> None:
        for event in events:
            note("tests.batch", event.number)

    connect(Rang, "tests.batch", hear, batch=True)

    deliver_twice("tests.batch", Rang(number=1))

    assert effects() == [("tests.batch", 1)]


def test_an_external_receiver_sends_repeatedly_under_one_id_and_records_once(connect: Any) -> None:
    sent = []

    def record(event: Any, outcome: Any, **kwargs: Any) -> None:
        note("tests.external", event.number)

    connect(Rang, "tests.external", lambda event, **kwargs: sent.append(event.uid), external=True, record=record)
    event = Rang(number=1)

    deliver_twice("tests.external", event)

    assert len(sent) > 1
    assert set(sent) == {event.uid}
    assert effects() == [("tests.external", 1)]


def test_what_it_raises_in_turn_is_raised_once(connect: Any) -> None:
    connect(Rang, "tests.raises", lambda event, **kwargs: emit(Echoed(number=event.number)))
    connect(Echoed, "tests.echo")

    deliver_twice("tests.raises", Rang(number=1))

    assert raised(Echoed) == [Echoed(number=1)]
    assert effects() == [("tests.echo", 1)]


def test_what_is_owed_already_may_be_delivered(connect: Any) -> None:
    connect(Rang, "tests.ordered", ordered=True)
    ring(1)

    deliver_twice("tests.ordered", assert_raised(Rang))

    assert effects() == [("tests.ordered", 1)]
    assert Delivery.objects.count() == 1


def test_what_was_heard_already_is_refused(connect: Any) -> None:
    connect(Rang, "tests.first")
    ring(1)

    with pytest.raises(ValueError, match="has heard this event"):
        deliver_twice("tests.first", assert_raised(Rang))

    assert effects() == [("tests.first", 1)]


@pytest.mark.parametrize("uid", ["tests.nobody", "tests.echo"])
def test_a_receiver_that_hears_no_such_event_is_refused(connect: Any, uid: str) -> None:
    connect(Echoed, "tests.echo")

    with pytest.raises(ValueError, match="doesn't hear tests.rang"):
        deliver_twice(uid, Rang(number=1))


def test_a_receiver_that_fails_fails_the_test(connect: Any) -> None:
    def fails(event: Any, **kwargs: Any) -> None:
        raise LookupError("on purpose")

    connect(Rang, "tests.first", fails)

    with pytest.raises(LookupError, match="on purpose"):
        deliver_twice("tests.first", Rang(number=1))


def test_a_receiver_that_fails_the_second_time_fails_the_test(connect: Any) -> None:
    calls = []

    def fails(event: Any, **kwargs: Any) -> None:
        calls.append(event)
        if len(calls) == 2:
            raise LookupError("on purpose")

    connect(Rang, "tests.first", fails)

    with pytest.raises(AssertionError, match="(?s)tests.first failed and is pending.*on purpose"):
        deliver_twice("tests.first", Rang(number=1))


@pytest.mark.django_db(transaction=True)
def test_it_is_the_same_with_real_commits(connect: Any) -> None:
    connect(Rang, "tests.first")

    deliver_twice("tests.first", Rang(number=1))

    assert effects() == [("tests.first", 1)]


# What the page says


EXAMPLE = re.search(r"```python\n(.*?)```", (ROOT / "docs/testing.md").read_text(), re.DOTALL)


def examples() -> dict[str, Any]:
    assert EXAMPLE is not None
    names: dict[str, Any] = {"__name__": "docs.testing"}
    exec(compile(EXAMPLE[1], "docs/testing.md", "exec"), names)
    return {name: test for name, test in names.items() if name.startswith("test_")}


@pytest.mark.parametrize("name", examples())
def test_the_example_of_the_page_runs(name: str) -> None:
    examples()[name]()


def test_the_page_has_an_example_of_everything() -> None:
    assert len(examples()) == 3
