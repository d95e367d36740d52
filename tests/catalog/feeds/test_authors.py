import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.feeds.authors import fit_authors, shorten
from catalog.feeds.records import AUTHOR_LENGTH

TEN = "Ann Author"


def test_a_list_that_fits_stays_as_it_is() -> None:
    listed = "F. Scott Fitzgerald & Zelda Fitzgerald"

    assert fit_authors(listed) == listed


@pytest.mark.parametrize("between", [", ", " and ", " & ", ", and ", " | "])
def test_a_list_that_is_too_long_keeps_whole_names(between: str) -> None:
    assert fit_authors(between.join([TEN] * 20)) == ", ".join([TEN] * 12) + " et al."


def test_names_that_hold_commas_are_parted_by_semicolons() -> None:
    listed = "; ".join(["Melville, Herman"] * 10)

    assert fit_authors(listed) == "; ".join(["Melville, Herman"] * 8) + " et al."


def test_a_name_with_and_in_it_stays_whole() -> None:
    listed = ", ".join(["Anders Andersson"] * 10)

    assert fit_authors(listed) == ", ".join(["Anders Andersson"] * 8) + " et al."


def test_one_name_that_is_too_long_ends_at_a_word() -> None:
    assert fit_authors("Society " * 30) == ("Society " * 18).strip() + "…"


@given(st.text(min_size=AUTHOR_LENGTH))
def test_every_list_fits_in_the_end(listed: str) -> None:
    assert len(fit_authors(listed)) <= AUTHOR_LENGTH


def test_a_text_is_shortened_at_a_word() -> None:
    assert shorten("one two three", 13) == "one two three"
    assert shorten("one two three", 12) == "one two…"
    assert shorten("unbreakable", 5) == "unbr…"
