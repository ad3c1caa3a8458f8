"""The report files of an agency: only files of the known names, in the agency's own folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

KINDS = {
    "monthly": re.compile(r"monthly-(\d{4}-\d{2})\.(zh|en)\.(?:html|pdf)"),
    "weekly": re.compile(r"weekly-(\d{4}-W\d{2})\.(?:(zh|en)\.(?:html|pdf)|(?:xlsx))"),
    "daily": re.compile(r"daily-(\d{4}-\d{2}-\d{2})\.(zh|en)\.(?:html|pdf)"),
    "problems": re.compile(r"problems-(\d{4}-\d{2})(\.)xlsx"),
}
MEDIA = {
    ".html": "text/html; charset=utf-8",
    ".pdf": "application/pdf",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@dataclass(frozen=True, slots=True)
class Report:
    """One file.

    Attributes:
        kind: `monthly`, `weekly`, `daily` or `problems`.
        period: month, week or day, e.g. `2026-11`.
        language: `zh`, `en`, or empty for a workbook.
    """

    path: Path
    kind: str
    period: str
    language: str

    @property
    def name(self) -> str:
        """File name."""
        return self.path.name

    @property
    def media(self) -> str:
        """Media type."""
        return MEDIA[self.path.suffix]


def listed(home: Path, agency: str) -> list[Report]:
    """The agency's reports, newest period first."""
    folder = home / "reports" / agency
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [r for f in files if (r := _report(f)) is not None]
    return sorted(found, key=lambda r: (r.period, r.kind, r.language), reverse=True)


def get(home: Path, agency: str, name: str) -> Report | None:
    """The report of that file name, or None: a name of another form is not looked for.

    Args:
        home: ONECARD_HOME.
        agency: in whose folder.
        name: of the file.
    """
    if not any(pattern.fullmatch(name) for pattern in KINDS.values()):
        return None
    return _report(home / "reports" / agency / name)


def _report(path: Path) -> Report | None:
    for kind, pattern in KINDS.items():
        match = pattern.fullmatch(path.name)
        if match and path.is_file() and not path.is_symlink():
            return Report(path, kind, match[1], (match[2] or "").strip("."))
    return None
