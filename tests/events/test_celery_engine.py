"""What the adapter does by itself, whatever the broker."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kombu.connection import Connection

from bookshelf_site.events import celery_engine
from bookshelf_site.events.messages import post
from bookshelf_site.events.models import Delivery
from tests.conftest import ROOT
from tests.events.happenings import Rang, changes, delivery_to, ring

NOTICED_SECONDS = 10
"""Far above the adapter's patience, for machines that are busy, and far below a broker's own timeouts."""


@pytest.fixture
def by_celery(settings, monkeypatch):
    settings.EVENTS_ENGINE = "celery"
    monkeypatch.setattr(post, "closed_until", 0.0)


@pytest.mark.django_db
@pytest.mark.usefixtures("ledger", "by_celery")
def test_a_message_is_two_integers_and_expires(connect, settings):
    settings.CELERY_BROKER_URL = "memory://localhost/"
    connect(Rang, "tests.first")
    with Connection(settings.CELERY_BROKER_URL) as broker, broker.SimpleQueue(celery_engine.QUEUE) as queue:
        queue.clear()

        ring(1)

        message = queue.get(timeout=5)
        message.ack()
    arguments, keywords, _ = message.payload
    assert message.headers["task"] == "bookshelf.deliver"
    assert (arguments, keywords) == ([delivery_to("tests.first").pk, 0], {})
    assert message.headers["ignore_result"]
    assert message.headers["expires"]


@pytest.fixture(params=["refuses", "accepts and says nothing"])
def dead_broker(request):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if request.param == "refuses":
            server.close()
        yield f"amqp://guest:guest@127.0.0.1:{port}//"


@pytest.mark.django_db
@pytest.mark.usefixtures("ledger", "by_celery")
def test_a_broker_that_is_down_fails_no_commit_and_delays_only_the_first(connect, settings, dead_broker):
    settings.CELERY_BROKER_URL = dead_broker
    connect(Rang, "tests.first")
    began = time.monotonic()

    ring(*range(20))

    assert time.monotonic() - began < NOTICED_SECONDS
    assert changes() == list(range(20))
    assert not post.is_open
    assert set(Delivery.objects.values_list("status", "attempts")) == {("pending", 0)}


def test_a_task_is_acknowledged_when_it_has_run():
    task = celery_engine.deliver

    assert (task.acks_late, task.reject_on_worker_lost, task.ignore_result) == (True, True, True)


def test_the_adapter_is_small():
    assert len(Path(celery_engine.__file__).read_text().splitlines()) <= 60


def test_celery_is_imported_only_where_it_was_chosen():
    code = "import django; django.setup(); import sys; assert not {'celery', 'kombu'} & sys.modules.keys()"

    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
