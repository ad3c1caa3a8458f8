"""A report as a reader's program sees it: elements, marked numbers, cells, words."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "link", "img", "input", "hr"}
MARKS = tuple(f"data-{letter}" for letter in "fpsqtcmwgh")


@dataclass
class Element:
    """One element with all its text and the numbers marked inside it."""

    tag: str
    attributes: dict[str, str | None]
    section: str
    text: str = ""
    marked: list[Element] = field(default_factory=list)

    @property
    def mark(self) -> tuple[str, str] | None:
        for name in MARKS:
            if name in self.attributes:
                return name, str(self.attributes[name])
        return None


class Page(HTMLParser):
    """All elements of a page, in the order in which they end."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.tags: list[str] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        attributes = dict(attrs)
        section = self._open[-1].section if self._open else ""
        if tag == "section":
            section = str(attributes.get("aria-labelledby"))
        element = Element(tag, attributes, section)
        if tag in VOID:
            self.elements.append(element)
        else:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        element = self._open.pop()
        assert element.tag == tag, f"<{element.tag}> closed by </{tag}>"
        self.elements.append(element)
        if element.mark:
            for outer in self._open:
                outer.marked.append(element)

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def marked(self) -> list[Element]:
        return [e for e in self.elements if e.mark]

    def of_class(self, name: str, *tags: str) -> list[Element]:
        return [
            e
            for e in self.elements
            if name in str(e.attributes.get("class", "")).split() and (not tags or e.tag in tags)
        ]

    def tagged(self, *tags: str) -> list[Element]:
        return [e for e in self.elements if e.tag in tags]
