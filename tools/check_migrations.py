"""Checks that migrations form one line: `python tools/check_migrations.py` (a pre-commit hook).

Two branches that each add `0007_….py` merge without a conflict in git and break the database;
this finds it, a gap, and a file whose revision or predecessor is not its number's.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "sql" / "migrations" / "versions"
_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.py$")
_ASSIGNED = re.compile(
    r"^(down_revision|revision)\b[^=]*=\s*(?:None|[\"'](\w+)[\"'])", re.MULTILINE
)


def problems(folder: Path = FOLDER) -> list[str]:
    """What is wrong with the migrations of a folder, one line each."""
    found = []
    expected = 1
    for file in sorted(folder.glob("*.py")):
        name = _NAME.match(file.name)
        if name is None:
            found.append(f"{file.name}: write NNNN_what_it_does.py")
            continue
        if int(name[1]) != expected:
            found.append(f"{file.name}: number {expected:04d} is next; two files or a gap")
        assigned = dict(_ASSIGNED.findall(file.read_text(encoding="utf-8")))
        before = f"{int(name[1]) - 1:04d}" if int(name[1]) > 1 else ""
        if assigned.get("revision") != name[1]:
            found.append(f"{file.name}: revision must be {name[1]!r}")
        if assigned.get("down_revision") != before:
            found.append(f"{file.name}: down_revision must be {before or None!r}")
        expected = int(name[1]) + 1
    return found


def main() -> int:
    """Name the problems; 1 when there is one."""
    found = problems()
    for problem in found:
        sys.stderr.write(problem + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
