"""Code lists: `schemas/codes/<name>.csv`, columns `code,label_zh,source` (or a table of tuples).

A list is a fact of a standard and stands once; contracts name it, the gate, the reports and the
DDL comments are derived from it.
"""

from __future__ import annotations

import csv
from pathlib import Path

from onecard.base.kept import Kept
from onecard.errors import ConfigError, unknown

CODES = Path(__file__).parents[1] / "codes"


@Kept
def names(folder: Path = CODES) -> tuple[str, ...]:
    """Names of all code lists."""
    return tuple(sorted(path.stem for path in folder.glob("*.csv")))


@Kept
def table(name: str, folder: Path = CODES) -> tuple[dict[str, str], ...]:
    """All rows of one list.

    Raises:
        ConfigError: there is no such list.
    """
    path = folder / f"{name}.csv"
    if name not in names(folder):
        raise ConfigError(unknown("code list", name, names(folder)))
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@Kept
def codes(name: str, folder: Path = CODES) -> tuple[str, ...]:
    """The codes of one list, in the file's order."""
    return tuple(row["code"] for row in table(name, folder))


@Kept
def labels(name: str, folder: Path = CODES) -> dict[str, str]:
    """Chinese label of each code."""
    return {row["code"]: row["label_zh"] for row in table(name, folder)}
