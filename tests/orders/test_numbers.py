import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.numbers import ALPHABET, LENGTH, new_number, normalise_number

NUMBER = "XQS725F3C"
numbers = st.builds(new_number)


def test_a_number_is_short_and_has_no_letter_that_looks_like_another() -> None:
    assert LENGTH == 9
    assert len(new_number()) == LENGTH
    assert set("ILOU").isdisjoint(ALPHABET)
    assert set(new_number()) <= set(ALPHABET)


def test_numbers_do_not_follow_one_another() -> None:
    drawn = [new_number() for _ in range(1_000)]

    assert len(set(drawn)) == 1_000
    assert drawn != sorted(drawn)
    assert len({number[0] for number in drawn}) > 20


@pytest.mark.parametrize(
    "typed",
    [
        "XQS725F3C",
        "xqs725f3c",
        " XQS725F3C ",
        "XQS 725 F3C",
        "XQS-725-F3C",
        "XQS–725—F3C",
        "XQS\u00a0725\u202fF3C",
        "#XQS725F3C",
        "XQS725F3C\r\n",
    ],
)
def test_a_number_is_recognised_however_it_is_typed(typed: str) -> None:
    assert normalise_number(typed) == NUMBER


def test_letters_that_were_misread_are_put_right() -> None:
    # drawn until one has a 1 and a 0 in it
    number = next(number for number in iter(new_number, None) if {"0", "1"} <= set(number))

    assert normalise_number(number.replace("0", "O").replace("1", "I")) == number
    assert normalise_number(number.replace("0", "o").replace("1", "l")) == number


@pytest.mark.parametrize(
    "typed",
    ["", " ", "-", "XQS725F3", "XQS725F3CC", "XQS725F3D", "UQS725F3C", "XQS725F3\x00", "9780141439587", "Ünicode12",
     "XQS725F3\u0663", "\ud800QS725F3C"],
)  # fmt: skip
def test_what_is_no_number_is_none(typed: str) -> None:
    assert normalise_number(typed) is None


@given(numbers)
def test_every_number_that_is_drawn_is_one(number: str) -> None:
    assert normalise_number(number) == number


@given(numbers, st.integers(0, LENGTH - 1), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_noticed(number: str, place: int, character: str) -> None:
    typed = number[:place] + character + number[place + 1 :]

    assert normalise_number(typed) == (number if typed == number else None)


@given(numbers, st.integers(0, LENGTH - 2))
def test_two_swapped_characters_are_noticed(number: str, place: int) -> None:
    one, other = number[place], number[place + 1]
    typed = number[:place] + other + one + number[place + 2 :]

    # the one pair that the check character can't tell apart
    if {one, other} != {"0", "Z"} and one != other:
        assert normalise_number(typed) is None


@given(st.text(max_size=20))
def test_any_text_may_be_typed(text: str) -> None:
    found = normalise_number(text)

    assert found is None or normalise_number(found) == found
