"""What customers read, collected from code and templates into the catalogues of locale/; gettext isn't needed.

Staff and programs are spoken to in English, so their pages aren't looked into.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

TEMPLATES: Final = (
    "templates/page.html",
    "templates/landing.html",
    "templates/[45]*.html",
    "templates/orders/*",
    "templates/mail/*",
    "templates/admin/orders/print/[lrs]*.html",
)
CODE: Final = ("orders/views/*.py", "orders/mail/*.py", "bookshelf_site/views.py")
KEYWORDS: Final = {
    **DEFAULT_KEYWORDS,
    **{f"{name}_lazy": DEFAULT_KEYWORDS[name] for name in ("gettext", "ngettext", "pgettext", "npgettext")},
}
HEADER: Final = """\
msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural_forms}\\n"

"""


def collected(root: Path) -> Catalog:
    """Every text for customers, and where it stands."""
    catalogue = Catalog()
    for path in _files(root, TEMPLATES):
        # as Python that says gettext("…") where the template says {% translate "…" %}
        source = templatize(path.read_text(), origin=str(path))
        _add(catalogue, path.relative_to(root), "\n".join(line.strip() for line in source.splitlines()))
    for path in _files(root, CODE):
        _add(catalogue, path.relative_to(root), path.read_text())
    return catalogue


def _files(root: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted(path for path in root.glob(pattern) if path.is_file())


def _add(catalogue: Catalog, path: Path, source: str) -> None:
    found = extract("python", io.BytesIO(source.encode()), keywords=KEYWORDS, comment_tags=["Translators:"])
    for _, message, comments, context in found:
        catalogue.add(message, locations=[(str(path), 0)], auto_comments=comments, context=context)


def update(path: Path, template: Catalog) -> None:
    """Bring a catalogue up to date, or begin it: what is new is empty, what nobody says any more is gone."""
    language = path.parent.parent.name
    catalogue = _read(path) if path.exists() else Catalog(locale=language)
    # a guess would have to be checked, and nobody checks it
    catalogue.update(template, no_fuzzy_matching=True)
    written = io.BytesIO()
    write_po(
        written, catalogue, width=120, sort_output=True, ignore_obsolete=True, include_lineno=False, omit_header=True
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEADER.format(language=language, plural_forms=catalogue.plural_forms) + written.getvalue().decode())


def untranslated(path: Path) -> list[str]:
    """What a catalogue leaves empty in whole or in part, or marks as to be looked at."""
    return [
        str(message.id) for message in _read(path) if message.id and (message.fuzzy or not _is_said(message.string))
    ]


def _read(path: Path) -> Catalog:
    with path.open("rb") as source:
        return read_po(source, locale=path.parent.parent.name)


def _is_said(string: str | Sequence[str] | None) -> bool:
    forms = [string] if isinstance(string, str) else string or [""]
    return all(form.strip() for form in forms)
