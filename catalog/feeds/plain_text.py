"""Plain text out of what senders write: markup, doubled escapes, control characters and stray spaces go."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

CONTROL: Final = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b\ufeff]")

# Windows-1252 that was taken for Latin-1: where its dashes and quotation marks stand, Latin-1 has control characters
C1: Final = re.compile("[\x80-\x9f]+")
REFERENCE: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
ESCAPED_TIMES: Final = 3

TAG: Final = re.compile(r"<!--|-->|<(!|/?[a-zA-Z]\w*+(?::\w++)?+)[^<>]*+>")
LAYOUT: Final = re.compile(r"<(?:p|div|br|li|h[1-6])\b", re.IGNORECASE)
BLOCKS: Final = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "center", "dd", "div", "dl", "dt", "figcaption",
        "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hr", "html", "main",
        "nav", "ol", "p", "pre", "section", "table", "tbody", "tfoot", "thead", "tr", "ul",
    }
)  # fmt: skip
INLINE: Final = frozenset(
    {
        "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i",
        "img", "ins", "kbd", "mark", "q", "rb", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike",
        "strong", "sub", "sup", "tt", "u", "var", "wbr", "xml",
    }
)  # fmt: skip
HIDDEN: Final = frozenset({"script", "style", "title"})
BREAKS: Final = (
    dict.fromkeys(BLOCKS, "\n\n")
    | dict.fromkeys(INLINE, "")
    | {"br": "\n", "li": "\n• ", "/li": "", "td": " ", "th": " "}
)


def one_line(text: str) -> str:
    """One line of text, without control characters and surplus spaces."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return unicodedata.normalize("NFC", " ".join(CONTROL.sub("", text).split()))


def paragraphs(text: str) -> str:
    """A text of several lines: the lines stay, more than one empty line between them doesn't."""
    lines = "\n".join(one_line(line) for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def resolve(text: str) -> str:
    """The text that was meant, where a sender escaped it twice or took Windows-1252 for Latin-1."""
    for _ in range(ESCAPED_TIMES):
        if "&" not in text or (once := REFERENCE.sub(_referred, text)) == text:
            break
        text = once
    if text.isascii():
        return text
    return C1.sub(_as_windows_1252, text)


def without_markup(text: str) -> str:
    """What a reader of the HTML sees; paragraphs, list items and line breaks become line ends.

    Only tags that HTML has are taken for tags: "x < y" and "<name@example.com>" stay. The time that it takes grows with
    the text, not with its square.
    """
    if "<" not in text:
        return text
    source = " ".join(text.splitlines()) if LAYOUT.search(text) else text
    return "".join(_visible(source))


def _visible(source: str) -> Iterator[str]:
    end, hidden_until = 0, ""
    for tag in TAG.finditer(source):
        name = (tag[1] or "").lower()
        if hidden_until:
            hidden_until = "" if hidden_until in tag[0].lower() else hidden_until
        else:
            yield source[end : tag.start()]
            hidden_until = _hides_until(name, tag[0])
            yield "" if hidden_until else _break(name, tag[0])
        end = tag.end()
    if not hidden_until:
        yield source[end:]


def _hides_until(name: str, tag: str) -> str:
    """What ends the part that no reader sees, if this begins one."""
    if tag == "<!--":
        return "-->"
    return f"</{name}" if name in HIDDEN and not tag.endswith("/>") else ""


def _break(name: str, tag: str) -> str:
    """What a tag is in plain text: a break, nothing, or itself if it is none."""
    if name == "!" or ":" in name or name.lstrip("/") in HIDDEN:
        return ""
    return BREAKS.get(name, BREAKS.get(name.lstrip("/"), tag))


def _referred(reference: re.Match[str]) -> str:
    return html.unescape(reference[0])


def _as_windows_1252(characters: re.Match[str]) -> str:
    return characters[0].encode("latin-1").decode("cp1252", errors="ignore")
