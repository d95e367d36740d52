"""What is measured, and how a result reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median

from benchmarks import api, flow, hot, page, relay

ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Two ways to do the same thing, each giving its rate per second; ours is to reach `target` times the floor."""

    name: str
    floor_is: str
    target: float
    ours: Callable[[], float]
    floor: Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Result:
    benchmark: Benchmark
    ours: float
    floor: float
    ratio: float

    def __str__(self) -> str:
        reached = "reached" if self.ratio >= self.benchmark.target else "MISSED"
        ours, floor = f"{self.ours:,.0f}/s", f"{self.benchmark.floor_is} ({self.floor:,.0f}/s)"
        return f"{self.benchmark.name}: {ours}, {self.ratio:.2f} x {floor}; target {self.benchmark.target} {reached}"


BENCHMARKS = (
    Benchmark(
        name="relay, one row each",
        floor_is="raw psycopg with a transaction each",
        target=1.5,
        ours=relay.drain_single,
        floor=relay.raw_single,
    ),
    Benchmark(
        name="relay, batch receiver",
        floor_is="raw psycopg in batches of 100",
        target=0.2,
        ours=relay.drain_batches,
        floor=relay.raw_batches,
    ),
    Benchmark(
        name="relay, with 1,000,000 settled deliveries",
        floor_is="the same relay without them",
        target=0.9,
        ours=relay.drain_beside_settled,
        floor=relay.drain_beside_nothing,
    ),
    Benchmark(
        name="relay, two processes",
        floor_is="one process",
        target=1.6,
        ours=relay.drain_by_two,
        floor=relay.drain_by_one,
    ),
    Benchmark(
        name="flow: place, confirm, ship",
        floor_is="raw psycopg, the same rows a statement at a time in as many transactions",
        target=0.5,
        ours=flow.through_services,
        floor=flow.raw,
    ),
    Benchmark(
        name="page: asked whether something is new, nothing is",
        floor_is="a bare django-ninja endpoint that reads the same row, by the same server",
        target=0.6,
        ours=page.polls,
        floor=page.bare,
    ),
    Benchmark(
        name="page: whole",
        floor_is="a bare django-ninja endpoint that reads the same row, by the same server",
        target=0.15,
        ours=page.pages,
        floor=page.bare,
    ),
    Benchmark(
        name="hot book: 8 tills sell the same one",
        floor_is="8 tills, each with a book of its own",
        target=0.7,
        ours=hot.of_one_book,
        floor=hot.of_a_book_each,
    ),
    Benchmark(
        name="api, GET /books/{id}",
        floor_is="a bare django-ninja endpoint that reads one row, by the same server",
        target=0.5,
        ours=api.get_book,
        floor=api.read_a_row,
    ),
    Benchmark(
        name="api, POST /orders",
        floor_is="a bare django-ninja endpoint that inserts one row, by the same server",
        target=0.2,
        ours=api.place_orders,
        floor=api.insert_a_row,
    ),
    Benchmark(
        name="api, POST /orders of one book",
        floor_is="of a book for each connection",
        target=0.7,
        ours=api.place_orders_of_one_book,
        floor=api.place_orders,
    ),
    *(
        Benchmark(
            name=f"api, {what}, {api.MANY:,} books, {vendor}",
            floor_is=f"with {api.FEW:,} books",
            target=0.67,
            ours=partial(api.listed, vendor, api.MANY, query),
            floor=partial(api.listed, vendor, api.FEW, query),
        )
        for vendor in ("postgresql", "sqlite")
        for what, query in api.QUERIES.items()
    ),
)


def all_results(wanted: list[str]) -> Iterator[Result]:
    for benchmark in BENCHMARKS:
        if not wanted or any(word in benchmark.name for word in wanted):
            yield measured(benchmark)


def measured(benchmark: Benchmark) -> Result:
    """Both in turns, so that what else the machine does hits both; the first round only warms up."""
    rounds = [(benchmark.ours(), benchmark.floor()) for _ in range(ROUNDS + 1)][1:]
    return Result(
        benchmark=benchmark,
        ours=median(ours for ours, _ in rounds),
        floor=median(floor for _, floor in rounds),
        ratio=median(ours / floor for ours, floor in rounds),
    )
