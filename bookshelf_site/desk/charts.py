"""Charts drawn on the server as SVG: the geometry here, the drawing in `admin/desk/chart.html`; no script, no style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, NotRequired, TypedDict, Unpack

WIDTH: Final = 600
HEIGHT: Final = 230
LEFT: Final = 62
RIGHT: Final = 22
TOP: Final = 14
BOTTOM: Final = 34
ROW: Final = 44
LONGEST_LABEL: Final = 46
STEPS: Final = 4


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number with its name, as it stands in the table; `short` stands on the axis, where there is room for it."""

    label: str
    value: Decimal
    text: str
    short: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A figure where it is drawn. Coordinates are text, for a template would write a comma into them in German."""

    figure: Figure
    x: str
    y: str
    width: str = "0"
    height: str = "0"

    @property
    def label(self) -> str:
        """Short enough to stand in one line."""
        label = self.figure.label
        return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1].rstrip()}…"


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A line of the grid and the number beside it."""

    y: str
    text: str


@dataclass(frozen=True, kw_only=True)
class AxisLabel:
    x: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What is drawn, and the same figures for the table below it."""

    name: str
    kind: str
    title: str
    description: str
    columns: tuple[str, str]
    figures: Sequence[Figure]
    marks: Sequence[Mark]
    ticks: Sequence[Tick] = ()
    labels: Sequence[AxisLabel] = ()
    height: int = HEIGHT
    total: str = ""
    template: str = field(default="admin/desk/chart.html", init=False)

    @property
    def points(self) -> str:
        """The line through all marks."""
        return " ".join(f"{mark.x},{mark.y}" for mark in self.marks)


class About(TypedDict):
    """What is said of a chart in words."""

    name: str
    title: str
    description: str
    columns: tuple[str, str]
    total: NotRequired[str]


def bar_chart(figures: Sequence[Figure], **about: Unpack[About]) -> Chart:
    """Upright bars over a common zero, one for each figure, in their order."""
    scale = _Scale(figures)
    gap = scale.slot * 0.2
    marks = [
        Mark(
            figure=figure,
            x=_number(LEFT + place * scale.slot + gap / 2),
            y=_number(scale.y_of(figure.value)),
            width=_number(scale.slot - gap),
            height=_number(scale.height_of(figure.value)),
        )
        for place, figure in enumerate(figures)
    ]
    return Chart(kind="bars", figures=figures, marks=marks, ticks=scale.ticks, labels=scale.labels, **about)


def line_chart(figures: Sequence[Figure], **about: Unpack[About]) -> Chart:
    """A line from figure to figure, in their order."""
    scale = _Scale(figures)
    marks = [
        Mark(figure=figure, x=_number(LEFT + (place + 0.5) * scale.slot), y=_number(scale.y_of(figure.value)))
        for place, figure in enumerate(figures)
    ]
    return Chart(kind="line", figures=figures, marks=marks, ticks=scale.ticks, labels=scale.labels, **about)


def row_chart(figures: Sequence[Figure], **about: Unpack[About]) -> Chart:
    """Lying bars, one below the other, each under its name: for figures whose names are long."""
    most = max((figure.value for figure in figures), default=Decimal(0)) or Decimal(1)
    marks = [
        Mark(
            figure=figure, x="0", y=str(place * ROW), width=_number(float(figure.value / most) * WIDTH), height=str(ROW)
        )
        for place, figure in enumerate(figures)
    ]
    return Chart(kind="rows", figures=figures, marks=marks, height=ROW * max(len(figures), 1), **about)


def round_steps(most: Decimal) -> list[Decimal]:
    """From zero up to at least this, in some four steps of 1, 2 or 5 times a power of ten; never less than 1."""
    rough = max(most / STEPS, Decimal(1))
    power = Decimal(10) ** rough.adjusted()
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    count = max(math.ceil(most / step), 1)
    return [step * place for place in range(count + 1)]


class _Scale:
    """Where values and slots lie in the drawing."""

    def __init__(self, figures: Sequence[Figure]) -> None:
        self.figures = figures
        self.steps = round_steps(max((figure.value for figure in figures), default=Decimal(0)))
        self.slot = (WIDTH - LEFT - RIGHT) / max(len(figures), 1)

    def height_of(self, value: Decimal) -> float:
        return float(value / self.steps[-1]) * (HEIGHT - TOP - BOTTOM)

    def y_of(self, value: Decimal) -> float:
        return HEIGHT - BOTTOM - self.height_of(value)

    @property
    def ticks(self) -> list[Tick]:
        return [Tick(y=_number(self.y_of(step)), text=_short(step)) for step in self.steps]

    @property
    def labels(self) -> list[AxisLabel]:
        return [
            AxisLabel(x=_number(LEFT + (place + 0.5) * self.slot), text=figure.short)
            for place, figure in enumerate(self.figures)
            if figure.short
        ]


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _short(step: Decimal) -> str:
    """500 stays, 1,500 is 1.5k, 2,000,000 is 2M."""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if step >= unit:
            return f"{step / unit:,.3f}".rstrip("0").rstrip(".") + letter
    return f"{step:,.0f}"
