"""Fails when a test was skipped: `python tools/check_skips.py <junit.xml>…` (used by .ci/run).

A skipped test proves nothing, so CI allows two reasons only: public files that stand beside the
project on some machines are absent; there is no browser, and CI could not install it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

ALLOWED = ("domain files absent", *(() if shutil.which("chromium") else ("Chromium absent",)))


def skipped(report: Path) -> list[tuple[str, str]]:
    """(test, reason) of every skipped test whose reason is not allowed."""
    found = []
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - our own file
        skip = case.find("skipped")
        if skip is not None and skip.get("type") != "pytest.xfail":
            reason = (skip.get("message") or "").removeprefix("Skipped: ")
            if not reason.startswith(ALLOWED):
                found.append((f"{case.get('classname')}::{case.get('name')}", reason))
    return found


def main() -> int:
    """Name the skipped tests; 1 when there is one."""
    found = [line for report in sys.argv[1:] for line in skipped(Path(report))]
    for test, reason in found:
        sys.stderr.write(f"skipped: {test}: {reason}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
