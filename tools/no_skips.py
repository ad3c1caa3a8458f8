"""Fails when a test was skipped whose service could be had: `python tools/no_skips.py junit.xml`."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

ALLOWED = "domain files absent"


def skipped(report: Path) -> list[str]:
    """Name and reason of every skip that is not allowed."""
    tree = ElementTree.parse(report)  # noqa: S314 - written by our own pytest
    found = []
    for case in tree.iter("testcase"):
        for skip in case.iter("skipped"):
            reason = skip.get("message") or ""
            if ALLOWED not in reason:
                found.append(f"{case.get('classname')}::{case.get('name')}: {reason}")
    return found


if __name__ == "__main__":
    problems = skipped(Path(sys.argv[1]))
    for problem in problems:
        print("skipped:", problem)  # noqa: T201 - a script's own output
    sys.exit(1 if problems else 0)
