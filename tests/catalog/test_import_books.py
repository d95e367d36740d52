import gzip
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from bookshelf_site.events.models import Event
from catalog.models import Book
from tests.catalog.feeds.onix import message, product
from tests.given import raised, stock, usd
from tests.plugins.nursery import Nursery

pytestmark = pytest.mark.django_db

FEED = """\
title,author,isbn,price
Emma,Jane Austen,9780141439587,8.99
Persuasion,Jane Austen,9780141439686,
Banana,Nobody,banana,1.00
"""
NOT_AN_ISBN = "its ISBN is not valid: an ISBN has only digits and hyphens, and at the end of ten an X"


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    path = tmp_path / "feed.csv"
    path.write_text(FEED)
    return path


Run = Callable[..., tuple[str, str]]


@pytest.fixture
def run() -> Run:
    """The command, in this process: what it printed on stdout and on stderr."""

    def run(*arguments: object) -> tuple[str, str]:
        out, err = StringIO(), StringIO()
        call_command("import_books", *map(str, arguments), stdout=out, stderr=err, no_color=True)
        return out.getvalue(), err.getvalue()

    return run


def test_it_says_what_became_of_the_records_and_why(feed: Path, run: Run) -> None:
    out, err = run(feed)

    assert out == "3 read, 2 added, 0 updated, 0 unchanged, 1 rejected\n"
    assert err == f"line 4, record 3: {NOT_AN_ISBN}\n"
    assert set(Book.objects.values_list("title", flat=True)) == {"Emma", "Persuasion"}


def test_a_feed_may_be_packed(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "feed.csv.gz"
    path.write_bytes(gzip.compress(FEED.encode()))

    out, _ = run(path)

    assert out == "3 read, 2 added, 0 updated, 0 unchanged, 1 rejected\n"


def test_of_an_archive_that_is_cut_off_nothing_is_taken_over(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "feed.csv.gz"
    path.write_bytes(gzip.compress(FEED.encode())[:-6])

    with pytest.raises(CommandError, match="The gzip archive is damaged or cut off") as refused:
        run(path)

    assert refused.value.returncode == 1
    assert not Book.objects.exists()


def test_its_report_for_a_program_is_exactly_this(feed: Path, run: Run) -> None:
    out, err = run(feed, "--json")

    assert out == (
        '{"read": 3, "added": 2, "updated": 0, "unchanged": 0, '
        f'"rejected": [{{"record": "3", "reason": "{NOT_AN_ISBN}"}}]}}\n'
    )
    assert err == ""


def test_run_again_it_changes_nothing(feed: Path, run: Run) -> None:
    run(feed, "--opening-stock", 2)
    events = Event.objects.count()

    out, _ = run(feed, "--opening-stock", 2)

    assert out == "3 read, 0 added, 0 updated, 2 unchanged, 1 rejected\n"
    assert Event.objects.count() == events


def test_a_dry_run_reports_and_writes_nothing(feed: Path, run: Run) -> None:
    out, err = run(feed, "--dry-run")

    assert out == "3 read, 2 added, 0 updated, 0 unchanged, 1 rejected (a dry run: nothing was written)\n"
    assert err == f"line 4, record 3: {NOT_AN_ISBN}\n"
    assert (Book.objects.count(), Event.objects.count()) == (0, 0)


def test_a_dry_run_reports_to_a_program_what_a_run_would(feed: Path, run: Run) -> None:
    would, _ = run(feed, "--dry-run", "--json")
    did, _ = run(feed, "--json")

    assert json.loads(would) == json.loads(did)


def test_new_books_get_copies_and_books_without_one_a_price(feed: Path, run: Run) -> None:
    run(feed, "--opening-stock", 20, "--price", "12.99")

    books = {book.title: book for book in Book.objects.all()}
    assert {title: book.price for title, book in books.items()} == {"Emma": usd("8.99"), "Persuasion": usd("12.99")}
    assert {title: stock(book) for title, book in books.items()} == {"Emma": (20, 0), "Persuasion": (20, 0)}


def test_new_books_have_no_copies_unless_somebody_says_so(feed: Path, run: Run) -> None:
    run(feed)

    assert [stock(book) for book in Book.objects.all()] == [(0, 0), (0, 0)]
    assert raised("catalog.book_added") == 2


def test_the_log_says_who_did_it(feed: Path, run: Run) -> None:
    run(feed)

    assert set(Event.objects.values_list("actor", flat=True)) == {"command:import_books"}


def test_of_many_rejections_it_shows_the_first(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "feed.csv"
    path.write_text("title,isbn\n" + "Banana,banana\n" * 1_025)

    out, err = run(path)

    lines = err.splitlines()
    assert out == "1,025 read, 0 added, 0 updated, 0 unchanged, 1,025 rejected\n"
    assert (len(lines), lines[-1]) == (21, "… and 1,005 more; --json lists all of them")


def test_it_shows_no_progress_where_nobody_looks(feed: Path, run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    run(feed)

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--opening-stock=-1"], "'-1' is no number of copies, from 0 to 1,000,000"),
        (["--opening-stock", "1000001"], "'1000001' is no number of copies, from 0 to 1,000,000"),
        (["--opening-stock", "1.5"], "'1.5' is no number of copies, from 0 to 1,000,000"),
        (["--opening-stock", "٣"], "'٣' is no number of copies, from 0 to 1,000,000"),
        (["--price=-1"], "an amount can't be negative"),
        (["--price", "12.999"], "an amount has at most two decimals, such as 12.99"),
        (["--price", "NaN"], "'NaN' is no amount; write it like 12.99"),
        (["--price", "100000"], "price: a price is at most 99,999.99"),
        (["--format", "xlsx"], "invalid choice: 'xlsx'"),
    ],
)
def test_bad_usage_is_answered_with_what_would_be_right(
    feed: Path, run: Run, arguments: list[str], message: str
) -> None:
    with pytest.raises(CommandError) as refusal:
        run(feed, *arguments)

    assert message in str(refusal.value)
    assert not Book.objects.exists()


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_file_that_can_not_be_read_is_bad_usage(tmp_path: Path, run: Run, name: str) -> None:
    with pytest.raises(CommandError) as refusal:
        run(tmp_path / name)

    assert str(refusal.value).startswith(f"{tmp_path / name} can't be read: ")
    assert refusal.value.returncode == 2


def test_what_is_no_feed_is_something_wrong(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "feed.csv"
    path.write_bytes(b"")

    with pytest.raises(CommandError) as refusal:
        run(path)

    assert refusal.value.returncode == 1


def test_a_program_reads_what_is_wrong_with_the_feed(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_text("<html/>")
    out = StringIO()

    with pytest.raises(CommandError) as refusal:
        call_command("import_books", str(path), "--json", stdout=out)

    assert json.loads(out.getvalue()) == {
        "read": 0, "added": 0, "updated": 0, "unchanged": 0, "rejected": [], "error": str(refusal.value),
    }  # fmt: skip


BROKEN = message(product()).removesuffix("</ONIXMessage>")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "feed.xml"
    path.write_text(BROKEN)
    return path


def test_an_onix_message_is_taken_over(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(message(product(), product(reference="com.example.2", identifiers="")))

    out, err = run(path)

    assert out == "2 read, 1 added, 0 updated, 0 unchanged, 1 rejected\n"
    assert err == "line 1, record com.example.2: it has no ISBN\n"
    assert Book.objects.get().title == "Emma"


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
def test_of_a_broken_file_nothing_is_taken_over(broken: Path, run: Run, arguments: list[str]) -> None:
    with pytest.raises(CommandError) as refusal:
        run(broken, *arguments)

    place = f"line 1, column {len(BROKEN) + 1}"
    assert str(refusal.value) == f"The file is broken at {place}: it breaks off here; ask for it again."
    assert refusal.value.returncode == 1
    assert not Book.objects.exists()


def test_what_a_broken_file_says_first_and_the_shop_knows_does_not_count_either(broken: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.xml", StringIO()
    whole.write_text(message(product()))
    call_command("import_books", str(whole))

    with pytest.raises(CommandError):
        call_command("import_books", str(broken), "--json", stdout=out)

    assert json.loads(out.getvalue())["read"] == 0


def test_a_feed_that_changes_nothing_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    path, asked = tmp_path / "feed.xml", []
    path.write_text(message(product()))
    monkeypatch.setattr("catalog.management.commands.import_books.require_whole", lambda *feed: asked.append(feed))

    for _ in range(3):
        run(path)

    assert len(asked) == 1


def test_what_stands_before_the_place_is_taken_over_if_somebody_says_so(broken: Path) -> None:
    out = StringIO()

    with pytest.raises(CommandError) as refusal:
        call_command("import_books", str(broken), "--partial", "--json", stdout=out)

    report = json.loads(out.getvalue())
    assert (report["added"], report["error"], refusal.value.returncode) == (1, str(refusal.value), 1)
    assert Book.objects.get().title == "Emma"


@pytest.mark.parametrize("pipe", ["-", "/dev/stdin"])
def test_a_feed_may_come_through_a_pipe(nursery: Callable[..., Nursery], pipe: str) -> None:
    reader = nursery().start("manage.py", "import_books", pipe)
    with reader.stdin as sent:
        sent.write(FEED)

    assert (reader.wait(180), reader.stdout.read()) == (0, "3 read, 2 added, 0 updated, 0 unchanged, 1 rejected\n")


def test_its_exit_codes_are_those_of_every_command(nursery: Callable[..., Nursery], feed: Path) -> None:
    def exit_code(*arguments: object) -> int:
        ran = nursery().run("manage.py", "import_books", *map(str, arguments))
        assert "Traceback" not in ran.stderr
        return ran.returncode

    assert exit_code(feed) == 0
    assert exit_code(feed, "--format", "onix") == 1
    assert exit_code(feed.parent / "missing.csv") == 2
    assert exit_code(feed, "--price", "banana") == 2
    assert Book.objects.count() == 2
