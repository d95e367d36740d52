"""One till as a process: sells so many copies of each book that it is told, one order each."""

from __future__ import annotations

import sys
from uuid import UUID

import django

django.setup()

from django.test import override_settings  # noqa: E402

from benchmarks.flow import flow  # noqa: E402

if __name__ == "__main__":
    orders = int(sys.argv[1])
    with override_settings(EVENTS_ENGINE="inline"):
        print("open", flush=True)
        for line in sys.stdin:
            for _ in range(orders):
                flow(UUID(line.strip()))
            print("sold", flush=True)
