"""Gauges for Prometheus, made of the rows when they are asked for: right however many processes share the database.

A scrape costs four queries, on partial indexes: what is owed and what is dead, of each at most `MOST_COUNTED` rows,
what was settled within `WINDOW`, and the receivers. What was settled before costs nothing, however much that is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import structlog

from bookshelf_site.events.report import WINDOW, settled_lately, standings

try:
    import prometheus_client
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.registry import Collector
except ImportError:  # the extra `metrics` is not installed
    prometheus_client = None  # type: ignore[assignment]  # a module, or nothing
    if not TYPE_CHECKING:
        Collector = object

log = structlog.get_logger(__name__)

LATELY = f"in the last {WINDOW.seconds} s"


class DeliveryCollector(Collector):
    """What is owed, how old the oldest is, what is dead, and what was done lately."""

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: when it is registered there may be no database yet."""
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        try:
            families = list(_families())
        # a monitor hears of a broken database, too: by a gauge, and not by an error of the page with all the others
        except Exception as error:
            log.warning("deliveries can't be counted", error=type(error).__name__)
            families = []
        yield _gauge("readable", "Whether the deliveries could be counted", float(bool(families)))
        yield from families


def _families() -> Iterable[GaugeMetricFamily]:
    found = standings()
    yield _by_receiver("owed", "Deliveries that are pending", {one.receiver: one.owed for one in found})
    yield _by_receiver("overdue", "Those that are due by a minute", {one.receiver: one.overdue for one in found})
    yield _by_receiver("dead", "Dead letters", {one.receiver: one.dead for one in found})
    oldest = max((one.age.total_seconds() for one in found), default=0.0)
    yield _gauge("oldest_due_age_seconds", "How long the longest due delivery has been due", oldest)
    done = settled_lately()
    yield _by_receiver("done_lately", f"Deliveries settled {LATELY}", {one.receiver: one.done for one in done})
    yield _by_receiver(
        "attempts_lately", f"Attempts at what was settled {LATELY}", {one.receiver: one.attempts for one in done}
    )


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"bookshelf_deliveries_{name}", help_text, value=value)


def _by_receiver(name: str, help_text: str, counts: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"bookshelf_deliveries_{name}", help_text, labels=["receiver"])
    for receiver, count in sorted(counts.items()):
        family.add_metric([receiver], count)
    return family


def register() -> None:
    """Tell Prometheus' client, if it is installed."""
    if prometheus_client is not None:
        prometheus_client.REGISTRY.register(DeliveryCollector())
