"""Compares the quarantine with the planted truth, row by row and rule by rule."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from onecard.app.wiring import Hub
from onecard.store import database, quarantine
from schemas.models.contract import Contract

Row = tuple[str, tuple[tuple[str, str], ...]]
"""A row's identity (its key, or file and row number for a damaged record) and its reasons."""


@dataclass(slots=True)
class Verdict:
    """Of one dataset: how many planted rows were found, and what does not match.

    Attributes:
        kinds: rows per (field, rule).
        missed: planted, but not quarantined with exactly these reasons.
        wrong: quarantined, but not planted with exactly these reasons.
    """

    planted: int = 0
    found: int = 0
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    missed: list[Row] = field(default_factory=list)
    wrong: list[Row] = field(default_factory=list)


def verify(hub: Hub, truth: Path) -> dict[str, Verdict]:
    """Compare every dataset; an empty `missed` and `wrong` everywhere means exact.

    Args:
        hub: whose quarantine to look at.
        truth: folder with a folder `day-<n>` for each day that was run.
    """
    with database.connect(hub.address, autocommit=True) as connection:
        return {
            dataset: _compare(_planted(contract, truth), _found(hub, connection, contract))
            for dataset, contract in sorted(hub.catalogue.contracts.items())
        }


def _compare(planted: Counter[Row], found: Counter[Row]) -> Verdict:
    return Verdict(
        planted=planted.total(),
        found=found.total(),
        kinds=Counter(reason for _, reasons in planted.elements() for reason in reasons),
        missed=sorted((planted - found).elements()),
        wrong=sorted((found - planted).elements()),
    )


def _planted(contract: Contract, folder: Path) -> Counter[Row]:
    rows: Counter[Row] = Counter()
    for file in sorted(folder.glob(f"day-*/{contract.table}.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            reasons = tuple(sorted((f, r) for f, r in entry["reasons"]))
            damaged = any(rule.startswith("record.") for _, rule in reasons)
            name = f"{entry['origin']}#{entry['row']}" if damaged else _key(contract, entry["key"])
            rows[name, reasons] += 1
    return rows


def _found(hub: Hub, connection: database.Connection, contract: Contract) -> Counter[Row]:
    rows: Counter[Row] = Counter()
    for record, values in _opened(hub, connection, contract):
        reasons = tuple(sorted(record.reasons))
        damaged = any(rule.startswith("record.") for _, rule in reasons)
        place = f"{Path(record.origin).name}#{record.row_number}"
        rows[place if damaged else _key(contract, values), reasons] += 1
    return rows


def _opened(
    hub: Hub, connection: database.Connection, contract: Contract
) -> Iterator[tuple[quarantine.Record, dict[str, str | None]]]:
    return quarantine.opened_all(connection, contract.id, hub.keys)


def _key(contract: Contract, values: dict[str, Any]) -> str:
    return "|".join(str(values.get(name)) for name in contract.key)
