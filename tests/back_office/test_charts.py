from decimal import Decimal
from itertools import pairwise

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from bookshelf_site.desk import charts
from bookshelf_site.desk.charts import Figure


def figures(*values):
    return [
        Figure(label=f"day {place}", value=Decimal(value), text=f"{value} USD", short=f"d{place}" if place % 2 else "")
        for place, value in enumerate(values)
    ]


def drawn(draw, *values, **options):
    return draw(figures(*values), name="x", title="T", description="D", columns=("Day", "Sales"), **options)


def test_bars_are_as_high_as_their_figures():
    chart = drawn(charts.bar_chart, "0", "50", "100")

    zero, half, whole = [float(mark.height) for mark in chart.marks]
    assert (zero, half * 2) == (0, whole)
    assert {float(mark.y) + float(mark.height) for mark in chart.marks} == {charts.HEIGHT - charts.BOTTOM}


def test_bars_stand_side_by_side_inside_the_drawing():
    marks = drawn(charts.bar_chart, *["1"] * 30).marks

    ends = [(float(mark.x), float(mark.x) + float(mark.width)) for mark in marks]
    assert all(end <= begin for (_, end), (begin, _) in pairwise(ends))
    assert ends[0][0] >= charts.LEFT
    assert ends[-1][1] <= charts.WIDTH - charts.RIGHT


def test_a_line_goes_through_all_figures():
    chart = drawn(charts.line_chart, "0", "10", "5")

    heights = [float(point.split(",")[1]) for point in chart.points.split()]
    floor = charts.HEIGHT - charts.BOTTOM
    assert [floor - height for height in heights] == pytest.approx([0, floor - charts.TOP, (floor - charts.TOP) / 2])


def test_the_longest_lying_bar_fills_the_width():
    chart = drawn(charts.row_chart, "8", "2", "0")

    assert [mark.width for mark in chart.marks] == ["600", "150", "0"]


@pytest.mark.parametrize("draw", [charts.bar_chart, charts.line_chart, charts.row_chart])
@pytest.mark.parametrize("values", [[], ["0", "0"]])
def test_nothing_can_be_drawn_too(draw, values):
    chart = drawn(draw, *values)

    assert [mark.figure.value for mark in chart.marks] == [0] * len(values)
    assert "NaN" not in f"{chart.marks} {chart.ticks}"


@pytest.mark.parametrize(
    ("most", "steps"),
    [
        ("0", ["0", "1"]),
        ("1", ["0", "1"]),
        ("3", ["0", "1", "2", "3"]),
        ("11", ["0", "5", "10", "15"]),
        ("355.66", ["0", "100", "200", "300", "400"]),
        ("400", ["0", "100", "200", "300", "400"]),
        ("400.01", ["0", "200", "400", "600"]),
        ("99999999", ["0", "50000000", "100000000"]),
    ],
)
def test_the_axis_counts_in_round_steps_up_to_the_most(most, steps):
    assert charts.round_steps(Decimal(most)) == [Decimal(step) for step in steps]


@pytest.mark.parametrize(
    ("most", "last"), [("355", "400"), ("1500", "1.5k"), ("4000", "4k"), ("60000", "60k"), ("3000000", "3M")]
)
def test_large_numbers_stand_short_on_the_axis(most, last):
    assert drawn(charts.bar_chart, most).ticks[-1].text == last


def test_a_long_name_is_cut_and_stands_whole_in_the_table():
    name = "A title that is longer than most, and then has a subtitle besides"
    chart = charts.row_chart(
        [Figure(label=name, value=Decimal(1), text="1")], name="x", title="T", description="D", columns=("A", "B")
    )

    html = render_to_string("admin/desk/chart.html", {"chart": chart})

    assert chart.marks[0].label == "A title that is longer than most, and then ha…"
    assert f'<th scope="row">{name}</th>' in html


def test_a_chart_has_a_name_a_description_and_a_table_of_the_same_figures():
    html = render_to_string("admin/desk/chart.html", {"chart": drawn(charts.bar_chart, "1", "2", total="3 USD")})

    assert 'role="img" aria-labelledby="x-title x-desc"' in html
    assert '<title id="x-title">T</title><desc id="x-desc">D</desc>' in html
    assert html.count("<rect") == 2
    assert [f'<td class="number">{text}</td>' in html for text in ("1 USD", "2 USD", "3 USD")] == [True] * 3
    assert "style=" not in html


def test_coordinates_stay_numbers_in_every_language():
    chart = drawn(charts.bar_chart, "1.5", "2.25", "3")

    with translation.override("de"):
        html = render_to_string("admin/desk/chart.html", {"chart": chart})

    assert all("," not in part.split('"')[1] for part in html.split(" ") if part.startswith(("x=", "y=", "height=")))


def test_what_a_book_is_called_is_no_markup():
    chart = charts.row_chart(
        [Figure(label="<b>x</b>", value=Decimal(1), text="1")], name="x", title="T", description="D", columns=("A", "B")
    )

    html = render_to_string("admin/desk/chart.html", {"chart": chart})

    assert "<b>" not in html
