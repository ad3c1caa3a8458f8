"""What monthly reports said when they were written, kept beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from onecard.base import files
from onecard.errors import ConfigError
from quality.reports.corrections import Correction, Headlines, Issued, corrected

_NAME = re.compile(r"monthly-(\d{4})-(\d{2})\.issued\.json")


def months(folder: Path) -> Iterator[date]:
    """Months of which an agency's folder remembers a report."""
    for file in sorted(folder.glob("monthly-*.issued.json")):
        if found := _NAME.fullmatch(file.name):
            yield date(int(found[1]), int(found[2]), 1)


def read(folder: Path, month: date) -> Issued | None:
    """What a month's report said when it was written last; None: it was never written.

    Args:
        folder: of the agency.
        month: its first day.

    Raises:
        ConfigError: the file is not what was written.
    """
    file = _file(folder, month)
    if not file.exists():
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        corrections = tuple(_correction(line) for line in found["corrections"])
        told = {key: tuple(values) for key, values in found["headlines"].items()}
        return Issued(str(found["scheme"]), told, corrections)
    except (ValueError, KeyError, TypeError, AttributeError):
        msg = f"{file}: is not what the reports wrote; remove it, then the month's report is as new"
        raise ConfigError(msg) from None


def said(folder: Path, month: date, now: Headlines, judged: str, closed_on: date | None) -> Issued:
    """What a report says; of a month that is closed, what was corrected too. Nothing is written.

    Args:
        folder: of the agency.
        month: its first day.
        now: its headlines.
        judged: what it is judged by (`quality.reports.corrections.judged_by`).
        closed_on: the hub's day, where the month is closed; None: it is still open.
    """
    before = read(folder, month)
    if closed_on is None or before is None:
        return Issued(judged, now)
    if before.scheme != judged:  # what differs came of that, and is no correction
        return Issued(judged, now, before.corrections)
    return corrected(before, now, closed_on)


def keep(folder: Path, month: date, found: Issued) -> None:
    """Remember what a report said, once its files are there.

    Args:
        folder: of the agency.
        month: its first day.
        found: what it said.
    """
    lines = [
        {"day": c.day.isoformat(), "key": c.key, "old": c.old, "new": c.new}
        for c in found.corrections
    ]
    kept = {"scheme": found.scheme, "headlines": found.headlines, "corrections": lines}
    files.write(_file(folder, month), json.dumps(kept, ensure_ascii=False, indent=1))


def _file(folder: Path, month: date) -> Path:
    return folder / f"monthly-{month:%Y-%m}.issued.json"


def _correction(line: dict[str, Any]) -> Correction:
    day = date.fromisoformat(line["day"])
    return Correction(day, str(line["key"]), tuple(line["old"]), tuple(line["new"]))
