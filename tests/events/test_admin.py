from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from bookshelf_site.events import PermanentFailure, acting
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.upkeep import note_receivers
from tests.events.happenings import Rang, Whispered, ring

pytestmark = [pytest.mark.django_db, pytest.mark.heavy("sqlite"), pytest.mark.usefixtures("ledger")]
VIEW = ("view_event", "view_delivery")
DELIVERIES = "admin:events_delivery_changelist"
EVENTS = "admin:events_event_changelist"
GLANCE = "admin:events_receiver_changelist"


@pytest.fixture
def staff(client):
    """`staff("retry_delivery")`: a browser of somebody with these permissions on top of looking."""

    def log_in(*codenames):
        user = User.objects.create_user("alice", is_staff=True)
        rights = Permission.objects.filter(content_type__app_label="events", codename__in=[*VIEW, *codenames])
        user.user_permissions.set(rights)
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def dead(connect):
    def dies(sender, event, **kwargs):
        raise PermanentFailure("<b>no such address</b>")

    connect(Rang, "tests.dies", dies)
    with acting(actor="user:bob", correlation_id="request-7"):
        ring(1, stream="orders.order:42")
    return Delivery.objects.get()


def change(row):
    return reverse(f"admin:events_{row._meta.model_name}_change", args=[row.pk])


def page(client, address, **query):
    response = client.get(address, query)
    assert response.status_code == 200
    return response.content.decode()


def test_an_event_is_shown_with_its_payload_and_deliveries(staff, dead):
    shown = page(staff(), change(dead.event))

    assert "&quot;number&quot;: 1" in shown
    assert "orders.order:42" in shown
    assert "user:bob" in shown
    assert "tests.dies" in shown
    assert change(dead) in shown


def test_a_delivery_is_shown_with_its_traceback(staff, dead):
    shown = page(staff(), change(dead))

    assert "PermanentFailure: &lt;b&gt;no such address&lt;/b&gt;" in shown
    assert change(dead.event) in shown


def test_cause_and_effect_lead_to_each_other(staff, connect):
    connect(Rang, "tests.whispers", lambda **kwargs: emit(Whispered(to="Alice", about=None, loudness=1)))
    ring(1)
    cause, effect = Event.objects.order_by("id")
    client = staff()

    assert change(effect) in page(client, change(cause))
    assert change(cause) in page(client, change(effect))


@pytest.mark.parametrize(("permissions", "is_shown"), [([], False), (["read_personal_data"], True)])
def test_personal_data_is_for_whoever_may_read_it(staff, permissions, is_shown):
    emit(Whispered(to="Alice Johnson", about=None, loudness=3))
    event = Event.objects.get()

    shown = page(staff(*permissions), change(event))

    assert "&quot;loudness&quot;: 3" in shown
    assert ("Alice Johnson" in shown) is is_shown


@pytest.mark.parametrize("term", ["request-7", "orders.order:42", "42", "uid"])
def test_rows_are_found_by_event_request_and_what_it_happened_to(staff, dead, term):
    ring(2)
    term = str(dead.event.uid) if term == "uid" else term
    client = staff()

    assert page(client, reverse(EVENTS), q=term).count('<th class="field-occurred_at') == 1
    assert page(client, reverse(DELIVERIES), q=term).count('<th class="field-owed_to') == 1
    assert 'field-owed_to"' not in page(client, reverse(DELIVERIES), q="nonsense")


def test_lists_are_filtered(staff, dead):
    client = staff()

    assert "request-7" in page(client, reverse(EVENTS), name="tests.rang")
    assert "request-7" not in page(client, reverse(EVENTS), name="tests.echoed")
    assert change(dead) in page(client, reverse(DELIVERIES), status__exact="dead", receiver="tests.dies")
    assert change(dead) not in page(client, reverse(DELIVERIES), status__exact="done")


@pytest.mark.parametrize("right", ["add", "change", "delete"])
def test_nobody_writes_by_hand(admin_client, dead, right):
    for row in (dead, dead.event):
        kind = row._meta.model_name
        address = reverse(f"admin:events_{kind}_add") if right == "add" else change(row)
        address = reverse(f"admin:events_{kind}_delete", args=[row.pk]) if right == "delete" else address

        assert admin_client.post(address, {"name": "x"}).status_code == 403

    assert Event.objects.get().name == "tests.rang"
    assert Delivery.objects.get().status == "dead"


@pytest.mark.parametrize("address", [EVENTS, DELIVERIES])
def test_a_list_asks_nothing_per_row(staff, connect, address):
    connect(Rang, "tests.first")
    ring(1)
    client = staff()
    page(client, reverse(address))
    with CaptureQueriesContext(connection) as short:
        page(client, reverse(address))

    ring(*range(20))

    with CaptureQueriesContext(connection) as long:
        page(client, reverse(address))
    assert len(long) == len(short)


def act(client, action, *deliveries, **fields):
    selected = {"action": action, "_selected_action": [delivery.pk for delivery in deliveries]}
    return client.post(reverse(DELIVERIES), selected | fields, follow=True).content.decode()


def test_a_dead_letter_is_retried(staff, dead):
    shown = act(staff("retry_delivery"), "retry_selected", dead)

    assert "1 delivery: owed again" in shown
    assert Delivery.objects.get(pk=dead.pk).status == "pending"
    assert Event.objects.get(name="events.delivery_retried").actor == "user:alice"


def test_a_dead_letter_is_skipped_with_a_reason(staff, dead):
    client = staff("skip_delivery")
    asked = act(client, "skip_selected", dead)
    assert 'name="reason"' in asked
    assert Delivery.objects.get().status == "dead"

    shown = act(client, "skip_selected", dead, reason="told by phone")

    assert "1 delivery: skipped" in shown
    assert Delivery.objects.get().status == "done"
    assert Event.objects.get(name="events.delivery_skipped").data["reason"] == "told by phone"


def test_skipping_without_a_reason_is_refused(staff, dead):
    shown = act(staff("skip_delivery"), "skip_selected", dead, reason=" ")

    assert "say why" in shown
    assert Delivery.objects.get().status == "dead"


def test_what_is_not_dead_is_refused_and_the_rest_is_done(staff, dead, connect):
    connect(Rang, "tests.first")
    ring(2)
    done = Delivery.objects.get(status="done")

    shown = act(staff("retry_delivery"), "retry_selected", dead, done)

    assert "1 delivery: owed again" in shown
    assert f"Delivery {done.pk} is done: only a dead letter can be retried or skipped." in shown
    assert Delivery.objects.get(pk=done.pk).status == "done"


def test_there_is_nothing_to_skip_where_nothing_is_dead(staff, dead):
    Delivery.objects.update(status="pending")

    shown = act(staff("skip_delivery"), "skip_selected", dead)

    assert "None of these is a dead letter." in shown
    assert 'name="reason"' not in shown


@pytest.mark.parametrize(("action", "other"), [("retry_selected", "skip"), ("skip_selected", "retry")])
def test_each_action_has_a_permission_of_its_own(staff, dead, action, other):
    client = staff(f"{other}_delivery")

    act(client, action, dead, reason="told by phone")

    assert Delivery.objects.get(pk=dead.pk).status == "dead"
    assert f'value="{action}"' not in page(client, reverse(DELIVERIES))
    assert f'value="{action}"' not in page(client, change(dead))
    assert f'value="{other}_selected"' in page(client, change(dead))


def test_only_a_dead_letter_has_buttons(staff, dead):
    client = staff("retry_delivery", "skip_delivery")
    assert 'value="retry_selected"' in page(client, change(dead))

    Delivery.objects.update(status="pending")

    assert 'value="retry_selected"' not in page(client, change(dead))
    assert 'value="skip_selected"' not in page(client, change(dead))


def test_the_pages_bring_no_script_and_no_style_of_their_own(staff, dead):
    client = staff("retry_delivery", "skip_delivery")

    for shown in (page(client, change(dead)), act(client, "skip_selected", dead)):
        assert "<style" not in shown
        assert " style=" not in shown
        assert "onclick=" not in shown


def test_whoever_may_not_look_sees_nothing(client, dead):
    client.force_login(User.objects.create_user("bob", is_staff=True))

    assert client.get(change(dead)).status_code == 403
    assert client.get(reverse(EVENTS)).status_code == 403


# Replay


@pytest.fixture
def missed(connect):
    """An event that `tests.new` was never told."""
    connect(Rang, "tests.new")
    note_receivers()
    Rang.signal.disconnect(dispatch_uid="tests.new")
    ring(1)
    return Event.objects.get()


def replay(client, event, receiver):
    address = reverse("admin:events_event_replay", args=[event.pk])
    return client.post(address, {"receiver": receiver}, follow=True)


def test_an_event_is_replayed_to_a_receiver_that_missed_it(staff, missed, connect):
    connect(Rang, "tests.new")
    client = staff("replay_event")
    assert "<option>tests.new</option>" in page(client, change(missed))

    shown = replay(client, missed, "tests.new").content.decode()

    assert "Owed to tests.new." in shown
    assert Delivery.objects.get().status == "pending"
    assert Event.objects.get(name="events.event_replayed").actor == "user:alice"


def test_what_would_come_twice_is_not_replayed(staff, connect):
    connect(Rang, "tests.first")
    ring(1)

    shown = replay(staff("replay_event"), Event.objects.get(), "tests.first").content.decode()

    assert "Tests.first has had its effect, and is not declared repeatable=True" in shown
    assert Delivery.objects.get().status == "done"
    assert Event.objects.count() == 1


def test_replaying_has_a_permission_of_its_own(staff, missed, connect):
    connect(Rang, "tests.new")
    client = staff("retry_delivery", "skip_delivery")

    assert 'name="receiver"' not in page(client, change(missed))
    assert replay(client, missed, "tests.new").status_code == 403
    assert not Delivery.objects.exists()


def test_looking_replays_nothing(staff, missed):
    assert staff("replay_event").get(reverse("admin:events_event_replay", args=[missed.pk])).status_code == 405


def test_what_is_not_there_is_not_replayed(staff, missed):
    missed.pk += 1

    assert replay(staff("replay_event"), missed, "tests.new").status_code == 404


# At a glance


def test_the_index_leads_to_what_is_owed_overdue_and_dead(staff, dead, settings):
    settings.EVENTS_ENGINE = "relay"
    ring(2)
    Delivery.objects.filter(status="pending").update(due=timezone.now() - timedelta(hours=2))
    client = staff("view_receiver")
    assert f'href="{reverse(GLANCE)}"' in page(client, reverse("admin:index"))

    shown = page(client, reverse(GLANCE))

    assert "Receivers at a glance" in shown
    assert f'{reverse(DELIVERIES)}?receiver=tests.dies&amp;status__exact=pending">1</a>' in shown
    assert f'{reverse(DELIVERIES)}?receiver=tests.dies&amp;status__exact=dead">1</a>' in shown
    assert "2\xa0hours" in shown
    assert "inventory.stock_copies" in shown


def test_a_glance_asks_nothing_per_receiver_and_per_delivery(staff, connect, settings):
    settings.EVENTS_ENGINE = "relay"
    client = staff("view_receiver")
    page(client, reverse(GLANCE))
    with CaptureQueriesContext(connection) as few:
        page(client, reverse(GLANCE))

    for number in range(5):
        connect(Rang, f"tests.number_{number}")
    ring(*range(5))

    with CaptureQueriesContext(connection) as many:
        page(client, reverse(GLANCE))
    assert len(many) == len(few)


def test_a_glance_needs_its_permission(staff):
    assert staff().get(reverse(GLANCE)).status_code == 403


def test_the_new_pages_bring_no_script_and_no_style_of_their_own(staff, missed, connect):
    connect(Rang, "tests.new")
    client = staff("view_receiver", "replay_event")

    for shown in (page(client, change(missed)), page(client, reverse(GLANCE))):
        assert "<style" not in shown
        assert " style=" not in shown
        assert "onclick=" not in shown
