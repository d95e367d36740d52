"""One relay as a process: says when it is ready, drains when it is told to, and ends."""

from __future__ import annotations

import sys

import django

django.setup()

from benchmarks import relay as _  # noqa: E402, F401  # its receivers need the models
from bookshelf_site.events.models import Delivery  # noqa: E402
from bookshelf_site.events.relay import Relay  # noqa: E402

if __name__ == "__main__":
    Delivery.objects.first()
    print("ready", flush=True)
    sys.stdin.readline()
    Relay().drain()
