"""The nights' pages: only files of the known name, in the hub's own folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from quality.reports.night_report import PORTAL, PORTAL_BAR

_NAME = re.compile(r"night-([0-9]{4}-[0-9]{2}-[0-9]{2})\.html")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MARK = re.compile(re.escape(PORTAL).replace(r"\{\}", "([a-z]+)/([a-z0-9-]+)"))


@dataclass(frozen=True, slots=True)
class Night:
    """The page of one night; its day as the file's name has it."""

    day: str
    path: Path

    @property
    def month(self) -> str:
        """Year and month of its day."""
        return self.day[:7]


def listed(home: Path) -> list[Night]:
    """All nights, the newest first."""
    folder = home / "reports"
    files = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []
    return [night for file in files if (night := _night(file)) is not None]


def get(home: Path, day: str) -> Night | None:
    """The night of that day, or None: a day of another form is not looked for.

    Args:
        home: ONECARD_HOME.
        day: as an address writes it.
    """
    return _night(home / "reports" / f"night-{day}.html") if _DAY.fullmatch(day) else None


def _night(path: Path) -> Night | None:
    match = _NAME.fullmatch(path.name)
    return Night(match[1], path) if match and path.is_file() and not path.is_symlink() else None


def linked(text: str, bar: Markup, link: Callable[[str, str], Markup]) -> str:
    """A night's page with links where its file has marks.

    Texts of the page are escaped, so that none of them is taken for a mark.

    Args:
        text: of the file.
        bar: what stands below its head.
        link: makes the link to a page of the desk, by part and key.
    """
    return _MARK.sub(lambda m: str(link(m[1], m[2])), text.replace(PORTAL_BAR, str(bar), 1))
