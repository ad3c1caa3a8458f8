"""Copies what each room says of itself into docs/architecture.md.

`python tools/make_architecture.py` writes; `--check` exits 1 when the page is stale.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "architecture.md"
HOUSES = ("onecard", "connectors", "schemas", "quality")
BEGIN, END = "<!-- rooms -->\n", "<!-- end of rooms -->\n"


def rooms() -> Iterator[str]:
    """Packages and their folders that hold modules."""
    for house in HOUSES:
        if house != "onecard":
            yield house
        inner = sorted(p.parent for p in (ROOT / house).glob("*/__init__.py"))
        yield from (str(folder.relative_to(ROOT)) for folder in inner)


def section() -> str:
    """A paragraph for each room: its name, then its docstring."""
    found = []
    for room in rooms():
        source = (ROOT / room / "__init__.py").read_text(encoding="utf-8")
        said = ast.get_docstring(ast.parse(source)) or ""
        first, _, rest = said.partition("\n\n")
        # A longer docstring goes on about the room's inside; the page needs what enters and leaves.
        more = " ".join(rest.partition("\n\n")[0].split()) if rest.startswith("In:") else ""
        found.append(f"**`{room}`**: {' '.join(first.split())} {more}".strip() + "\n")
    return "\n".join(found)


def page() -> str:
    """The page with its rooms as they are now."""
    text = TARGET.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    return head + BEGIN + section() + END + rest.partition(END)[2]


def main() -> int:
    """Write the file, or with --check compare it."""
    made = page()
    if "--check" in sys.argv[1:]:
        return int(TARGET.read_text(encoding="utf-8") != made)
    TARGET.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
