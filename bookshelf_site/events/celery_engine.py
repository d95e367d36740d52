"""Celery carries the messages. Start a worker with `celery -A bookshelf_site.events.celery_engine worker`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Final

import django
from celery import Celery
from celery.signals import setup_logging, task_prerun
from django.apps import apps
from django.conf import settings
from django.db import close_old_connections
from kombu.connection import Connection
from kombu.pools import producers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bookshelf_site.settings")
if not apps.ready:  # in a worker nobody has done it yet
    django.setup()

from bookshelf_site.events.messages import RESUBMIT, Message, run

QUEUE: Final = "bookshelf"
PATIENCE: Final = 1.0  # seconds that a request waits for an answer of the broker
OPTIONS: Final[dict[str, dict[str, object]]] = {
    "amqp": {"confirm_publish": True, "read_timeout": PATIENCE, "write_timeout": PATIENCE},
    "redis": {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE},
}

app = Celery("bookshelf", broker=settings.CELERY_BROKER_URL)
app.conf.update(
    task_default_queue=QUEUE,
    task_ignore_result=True,
    task_acks_late=True,  # what a worker takes along when it dies, the broker gives to another
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize  # else each message would cost a new connection to the database
task_prerun.connect(close_old_connections)
deliver = app.task(run, name="bookshelf.deliver")


@setup_logging.connect  # type: ignore[untyped-decorator]  # celery has no types
def keep_the_shops_logs(**kwargs: object) -> None:
    """Celery sets up no logs of its own if anybody listens here."""


def send(messages: Iterable[Message]) -> None:
    """Send them, confirmed where the broker can; raises if it doesn't answer in time."""
    url = settings.CELERY_BROKER_URL
    options = {"max_retries": 0} | OPTIONS.get(url.partition(":")[0], {})
    broker = Connection(url, connect_timeout=PATIENCE, transport_options=options)  # type: ignore[no-untyped-call]  # nor has kombu
    how = {"queue": QUEUE, "expires": RESUBMIT.total_seconds(), "confirm_timeout": PATIENCE}
    how |= {"retry": True, "retry_policy": {"max_retries": 1, "interval_start": 0}}  # a connection may have gone stale
    with producers[broker].acquire(block=True, timeout=PATIENCE) as producer:
        for message in messages:
            deliver.apply_async(message, producer=producer, **how)
