"""Formulas of XLSX workbooks: whether one asks another workbook, itself or by a name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence

LONGEST = 8192
"""Characters of a formula that are looked through (Excel's limits)."""
_LITERAL = re.compile(r'"[^"]*"')
_OUTSIDE = re.compile(r"\[\d+\]|\[[^\[\]]*\.xl|\|")
"""A reference to another workbook, by its number or its name, or to another program (DDE)."""
_NAME = re.compile(r"[^\W\d][\w.\\?]*")


def asks_outside(formula: str, outside: Collection[str]) -> bool:
    """Whether a formula's value comes from another workbook or another program.

    Args:
        formula: as it is written in the file.
        outside: as `outside_names` gives them.
    """
    if _OUTSIDE.search(_LITERAL.sub("", formula[:LONGEST])):
        return True
    return bool(outside) and not _names_in(formula).isdisjoint(outside)


def outside_names(defined: Sequence[tuple[str, str]]) -> frozenset[str]:
    """The names, in small letters, that lead to another workbook, also by way of other names.

    Args:
        defined: names of the workbook and the formula of each; a name may be a sheet's own, and is
            taken for all sheets'.
    """
    known = {name.casefold() for name, _ in defined}
    used_by: dict[str, list[str]] = defaultdict(list)
    ahead: list[str] = []
    for name, formula in defined:
        if asks_outside(formula, ()):
            ahead.append(name.casefold())
        for used in known.intersection(_names_in(formula)):
            used_by[used].append(name.casefold())
    found: set[str] = set()
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += used_by[name]
    return frozenset(found)


def _names_in(formula: str) -> set[str]:
    return {name.casefold() for name in _NAME.findall(_LITERAL.sub("", formula[:LONGEST]))}
