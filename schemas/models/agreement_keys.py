"""Whether the key of an agreement tells the rows of its dataset apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from schemas.models.agreement import Agreement
from schemas.models.agreement_parts import EXACT, Join
from schemas.models.contract import Contract


def exact(agreement: Agreement) -> set[str]:
    """Paths whose values the key of a row that has left still tells apart."""
    fields = [f for f in agreement.fields if f.name in agreement.key and f.treatment in EXACT]
    return {f.origin for f in fields if f.origin is not None}


def determines(
    paths: Iterable[str], agreement: Agreement, contracts: Mapping[str, Contract]
) -> bool:
    """Whether rows that agree in these paths are one row of the agreement's dataset.

    A joined value is that of the field which it matches, and a joined row is known by its key.

    Args:
        paths: of the agreement's dataset (`name`) and of its joins (`alias.name`).
        agreement: whose.
        contracts: of what it reads.
    """
    known, before = set(paths), -1
    while len(known) > before:
        before = len(known)
        for join in agreement.joins:
            known |= _determined_by(join, known, contracts[join.dataset].key)
    return set(contracts[agreement.dataset].key) <= known


def _determined_by(join: Join, known: set[str], key: tuple[str, ...]) -> set[str]:
    """What a join tells of paths when these are known."""
    row = all(f"{join.alias}.{column}" in known for column in key)
    found: set[str] = set()
    for path, column in join.match.items():
        joined = f"{join.alias}.{column}"
        if row or known & {path, joined}:
            found |= {path, joined}
    return found
