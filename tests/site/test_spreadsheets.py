import csv
import io
import tracemalloc
import zipfile
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from bookshelf_site import spreadsheets
from bookshelf_site.spreadsheets import NoWorkbook, csv_stream, defused, restored, workbook_as_csv, write_workbook


def a_workbook(*rows):
    book = Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    file.seek(0)
    return file


def as_csv(file):
    return workbook_as_csv(file).read().decode()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''-1", "＝1", "＠x"])
def test_what_a_spreadsheet_would_compute_gets_an_apostrophe(text):
    assert defused(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Emma", "'Tis", "1-2", " =1", "''", "O'Brien"])
def test_everything_else_stays_as_it_is(text):
    assert defused(text) == restored(text) == text


@given(st.text(alphabet="'=+-@\t\ra ＝", max_size=8) | st.text(max_size=20))
def test_an_import_undoes_exactly_what_an_export_did(text):
    assert restored(defused(text)) == text


def test_a_csv_has_its_mark_its_header_and_harmless_cells():
    [first, rest] = csv_stream(["a", "b"], [["=1", 2], ["x,y", Decimal("-1.50")]])

    assert first == b"\xef\xbb\xbfa,b\r\n"
    assert rest == b'\'=1,2\r\n"x,y",-1.50\r\n'


def test_rows_are_taken_as_they_are_sent():
    taken = []

    def rows():
        for number in range(10 * spreadsheets.ROWS_AT_ONCE):
            taken.append(number)
            yield [number]

    lines = csv_stream(["n"], rows())

    next(lines), next(lines)

    assert len(taken) == spreadsheets.ROWS_AT_ONCE


def test_a_workbook_holds_values_and_harmless_texts():
    with write_workbook(["a", "b", "c"], [["=1", 2, True], ["x\x0by", Decimal("1.50"), ""]]) as file:
        rows = list(load_workbook(file).active.iter_rows(values_only=True))

    assert rows == [("a", "b", "c"), ("'=1", 2, True), ("x�y", 1.5, None)]


def test_a_workbook_is_read_as_what_it_shows():
    file = a_workbook(["isbn", "x"], [9780743273565.0, 12.99], [None], ["a\nb", True], [date(2026, 1, 2), "x,y"])

    rows = list(csv.reader(as_csv(file).split("\n")))

    assert rows == [
        ["isbn", "x"],
        ["9780743273565", "12.99"],
        [],
        ["a\u2028b", "True"],
        ["2026-01-02", "x,y"],
        [],
    ]


def test_a_row_that_the_file_leaves_out_is_an_empty_line():
    book = Workbook()
    book.active["A1"], book.active["A4"] = "isbn", "x"
    file = io.BytesIO()
    book.save(file)

    assert as_csv(file) == "isbn\n\n\nx\n"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and more", b"no zip at all" * 100])
def test_what_is_no_workbook_is_refused(content):
    with pytest.raises(NoWorkbook, match="no Excel workbook"):
        as_csv(io.BytesIO(content))


def test_an_archive_of_something_else_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.txt", "x")

    with pytest.raises(NoWorkbook, match="no Excel workbook"):
        as_csv(file)


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(spreadsheets, "LARGEST", 10_000)
    file = a_workbook(*([f"{n:0100}"] for n in range(1000)))

    with pytest.raises(NoWorkbook, match="too large"):
        as_csv(file)


def test_entities_that_blow_up_are_refused():
    file, clean = io.BytesIO(), a_workbook(["isbn"])
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><worksheet>&b;</worksheet>'
    with zipfile.ZipFile(clean) as source, zipfile.ZipFile(file, "w") as target:
        for name in source.namelist():
            target.writestr(name, bomb if name.endswith("sheet1.xml") else source.read(name))

    with pytest.raises(NoWorkbook):
        as_csv(file)


def test_a_long_workbook_is_read_in_constant_memory():
    def peak(rows):
        file = a_workbook(*([9780743273565, "x" * 50] for _ in range(rows)))
        tracemalloc.start()
        lines = workbook_as_csv(file)
        while lines.read(2**16):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak(2_000) < 2 * peak(200) + 500_000
