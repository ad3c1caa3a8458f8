"""A visitor who has a keyboard and no mouse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

CAN_HAVE_FOCUS = (
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"
)
FOCUSED = """() => {
  const e = document.activeElement;
  if (!e || e === document.body || e === document.documentElement) return null;
  const style = getComputedStyle(e), box = e.getBoundingClientRect();
  return {
    place: [...document.querySelectorAll("*")].indexOf(e), tag: e.tagName.toLowerCase(),
    shown: (e.innerText || e.getAttribute("aria-label") || e.name || "").slice(0, 40),
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    seen: box.width > 0 && box.height > 0 && box.right > 0 && box.bottom > 0
      && box.left < innerWidth && box.top < innerHeight,
    inside: Boolean(e.closest("main")),
  };
}"""
WANTED = """(which) => {
  const all = [...document.querySelectorAll("*")];
  const radios = {};
  return [...document.querySelectorAll(which)].filter(e => {
    if (e.disabled || !e.checkVisibility()) return false;
    if (e.type !== "radio") return true;
    const group = [...document.getElementsByName(e.name)].filter(r => !r.disabled);
    return e === (group.find(r => r.checked) || group[0]);
  }).map(e => all.indexOf(e));
}"""
"""Everything that the Tab key must stop at; of a group of radio buttons one."""
MOST = 400
"""Stops of a page; one that has more is a trap."""


@dataclass(frozen=True)
class Focus:
    """Where the focus is.

    Attributes:
        place: of the element among all of the page.
        outlined: whether its outline can be seen.
        seen: whether it is on the screen.
        inside: of the page's main part.
    """

    place: int
    tag: str
    shown: str
    outlined: bool
    seen: bool
    inside: bool


class Keyboard:
    """Presses keys on a page; nothing here clicks.

    Args:
        page: in the browser.
    """

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, key: str) -> None:
        """Press a key, as `Tab`, `Shift+Tab`, `Enter`, `Space`, `ArrowDown`."""
        self.page.keyboard.press(key)

    def focus(self) -> Focus | None:
        """Where the focus is; None: on nothing."""
        found = self.page.evaluate(FOCUSED)
        return None if found is None else Focus(**found)

    def wanted(self) -> list[int]:
        """Places of everything that the focus must reach."""
        return list(self.page.evaluate(WANTED, CAN_HAVE_FOCUS))

    def walk(self, key: str = "Tab") -> list[Focus]:
        """Every stop until the focus has left the page, or is where it began.

        Args:
            key: `Tab` or `Shift+Tab`.
        """
        stops: list[Focus] = []
        for _ in range(MOST):
            self.press(key)
            found = self.focus()
            if found is None or (stops and found.place == stops[0].place and len(stops) > 1):
                return stops
            if not stops or stops[-1].place != found.place:  # a date has three parts
                stops.append(found)
        msg = "the focus never leaves the page"
        raise AssertionError(msg)

    def to(self, selector: str) -> None:
        """Tab until an element of that kind has the focus.

        Args:
            selector: CSS.
        """
        for _ in range(MOST):
            if self.page.evaluate("s => document.activeElement.matches(s)", selector):
                return
            self.press("Tab")
        msg = f"Tab does not come to {selector}"
        raise AssertionError(msg)

    def write(self, selector: str, text: str) -> None:
        """Write into a field."""
        self.to(selector)
        self.page.keyboard.type(text)

    def write_date(self, selector: str, iso: str) -> None:
        """Write a date into its field, whose parts stand as the machine's language has them."""
        self.to(selector)
        year, month, day = iso.split("-")
        for parts in ((year, month, day), (month, day, year)):
            for _ in parts:
                self.press("ArrowLeft")
            for part in parts:
                self.page.keyboard.type(part)
                if part == year:  # of four figures there may be a fifth
                    self.press("ArrowRight")
            if self.page.input_value(selector) == iso:
                return
        msg = f"{selector} is {self.page.input_value(selector)!r} instead of {iso}"
        raise AssertionError(msg)

    def choose(self, name: str, value: str) -> None:
        """Choose one of a group of radio buttons by the arrows.

        Args:
            name: of the group.
            value: of the button.
        """
        self.to(f"input[type=radio][name={name}]")
        self.press("Space")
        for _ in range(9):
            if self.page.locator(f"input[name={name}]:checked").get_attribute("value") == value:
                return
            self.press("ArrowDown")
        msg = f"the arrows do not come to {name}={value}"
        raise AssertionError(msg)

    def go(self, selector: str, key: str = "Enter") -> int:
        """Press what leads to another page; returns that page's status.

        Args:
            selector: CSS of a link or a button.
            key: that presses it.
        """
        self.to(selector)
        with self.page.expect_navigation() as moved:
            self.press(key)
        answer = moved.value
        return answer.status if answer else 0
