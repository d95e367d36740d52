import pytest
from django.core.management import call_command
from prometheus_client import REGISTRY

from bookshelf_site.events import PermanentFailure, metrics
from bookshelf_site.events.models import Receiver
from tests.events.happenings import Rang, ring


@pytest.fixture
def scrape(client):
    """`scrape()`: the figures about deliveries, as Prometheus reads them."""

    def scrape():
        lines = client.get("/metrics").content.decode().splitlines()
        figures = (line.rsplit(" ", 1) for line in lines if line.startswith("bookshelf_deliveries_"))
        return {name.removeprefix("bookshelf_deliveries_"): float(value) for name, value in figures}

    return scrape


@pytest.mark.django_db
@pytest.mark.usefixtures("ledger")
def test_the_gauges_say_how_the_deliveries_are_doing(connect, scrape, settings):
    def dies(sender, event, **kwargs):
        raise PermanentFailure

    connect(Rang, "tests.dies", dies)
    connect(Rang, "tests.first")
    ring(1)
    settings.EVENTS_ENGINE = "relay"
    ring(2)

    found = scrape()

    assert found["readable"] == 1
    assert found['owed{receiver="tests.first"}'] == 1
    assert found['overdue{receiver="tests.first"}'] == 0
    assert found['dead{receiver="tests.dies"}'] == 1
    assert found['dead{receiver="tests.first"}'] == 0
    assert found['done_lately{receiver="tests.first"}'] == 1
    assert found['attempts_lately{receiver="tests.first"}'] == 1
    assert 0 <= found["oldest_due_age_seconds"] < 60


@pytest.mark.django_db
def test_a_receiver_that_is_owed_nothing_is_there_with_a_zero(scrape):
    call_command("migrate", verbosity=0)
    assert Receiver.objects.filter(uid="inventory.stock_copies").exists()

    assert scrape()['owed{receiver="inventory.stock_copies"}'] == 0


@pytest.mark.django_db
def test_a_scrape_costs_four_queries(client, django_assert_num_queries):
    with django_assert_num_queries(4):
        client.get("/metrics")


def test_a_database_that_does_not_answer_is_a_figure_too(scrape):
    # pytest-django refuses every query of a test without `django_db`.
    assert scrape() == {"readable": 0}


def test_where_the_library_is_missing_nothing_is_registered(monkeypatch):
    registered = set(REGISTRY._collector_to_names)
    monkeypatch.setattr(metrics, "prometheus_client", None)

    metrics.register()

    assert set(REGISTRY._collector_to_names) == registered
