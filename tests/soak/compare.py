"""What a hub and its consumers hold, so that two histories can be compared."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from demo import verify
from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.store import database

ALWAYS = ("_transfer_id", "_version", "_first_version")
"""What may differ between two good histories: ids, and how many steps led there."""


def contents(hub: Hub) -> dict[str, object]:
    """What a hub holds, without ids and numbers of steps: registry, quarantine, absences."""
    found: dict[str, object] = {}
    minus = "".join(f" - '{name}'" for name in ALWAYS)
    with database.connect(hub.address, autocommit=True) as connection:
        for dataset, contract in sorted(hub.catalogue.contracts.items()):
            found[dataset] = connection.execute(
                "SELECT count(*), sum(hashtextextended(x.r, 0)::numeric)"
                f" FROM (SELECT (to_jsonb(t){minus})::text AS r"
                f" FROM registry.{contract.table} t) x".encode()
            ).fetchone()
        found["quarantine"] = connection.execute(
            "SELECT dataset, agreement, encode(fingerprint, 'hex'), reasons::text, status"
            " FROM quarantine.record ORDER BY 1, 2, 3"
        ).fetchall()
        found["absences"] = connection.execute(
            "SELECT dataset, encode(record_ref, 'hex') FROM ledger.absence ORDER BY 1, 2"
        ).fetchall()
    return found


def inboxes(stage: Rehearsal) -> dict[str, tuple[int, int]]:
    """Number and digest of the rows that each consumer holds under each agreement."""
    agencies = stage.hub(0).catalogue.agencies
    return {
        f"{consumer} {agreement}": _digest(frame)
        for consumer in sorted(agencies)
        for agreement, frame in stage.city.inbox(consumer).items()
    }


def _digest(frame: pl.DataFrame) -> tuple[int, int]:
    rows = frame.drop("delivery_id", "received_at", strict=False)
    rows = rows.select(sorted(rows.columns))
    return len(rows), int(rows.hash_rows().sum()) if len(rows) else 0


def differences(ours: Rehearsal, its: Rehearsal, night: int) -> Iterator[str]:
    """In what two cities differ after the same night; no value of a row is named."""
    held = [{**contents(stage.hub(night)), **inboxes(stage)} for stage in (ours, its)]
    for name in sorted(held[0].keys() | held[1].keys()):
        if held[0].get(name) != held[1].get(name):
            yield f"{name} differs from the twin's"


def unplanted(stage: Rehearsal, night: int) -> Iterator[str]:
    """Datasets whose quarantine is not exactly what was planted up to now."""
    found = verify.verify(stage.hub(night), stage.city.home / "truth")
    for dataset, verdict in found.items():
        if verdict.missed or verdict.wrong:
            yield f"{dataset} is not as it was planted"
