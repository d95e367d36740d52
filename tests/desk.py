"""A member of staff at the admin: opens a page, fills in the form that is on it, and sends it, as a browser does."""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

from django.test import Client


class Form:
    def __init__(self, attributes: dict[str, str]) -> None:
        self.id = attributes.get("id", "")
        self.action = attributes.get("action", "")
        self.method = attributes.get("method", "get")
        self.values: dict[str, list[str]] = {}
        self.buttons: list[str] = []


class Page(HTMLParser):
    """The forms of a page with what stands in them, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self._select: str | None = None
        self._options: list[tuple[str, bool]] = []
        self._textarea: str | None = None
        self._is_in_form = False
        self.feed(html)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def form(self, name: str) -> Form:
        """The form with this id, or whose action ends so."""
        return next(form for form in self.forms if form.id == name or form.action.endswith(f"/{name}/"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(attributes))
            self._is_in_form = True
        elif tag == "a":
            self.links.append(attributes.get("href", ""))
        elif self._is_in_form:
            self._field(tag, attributes)

    def _field(self, tag: str, attributes: dict[str, str]) -> None:
        form, name, kind = self.forms[-1], attributes.get("name", ""), attributes.get("type", "text")
        if tag == "button" or (tag == "input" and kind == "submit"):
            form.buttons.append(name)
        elif tag == "input" and name and (kind not in {"checkbox", "radio"} or "checked" in attributes):
            form.values.setdefault(name, []).append(attributes.get("value", "on" if kind == "checkbox" else ""))
        elif tag == "select":
            self._select, self._options = name, []
        elif tag == "option" and self._select is not None:
            self._options.append((attributes.get("value", ""), "selected" in attributes))
        elif tag == "textarea":
            self._textarea = name
            form.values[name] = [""]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_in_form = False
        elif tag == "textarea":
            self._textarea = None
        elif tag == "select" and self._select is not None:
            chosen = [value for value, is_chosen in self._options if is_chosen]
            self.forms[-1].values[self._select] = chosen or [value for value, _ in self._options[:1]]
            self._select = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._textarea is not None:
            self.forms[-1].values[self._textarea] = [data.removeprefix("\r\n").removeprefix("\n")]


class Desk(Client):
    """A client that sends what a form of a page holds, with some of it changed."""

    def open(self, path: str) -> Page:
        response = self.get(path)
        assert response.status_code == 200, response.status_code
        return Page(response.content.decode())

    def send(self, path: str, form: str, /, **changes: Any) -> Any:
        """Send the form; the answer, after redirects, has its page as `.page`."""
        found = self.open(path).form(form)
        values = found.values | {name: value if isinstance(value, list) else [value] for name, value in changes.items()}
        response: Any = self.post(urljoin(path, found.action), values, follow=True)
        response.page = Page(response.content.decode())
        return response
