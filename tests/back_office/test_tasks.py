"""What there is to do: the count of each is the count of the list to which it leads."""

import pytest
from model_bakery import baker

from bookshelf_site.desk import tasks
from bookshelf_site.desk.tasks import DUTIES
from bookshelf_site.events.models import Delivery, Event
from bookshelf_site.webhooks.models import Webhook
from inventory.models import Notification
from orders import services
from tests.given import a_book, a_waiting_order, an_order

pytestmark = pytest.mark.django_db

HOME = "/admin/"


@pytest.fixture
def boss(staff_of):
    """Somebody who may see everything."""
    return staff_of("Manager")


@pytest.fixture
def work():
    """Some of each kind of work, and something beside it that is none."""
    emma, rare = a_book("Emma", copies=40), a_book("Rare", copies=2)
    pending = [an_order((emma, 1)) for _ in range(3)]
    confirmed = [services.confirm_order(order_id=an_order((emma, 1)).pk) for _ in range(2)]
    services.ship_order(order_id=services.confirm_order(order_id=an_order((emma, 1)).pk).pk)
    a_waiting_order((rare, 5))
    a_waiting_order((rare, 1), (a_book("Rarer"), 1))
    services.cancel_order(order_id=a_waiting_order((rare, 1)).pk, reason="customer")
    baker.make(Notification, status="failed", message="came back", _quantity=2)
    baker.make(Notification, status="sent", sent_at=emma.created_at, message="went out")
    for status in ("dead", "pending"):
        baker.make(Delivery, event=Event.objects.latest("pk"), receiver=f"x.{status}", status=status, max_attempts=1)
    now = emma.created_at
    baker.make(Webhook, url="https://a.example", failing_since=now, failures=3, owed_after=0)
    off = ["gone", "failing", "by_hand", "by_hand"]
    for why in off:
        baker.make(Webhook, url="x", status="disabled", disabled_at=now, disabled_reason=why, owed_after=0)
    baker.make(Webhook, url="https://c.example", owed_after=0)
    return len(pending), len(confirmed)


def counts(page):
    return {task.name: task.count for task in page.context["tasks"]}


def listed(desk, url):
    """How many rows the list has, as its own page counts them."""
    return desk.get(url).context["cl"].result_count


def test_it_counts_what_there_is_to_do(boss, work):
    assert counts(boss.get(HOME)) == {
        "confirm": 3,
        "ship": 2,
        "waiting": 2,
        "low": 1,
        "mails": 2,
        "webhooks-failing": 1,
        "webhooks-off": 2,
        "dead": 1,
    }


def test_each_count_is_the_count_of_the_list_to_which_it_leads(boss, work):
    found = boss.get(HOME).context["tasks"]

    assert {task.name: listed(boss, task.url) for task in found} == {task.name: task.count for task in found}


def test_each_task_is_a_link_on_the_page(boss, work):
    page = boss.open(HOME)

    assert {duty.url for duty in DUTIES} <= set(page.links)
    assert "3 Orders to confirm" in page.text


def test_a_shop_with_nothing_to_do_says_zero(desk):
    assert set(counts(desk.get(HOME)).values()) == {0}


def test_only_what_one_may_look_at_is_shown(django_user_model, client):
    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    a_book("Emma", copies=4)
    client.force_login(clerk)

    page = client.get(HOME)

    assert (page.context["tasks"], page.context["panels"], page.context["shortcuts"]) == ([], [], [])
    assert "Emma" not in page.content.decode()


@pytest.mark.parametrize(
    ("group", "shortcuts"),
    [
        ("Bookseller", ["Place an order", "Add a book", "Stocktake"]),
        ("Manager", ["Place an order", "Add a book", "Stocktake"]),
        ("Integration", ["Place an order", "Add a book"]),
        ("Read-only", []),
    ],
)
def test_each_group_is_offered_what_it_may_begin(staff_of, group, shortcuts):
    person = staff_of(group)
    page = person.get(HOME)

    assert [str(label) for _, label in page.context["shortcuts"]] == shortcuts
    assert [person.get(url).status_code for url, _ in page.context["shortcuts"]] == [200] * len(shortcuts)


def test_no_more_is_counted_than_the_lists_count(boss, work, monkeypatch):
    monkeypatch.setattr(tasks, "COUNTED", 2)

    page = boss.open(HOME)

    assert "2+ Orders to confirm" in page.text
    assert "2 Orders to pack and hand over" in page.text


def test_the_page_costs_the_same_for_many(desk, work, django_assert_max_num_queries):
    for number in range(20):
        an_order((a_book(f"Volume {number}", copies=5), 1))

    with django_assert_max_num_queries(20):
        desk.get(HOME)
