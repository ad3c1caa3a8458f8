"""Fails when two migrations carry one number, or a number is missing."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "sql" / "migrations" / "versions"


def problems() -> list[str]:
    """What is wrong with the numbers."""
    numbers = sorted(path.name.split("_")[0] for path in FOLDER.glob("[0-9]*.py"))
    wanted = [f"{i:04d}" for i in range(1, len(numbers) + 1)]
    return [] if numbers == wanted else [f"migration numbers {numbers} should be {wanted}"]


if __name__ == "__main__":
    found = problems()
    for line in found:
        print(line)  # noqa: T201 - a script's own output
    sys.exit(1 if found else 0)
