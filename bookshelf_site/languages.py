"""What the shop speaks to its customers: English, and whatever has a catalogue in locale/.

Catalogues are kept as people edit them (.po). They are compiled beside themselves by the first process that starts
after one has changed, so that neither gettext nor a build step is needed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from django.conf.locale import LANG_INFO
from django.utils.translation import to_language

SOURCE: Final = ("en", "English")
"""The language of the code, which needs no catalogue."""


def catalogues(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/LC_MESSAGES/django.po"))


def language_of(catalogue: Path) -> str:
    """The code of the language: "pt-br" of locale/pt_BR/LC_MESSAGES/django.po."""
    return to_language(catalogue.parent.parent.name)


def spoken(folder: Path) -> list[tuple[str, str]]:
    """Each language's code and its own name for itself, as Django's LANGUAGES wants them."""
    return [SOURCE, *((code, _name(code)) for code in map(language_of, catalogues(folder)))]


def _name(code: str) -> str:
    known = LANG_INFO.get(code) or LANG_INFO.get(code.partition("-")[0], {})
    name = str(known.get("name_local", code))
    return name[:1].upper() + name[1:]


def compile_stale(folder: Path) -> None:
    """Compile what has changed since it was compiled; where the folder can't be written to, a system check says so."""
    for catalogue in stale(folder):
        try:
            _compile(catalogue)
        except OSError:
            continue


def stale(folder: Path) -> list[Path]:
    """The catalogues that have no compiled file beside them, or an older one."""
    return [catalogue for catalogue in catalogues(folder) if _is_older(_compiled(catalogue), catalogue)]


def _compiled(catalogue: Path) -> Path:
    return catalogue.with_suffix(".mo")


def _is_older(compiled: Path, catalogue: Path) -> bool:
    return not compiled.exists() or compiled.stat().st_mtime_ns <= catalogue.stat().st_mtime_ns


def _compile(catalogue: Path) -> None:
    # not before: hardly any process has something to compile
    from babel.messages.mofile import write_mo  # noqa: PLC0415
    from babel.messages.pofile import read_po  # noqa: PLC0415

    with catalogue.open("rb") as source:
        messages = read_po(source, locale=catalogue.parent.parent.name)
    # under another name first: several processes start at once, and none may read half a file
    written = catalogue.with_suffix(f".mo.{os.getpid()}")
    with written.open("wb") as target:
        write_mo(target, messages)
    written.replace(_compiled(catalogue))
