"""Reads a rendered report as the tests look at it: tags, attributes, and each language's text."""

from __future__ import annotations

from html.parser import HTMLParser

_EMPTY = ("meta", "br", "col")


class Page(HTMLParser):
    """Collects what the tests ask of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[tuple[str, str]] = []
        """Open elements with the language their text is in."""
        self.half = ""
        self.words: dict[str, list[tuple[str, str]]] = {"": [], "en": [], "zh": []}
        """(text, its language) by half."""
        self.sections: dict[str, list[str]] = {"": []}
        self.section_id = ""
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        given = dict(attrs)
        if given.get("class") == "half":
            self.half = given["id"] or ""
        if tag == "section":
            self.section_id = given["id"] or ""
            self.sections[self.section_id] = []
        if tag not in _EMPTY:
            self.open.append((tag, given.get("lang") or (self.open[-1][1] if self.open else "")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        inside, language = self.open[-1] if self.open else ("", "")
        if inside == "script":
            self.scripts.append(data)
        elif inside != "style" and data.strip():
            self.words[self.half].append((data, language))
            self.sections[self.section_id].append(data)

    @property
    def text(self) -> str:
        """All text of the English half, spaces made one."""
        return self.text_of("en")

    @property
    def chinese(self) -> str:
        """All text of the Chinese half, spaces made one."""
        return self.text_of("zh")

    def text_of(self, half: str) -> str:
        return " ".join(" ".join(data for data, _ in self.words[half]).split())

    def section(self, id_: str) -> str:
        """The text of one section, spaces made one."""
        return " ".join(" ".join(self.sections[id_]).split())

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]
