import functools

import pytest
from django.dispatch import Signal, receiver

from bookshelf_site.events.models import Delivery
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.signals import RECEIVERS, SIGNALS, DomainSignal
from tests.events.happenings import Echoed, Rang, effects, ring


@pytest.fixture
def signal():
    """One of its own, forgotten when the test ends."""
    signal = DomainSignal()
    SIGNALS.append(signal)
    yield signal
    for uid in list(signal.durable):
        signal.disconnect(dispatch_uid=uid)
    SIGNALS.remove(signal)


def hear(sender, event, **kwargs):
    return f"heard {event.number}"


def other(sender, event, **kwargs):
    pass


def test_an_events_signal_is_a_signal_of_djangos():
    assert isinstance(Rang.signal, Signal)


def test_a_durable_receiver_hears_a_plain_send_as_any_receiver_does(signal):
    receiver(signal, dispatch_uid="tests.hear")(hear)

    answers = signal.send(sender=None, event=Rang(number=1))

    assert [answer for _, answer in answers] == ["heard 1"]


def test_a_batch_receiver_hears_a_plain_send_as_a_batch_of_one(signal):
    signal.connect(lambda events, **kwargs: [e.number for e in events], dispatch_uid="tests.hear", batch=True)

    assert [answer for _, answer in signal.send(sender=None, event=Rang(number=1))] == [[1]]


def test_a_durable_receiver_that_raises_at_a_robust_plain_send_is_reported(signal):
    def broken(**kwargs):
        raise LookupError("no such ear")

    signal.connect(broken, dispatch_uid="tests.broken")
    signal.connect(functools.partial(broken), dispatch_uid="tests.nameless")

    answers = signal.send_robust(sender=None, event=Rang(number=1))

    assert [str(answer) for _, answer in answers] == ["no such ear", "no such ear"]


@pytest.mark.django_db
@pytest.mark.usefixtures("ledger")
def test_a_plain_send_leaves_no_rows_and_a_stored_event_is_heard_once(connect):
    connect(Rang, "tests.first")

    Rang.signal.send(sender=None, event=Rang(number=1))
    assert not Delivery.objects.exists()
    ring(2)

    assert effects() == [("tests.first", 1), ("tests.first", 2)]
    assert Delivery.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.usefixtures("ledger")
def test_another_event_sent_by_hand_while_one_is_announced_is_heard(connect, listen):
    connect(Echoed, "tests.echo")
    listen(Rang, lambda event, **kwargs: Echoed.signal.send(sender=None, event=Echoed(number=7)))

    ring(1)

    assert effects() == [("tests.echo", 7)]


@pytest.mark.django_db
@pytest.mark.usefixtures("ledger")
def test_a_receiver_of_two_events_hears_both(connect):
    hear_both = connect(Rang, "tests.both")
    connect(Echoed, "tests.both", hear_both)

    ring(1)
    from django.db import transaction

    with transaction.atomic():
        emit(Echoed(number=2))

    assert effects() == [("tests.both", 1), ("tests.both", 2)]


def test_a_durable_receiver_is_held_strongly(signal):
    def nested(sender, event, **kwargs):
        return "still here"

    signal.connect(nested, dispatch_uid="tests.nested")
    del nested

    assert [answer for _, answer in signal.send(sender=None, event=Rang(number=1))] == ["still here"]


def test_connecting_twice_hears_once(signal):
    signal.connect(hear, dispatch_uid="tests.hear")
    signal.connect(hear, dispatch_uid="tests.hear")

    assert len(signal.send(sender=None, event=Rang(number=1))) == 1


@pytest.mark.parametrize(
    ("function", "options", "why"),
    [
        (other, {"dispatch_uid": "tests.hear"}, "a uid names one receiver for ever"),
        (hear, {"dispatch_uid": "tests.hear", "alone": True}, "its options are the same"),
        (hear, {"dispatch_uid": "tests.new", "sender": Delivery}, "hears every sender"),
        (hear, {"dispatch_uid": ""}, "1 to 100 characters"),
        (hear, {"dispatch_uid": "u" * 101}, "1 to 100 characters"),
        (hear, {"dispatch_uid": "tests.new", "aliases": ("u" * 101,)}, "1 to 100 characters"),
        (other, {"dispatch_uid": "tests.new", "aliases": ("tests.hear",)}, "tests.hear: taken by"),
        (hear, {"dispatch_uid": "tests.new", "aliases": ("tests.hear",)}, "its options are the same"),
        (hear, {"alone": True}, "only a receiver with a dispatch_uid can be alone"),
        (hear, {"dispatch_uid": "tests.new", "record": other}, "only an external receiver"),
        (lambda sender, event: None, {"dispatch_uid": "tests.new"}, r"accepts \*\*kwargs"),
    ],
)
def test_what_could_not_be_kept_is_refused_when_it_is_connected(signal, function, options, why):
    signal.connect(hear, dispatch_uid="tests.hear")

    with pytest.raises(ValueError, match=why):
        signal.connect(function, **options)

    assert list(signal.durable) == ["tests.hear"]
    assert "tests.new" not in RECEIVERS


def test_an_async_durable_receiver_is_refused(signal):
    async def later(sender, event, **kwargs):
        pass

    with pytest.raises(ValueError, match="can't be async"):
        signal.connect(later, dispatch_uid="tests.later")

    assert "tests.later" not in RECEIVERS


def test_a_disconnected_receiver_is_forgotten_when_no_signal_holds_it(signal):
    signal.connect(hear, dispatch_uid="tests.hear")

    assert signal.disconnect(dispatch_uid="tests.hear") is True

    assert "tests.hear" not in RECEIVERS
    assert signal.send(sender=None, event=Rang(number=1)) == []
    assert signal.disconnect(dispatch_uid="tests.hear") is False


def test_a_receiver_is_known_by_its_former_uids_until_it_is_forgotten(signal):
    signal.connect(hear, dispatch_uid="tests.hear", aliases=("tests.heard",))
    assert RECEIVERS["tests.heard"] is RECEIVERS["tests.hear"]
    with pytest.raises(ValueError, match=r"tests\.heard: taken by"):
        signal.connect(other, dispatch_uid="tests.heard")

    signal.disconnect(dispatch_uid="tests.hear")

    assert not {"tests.heard", "tests.hear"} & RECEIVERS.keys()


def test_disconnecting_somebody_else_forgets_nobody(signal):
    signal.connect(hear, dispatch_uid="tests.hear")

    assert signal.disconnect(sender=Delivery, dispatch_uid="tests.hear") is False

    assert "tests.hear" in RECEIVERS
    assert list(signal.durable) == ["tests.hear"]


def test_a_best_effort_receiver_is_djangos_own_affair(signal):
    signal.connect(hear, sender=Delivery)

    assert signal.send(sender=Rang, event=Rang(number=1)) == []
    assert [answer for _, answer in signal.send(sender=Delivery, event=Rang(number=1))] == ["heard 1"]
    assert signal.durable == {}
