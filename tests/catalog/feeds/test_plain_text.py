import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.feeds.plain_text import one_line, paragraphs, resolve, without_markup


def plain(text: str) -> str:
    return paragraphs(without_markup(resolve(text)))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  The  Great\n\tGatsby ", "The Great Gatsby"),
        ("Les\xa0Mise\u0301rables", "Les Misérables"),
        ("The\0 Great\x07 Gats\u200bby", "The Great Gatsby"),
    ],
)
def test_a_line_has_no_breaks_and_no_control_characters(text: str, line: str) -> None:
    assert one_line(text) == line


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Pride &amp; Prejudice", "Pride & Prejudice"),
        ("Pride &amp;amp;amp; Prejudice", "Pride & Prejudice"),
        ("Caf&amp;eacute; &#233; &#x2014;", "Café é —"),
        ("&#146;Salem&#8217;s Lot", "’Salem’s Lot"),
        ("The \x93Great\x94 Gatsby \x96 annotated\x81", "The “Great” Gatsby – annotated"),
        ("Q&A, AT&T, &unknown; & &;", "Q&A, AT&T, &unknown; & &;"),
        ("5 &notin 6", "5 &notin 6"),
    ],
)
def test_doubled_escapes_and_mistaken_encodings_are_resolved(text: str, meant: str) -> None:
    assert resolve(text) == meant


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One.</p><p>Two.</p>", "One.\n\nTwo."),
        ("<p>\n  One,\n  still one.\n</p>\n<p>Two.</p>\n", "One, still one.\n\nTwo."),
        ("One.<br>Two.<br/>\nThree.<BR />", "One.\nTwo.\nThree."),
        ("One.\n\nTwo, <i>in italics</i>.", "One.\n\nTwo, in italics."),
        ("<ul><li>One</li><li class='x'>Two</li></ul>Three", "• One\n• Two\n\nThree"),
        ("<h1>Emma</h1><div>A <strong>novel</strong></div>", "Emma\n\nA novel"),
        ("<table><tr><td>1815</td><td>London</td></tr></table>", "1815 London"),
        ("<style>p { color: red }</style><script>alert(1)</script>Emma", "Emma"),
        ("<!--[if gte mso 9]><xml><w:Word>Hidden</w:Word></xml><![endif]-->Emma<!-- <p>no</p> -->", "Emma"),
        ("Emma<o:p></o:p><![if !supportLists]><!DOCTYPE html>", "Emma"),
        ("if x < y and y > z, write to <emma@example.com> or <http://example.com>", None),
        ("An <unclosed", None),
        ("<p>One.", "One."),
    ],
)
def test_of_markup_remains_what_a_reader_sees(markup: str, text: str | None) -> None:
    assert plain(markup) == (markup if text is None else text)


@pytest.mark.parametrize("hostile", ["<a", "<!--", "<", "<style>", "<a:", "&amp;", "&#", "-->", "<!--<b>"])
def test_no_text_takes_long(hostile: str) -> None:
    began = time.process_time()

    plain(hostile * 100_000)
    plain("<" + hostile[-1] * 100_000)

    assert time.process_time() - began < 5


@given(st.lists(st.sampled_from(["<p>", "</p>", "<", ">", "&", "amp;", "#x41;", "<!--", "-->", "<i", "é\x93", " \n"])))
def test_no_text_is_too_much_for_it(parts: list[str]) -> None:
    text = plain("".join(parts))

    assert text == paragraphs(text)
