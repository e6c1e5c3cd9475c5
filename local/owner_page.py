"""What a person sees of a page: its words, its forms with their buttons, its links."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_TEXT_FIELDS = {"text", "email", "password", "search", "tel", "url"}


@dataclass(frozen=True, slots=True)
class Button:
    name: str | None
    value: str
    label: str


@dataclass(slots=True)
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)  # those that a person fills in
    buttons: list[Button] = field(default_factory=list)


@dataclass(slots=True)
class Link:
    href: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    url: str
    html: str
    text: str
    forms: list[Form]
    links: list[Link]


class _Reader(HTMLParser):
    """Collects what a person can read, fill in and press."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[Link] = []
        self.words: list[str] = []
        self.refresh: str | None = None
        self._form: Form | None = None
        self._link: Link | None = None
        self._button: tuple[dict[str, str | None], list[str]] | None = None
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        at = dict(attrs)
        if tag in ("style", "script"):
            self._silent += 1
        elif tag == "form":
            self._form = Form(at.get("action") or "", (at.get("method") or "get").upper())
            self.forms.append(self._form)
        elif tag == "input":
            self._input(at)
        elif tag == "button":
            self._button = (at, [])
        elif tag == "a" and at.get("href"):
            self._link = Link(at["href"] or "")
            self.links.append(self._link)
        elif tag == "meta" and (at.get("http-equiv") or "").lower() == "refresh":
            _, _, after = (at.get("content") or "").partition("=")
            self.refresh = after.strip().strip("'\"")

    def _input(self, at: dict[str, str | None]) -> None:
        kind, name, value = at.get("type") or "text", at.get("name"), at.get("value") or ""
        if self._form is None:
            return
        if kind == "submit":
            self._form.buttons.append(Button(name, value, value))
        elif name and (kind not in ("checkbox", "radio") or "checked" in at):
            self._form.fields[name] = value or ("on" if kind == "checkbox" else "")
            if kind in _TEXT_FIELDS:
                self._form.inputs.append(name)

    def handle_data(self, data: str) -> None:
        if self._silent:
            return
        self.words.append(data)
        if self._button is not None:
            self._button[1].append(data)
        if self._link is not None:
            self._link.label += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script"):
            self._silent -= 1
        elif tag == "form":
            self._form = None
        elif tag == "a":
            self._link = None
        elif tag == "button" and self._button is not None:
            at, words = self._button
            if self._form is not None and (at.get("type") or "submit") == "submit":
                label = " ".join("".join(words).split())
                self._form.buttons.append(Button(at.get("name"), at.get("value") or "", label))
            self._button = None


def read_page(status: int, url: str, html: str) -> tuple[Page, str | None]:
    """Return the page, and where its `<meta http-equiv=refresh>` leads, if it has one."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    text = " ".join(" ".join(reader.words).split())
    return Page(status, url, html, text, reader.forms, reader.links), reader.refresh
