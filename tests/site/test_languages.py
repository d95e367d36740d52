"""English, German, French, and whatever catalogue is put beside theirs."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import translation

from bookshelf_site import languages, messages
from bookshelf_site.checks import check_catalogues
from bookshelf_site.money import Money
from bookshelf_site.templatetags.money import money
from tests.conftest import ROOT
from tests.desk import Page
from tests.given import usd

CATALOGUES = languages.catalogues(ROOT / "locale")
SPANISH = """\
msgid ""
msgstr ""
"Language: es\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "Find your order"
msgstr "Encuentre su pedido"
"""


def begin(folder, code="es", text=SPANISH):
    catalogue = folder / code / "LC_MESSAGES" / "django.po"
    catalogue.parent.mkdir(parents=True)
    catalogue.write_text(text)
    return catalogue


def test_english_german_and_french_are_spoken():
    assert settings.LANGUAGES == [("en", "English"), ("de", "Deutsch"), ("fr", "Français")]


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=languages.language_of)
def test_nothing_is_left_untranslated(catalogue):
    with catalogue.open("rb") as source:
        translated = {message.id for message in read_po(source) if message.id}

    said = {message.id for message in messages.collected(ROOT) if message.id}

    assert said - translated == set(), "make messages"
    assert messages.untranslated(catalogue) == []


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=languages.language_of)
def test_every_placeholder_is_in_the_translation_too(catalogue):
    with catalogue.open("rb") as source:
        messages = [message for message in read_po(source, locale=languages.language_of(catalogue)) if message.id]

    assert [message.id for message in messages if placeholders(message.string) != placeholders(message.id)] == []


def placeholders(text):
    """Those of the text; of several forms those of the last, for one copy may go without its number."""
    return sorted(set(re.findall(r"%\(\w+\)[sd]", text if isinstance(text, str) else text[-1])))


def test_an_empty_and_a_doubtful_translation_are_noticed(tmp_path):
    rest = '\nmsgid "Total"\nmsgstr ""\n\n#, fuzzy\nmsgid "Price"\nmsgstr "Precio"\n'
    rest += '\nmsgid "copy"\nmsgid_plural "copies"\nmsgstr[0] "copia"\nmsgstr[1] ""\n'

    left = messages.untranslated(begin(tmp_path, text=SPANISH + rest))

    assert left == ["Total", "Price", "('copy', 'copies')"]


class BareText(HTMLParser):
    """Words in a template that no tag marks as to be translated."""

    def __init__(self, template):
        super().__init__()
        self.found = []
        self.feed(bare(template))

    def handle_data(self, data):
        self.found += re.findall(r"[^\W\d_]{2,}", data)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in {"title", "alt", "placeholder", "aria-label"} and re.search(r"[^\W\d_]{2,}", value or ""):
                self.found.append(value)


def bare(template):
    template = re.sub(r"<style>.*?</style>", "", template, flags=re.DOTALL)
    template = re.sub(r"\{%\s*blocktranslate.*?endblocktranslate\s*%\}", "", template, flags=re.DOTALL)
    return re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", template, flags=re.DOTALL)


NAMES = {"ISBN"}
PAGES = [path for pattern in messages.TEMPLATES for path in sorted(ROOT.glob(pattern)) if path.suffix == ".html"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_word_of_a_page_is_marked_for_translation(path):
    assert set(BareText(path.read_text()).found) - NAMES == set()


@pytest.mark.parametrize("html", ["<p>Hello</p>", "{% if x %}Hello{% endif %}", '<a title="Hello">{{ x }}</a>'])
def test_an_unmarked_word_is_noticed(html):
    assert BareText(html).found == ["Hello"]


def test_a_marked_word_is_not():
    assert BareText('{% translate "Hello" %} {% blocktranslate %}Hi {{ x }}{% endblocktranslate %}').found == []


def test_code_and_templates_are_looked_into():
    said = {str(message.id) for message in messages.collected(ROOT)}

    assert {"Send me my link", "We have your order.", "Order %(number)s", "Order number"} <= said
    assert "('waiting for %(missing)s copy', 'waiting for %(missing)s copies')" in said


def test_a_language_more_is_one_file(tmp_path):
    begin(tmp_path)
    begin(tmp_path, "pt_BR")

    assert languages.spoken(tmp_path) == [("en", "English"), ("es", "Español"), ("pt-br", "Português Brasileiro")]


def test_a_catalogue_is_compiled_when_it_is_new_and_when_it_has_changed(tmp_path):
    catalogue = begin(tmp_path)
    compiled = catalogue.with_suffix(".mo")

    languages.compile_stale(tmp_path)
    first = compiled.read_bytes()
    untouched = compiled.stat().st_mtime_ns
    languages.compile_stale(tmp_path)
    assert compiled.stat().st_mtime_ns == untouched

    catalogue.write_text(SPANISH.replace("Encuentre", "Busque"))
    os.utime(catalogue, ns=(untouched + 1, untouched + 1))
    os.utime(compiled, ns=(untouched, untouched))
    languages.compile_stale(tmp_path)

    assert b"Encuentre" in first
    assert b"Busque" in compiled.read_bytes()
    assert list(tmp_path.rglob("*.mo.*")) == []


def test_what_could_not_be_compiled_is_told_by_a_check(tmp_path, settings, monkeypatch):
    begin(tmp_path)
    settings.LOCALE_PATHS = [tmp_path]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        languages.compile_stale(tmp_path)

    assert [warning.id for warning in check_catalogues()] == ["site.W001"]

    languages.compile_stale(tmp_path)
    assert check_catalogues() == []


def refuse(*arguments):
    raise PermissionError("read-only")


def test_a_fresh_checkout_speaks_all_languages(tmp_path):
    """Without a compiled file, without gettext: the first process that starts compiles."""
    begin(tmp_path)
    code = (
        "from pathlib import Path; from bookshelf_site import languages, settings;"
        f"folder = Path({str(tmp_path)!r}); languages.compile_stale(folder);"
        "import django; from django.conf import settings as s; from django.utils import translation;"
        "s.configure(LOCALE_PATHS=[folder], LANGUAGES=languages.spoken(folder), USE_I18N=True); django.setup();"
        "translation.activate('es'); print(translation.gettext('Find your order'))"
    )
    environment = {**os.environ, "DEBUG": "1", "PATH": str(tmp_path)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)

    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)

    assert answer.stdout == "Encuentre su pedido\n", answer.stderr


def test_a_new_catalogue_is_begun_with_all_that_is_to_be_said(tmp_path, settings, capsys):
    settings.BASE_DIR = tmp_path
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text('{% load i18n %}{% translate "Total" %}')

    with pytest.raises(CommandError, match="1 texts are to be translated"):
        call_command("makemessages", "es")

    catalogue = tmp_path / "locale" / "es" / "LC_MESSAGES" / "django.po"
    assert '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"' in catalogue.read_text()
    assert messages.untranslated(catalogue) == ["Total"]
    assert "es: 1 texts, 1 to be translated\n  Total\n" in capsys.readouterr().out


def test_what_is_translated_stays_and_what_is_said_no_more_goes(tmp_path):
    catalogue = begin(tmp_path)
    template = Catalog()
    template.add("Find your order")
    template.add("Total")

    messages.update(catalogue, template)
    again = catalogue.read_text()
    messages.update(catalogue, template)

    assert 'msgstr "Encuentre su pedido"' in again
    assert catalogue.read_text() == again
    messages.update(catalogue, Catalog())
    assert "Encuentre" not in catalogue.read_text()


@pytest.mark.parametrize(
    ("language", "amount", "written"),
    [
        ("en", usd("1234.50"), "$1,234.50"),
        ("de", usd("1234.50"), "1.234,50 $"),
        ("fr", usd("1234.50"), "1 234,50 $US"),
        ("en", Money(usd("12.99").amount, "EUR"), "€12.99"),
        ("de", Money(usd("12.99").amount, "EUR"), "12,99 €"),
        ("fr", Money(usd("12.99").amount, "EUR"), "12,99 €"),
        ("tlh", usd("12.99"), "$12.99"),
    ],
)
def test_amounts_are_written_as_people_write_them(language, amount, written):
    with translation.override(language):
        assert re.sub(r"[\u00a0\u202f]", " ", money(amount)) == written


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/login/", "/api/v1/docs", "/docs/problems/"])
def test_staff_and_programs_are_spoken_to_in_english_whatever_their_browser_asks_for(client, path):
    response = client.get(path, headers={"Accept-Language": "de"})

    assert response.headers["Content-Language"] == "en"
    assert "Anmelden" not in response.content.decode()
    assert "Zum Inhalt" not in response.content.decode()


@pytest.mark.parametrize(
    ("asked", "heading"),
    [
        ("de-AT,de;q=0.9", "Die Verwaltung von Bookshelf"),
        ("fr", "La gestion de Bookshelf"),
        ("it,fr;q=0.5", "La gestion de Bookshelf"),
        ("ja", "The back office of Bookshelf"),
        ("", "The back office of Bookshelf"),
    ],
)
def test_where_no_order_decides_the_browser_does(client, asked, heading):
    response = client.get("/", headers={"Accept-Language": asked})

    assert heading in Page(response.content.decode()).text
    assert "Accept-Language" in response.headers["Vary"]
    assert translation.get_language() == "en"


@pytest.mark.parametrize(("asked", "words"), [("de", "Hier ist nichts"), ("fr", "Il n’y a rien ici")])
def test_errors_are_told_in_the_browsers_language(client, asked, words):
    assert words in client.get("/nothing", headers={"Accept-Language": asked}).content.decode()
