import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stdnum import ean, isbn

from catalog.isbn import InvalidIsbn, normalise_isbn, search_isbn

GATSBY = "9780743273565"

thirteens = st.builds(
    lambda prefix, digits: prefix + digits + ean.calc_check_digit(prefix + digits),
    st.just("978") | st.sampled_from([f"979{group}" for group in range(1, 10)]),
    st.text("0123456789", min_size=9, max_size=9),
).map(lambda number: number if len(number) == 13 else number[:12] + ean.calc_check_digit(number[:12]))
separators = st.sampled_from(["", "-", " ", "\u2010", "\u2013", "\u2212", "\u00ad", "\u00a0"])


@pytest.mark.parametrize(
    "written",
    [
        "9780743273565",
        "978-0-7432-7356-5",
        "978 0 7432 7356 5",
        "978–0–7432–7356–5",
        "978\u20110\u20117432\u20117356\u20115",
        "  9780743273565\r\n",
        "\uff19\uff17\uff18\uff10\uff17\uff14\uff13\uff12\uff17\uff13\uff15\uff16\uff15",
        "0743273567",
        "0-7432-7356-7",
        "ISBN 0-7432-7356-7",
        "ISBN-10: 0-7432-7356-7",
        "ISBN-13: 978-0-7432-7356-5",
        "isbn13 9780743273565",
        "ISBN:9780743273565",
        "urn:isbn:9780743273565",
        "EAN 9780743273565",
        "978074327356551299",
        "9780743273565 51299",
        "978074327356512",
        "9780743273565-12",
    ],
)
def test_every_usual_form_becomes_the_same_thirteen_digits(written: str) -> None:
    assert normalise_isbn(written) == GATSBY


@pytest.mark.parametrize(
    ("written", "normalised"),
    [
        ("0-8044-2957-X", "9780804429573"),
        ("080442957x", "9780804429573"),
        ("ISBN 1397812346", "9781397812346"),
        ("9790000014", "9789790000018"),
        ("979-10-90636-07-1", "9791090636071"),
    ],
)
def test_an_x_and_the_newer_prefix_are_understood(written: str, normalised: str) -> None:
    assert normalise_isbn(written) == normalised


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "it is empty; an ISBN has 10 or 13 digits"),
        ("ISBN", "it is empty; an ISBN has 10 or 13 digits"),
        ("banana", "an ISBN has only digits and hyphens, and at the end of ten an X"),
        ("97807432X3565", "an ISBN has only digits and hyphens, and at the end of ten an X"),
        ("978074327356", "an ISBN has 10 or 13 digits, not 12"),
        ("743273567", "an ISBN has 10 or 13 digits, not 9"),
        ("9780743273566", "its check digit does not fit: one of the digits is wrong, or two are swapped"),
        ("0743273568", "its check digit does not fit: one of the digits is wrong, or two are swapped"),
        ("4006381333931", "an ISBN of 13 digits begins with 978 or 979"),
        ("979-0-2600-0043-8", "979-0 numbers printed music (ISMN); an ISBN begins with 978 or 979-1 to 979-9"),
    ],
)
def test_what_is_no_isbn_is_refused_with_what_is_wrong(written: str, reason: str) -> None:
    with pytest.raises(InvalidIsbn) as refusal:
        normalise_isbn(written)

    assert str(refusal.value) == reason


@given(thirteens, separators)
def test_a_valid_number_survives_any_separator(number: str, separator: str) -> None:
    assert normalise_isbn(separator.join(number)) == number


@given(thirteens)
def test_normalising_twice_changes_nothing(number: str) -> None:
    assert normalise_isbn(normalise_isbn(number)) == number


@given(thirteens.filter(lambda number: number.startswith("978")))
def test_the_ten_digit_form_names_the_same_book(number: str) -> None:
    assert normalise_isbn(isbn.to_isbn10(number)) == number


@given(thirteens, st.integers(0, 12), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(number: str, place: int, by: int) -> None:
    wrong = number[:place] + str((int(number[place]) + by) % 10) + number[place + 1 :]

    assert search_isbn(wrong) is None


@given(st.text())
@example("٩٧٨٠٧٤٣٢٧٣٥٦٥")
@example("²")
def test_any_text_is_an_isbn_or_refused(text: str) -> None:
    found = search_isbn(text)

    assert found is None or (isbn.is_valid(found) and len(found) == 13)


def test_a_search_for_something_else_is_no_isbn() -> None:
    assert search_isbn("The Great Gatsby") is None
    assert search_isbn("0-7432-7356-7") == GATSBY
