"""Rows that the source has not any more: believed slowly, never many at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from psycopg import sql
from pydantic import Field

from onecard.base.frozen import Frozen
from onecard.ports.comparison import RowKey
from onecard.store import ledger, registry
from onecard.store.database import Connection, query
from schemas.models.contract import Contract
from schemas.models.strict_yaml import parse
from schemas.models.values import Duration, build

FILE = Path(__file__).with_name("reconcile.yaml")


class HoldRules(Frozen):
    """The rules of `reconcile.yaml`; the file says what each means."""

    grace: Duration
    most_rows: int = Field(ge=0)
    most_share: float = Field(ge=0, le=0.5)
    never_from: tuple[str, ...] = ()

    def too_many(self, absent: int, rows: int, rows_source: int) -> bool:
        """Whether a person must decide: more than the limit, half of the dataset, or all of it."""
        limit = max(self.most_rows, int(self.most_share * rows))
        return absent > limit or 2 * absent >= rows or rows_source == 0


@cache
def rules() -> HoldRules:
    """The hold rules in force."""
    document = parse(FILE)
    return build(HoldRules, document.data, document)


@dataclass(frozen=True, slots=True)
class Run:
    """Which reconciliation looks: its id, the one before it, the hub's time."""

    number: int
    before: int
    now: datetime


def note(
    connection: Connection, dataset: str, absent: Mapping[bytes, RowKey], run: Run
) -> list[RowKey]:
    """Remember what is absent now, forget what is back; returns the absences to be believed.

    Believed is what the run before this one found absent too, or what is absent for longer than
    the grace.
    """
    refs = sorted(absent)
    grace = run.now - rules().grace.span
    with connection.transaction():
        rows = connection.execute(
            "SELECT record_ref FROM ledger.absence WHERE dataset = %s AND record_ref = ANY(%s)"
            " AND ((last_seen_by = %s AND %s > 0) OR first_seen <= %s)",
            (dataset, refs, run.before, run.before, grace),
        ).fetchall()
        connection.execute(
            "DELETE FROM ledger.absence WHERE dataset = %s AND NOT record_ref = ANY(%s)",
            (dataset, refs),
        )
        connection.execute(
            "INSERT INTO ledger.absence (dataset, record_ref, first_seen, last_seen_by)"
            " SELECT %s, r, %s, %s FROM unnest(%s::bytea[]) r ON CONFLICT (dataset, record_ref)"
            " DO UPDATE SET last_seen_by = excluded.last_seen_by",
            (dataset, run.now, run.number, refs),
        )
    return [absent[bytes(row[0])] for row in rows if isinstance(row[0], bytes)]


def tombstone(
    connection: Connection, contract: Contract, keys: Sequence[RowKey], version: int, now: datetime
) -> int:
    """Publish rows as deleted, under a new version; returns how many.

    Rows that were published again since `version` stay.
    """
    pairs = [
        query("{c}::text = k.{k}", c=sql.Identifier("t", n), k=sql.Identifier(f"k{i}"))
        for i, n in enumerate(contract.key)
    ]
    columns = [sql.Identifier(f"k{i}") for i in range(len(contract.key))]
    with connection.transaction():
        connection.execute(
            "SELECT FROM ledger.dataset WHERE dataset = %s FOR UPDATE", (contract.id,)
        )
        state = ledger.state(connection, contract.id)
        done = connection.execute(
            query(
                "UPDATE {t} t SET _deleted_at = {now}, _version = {new} FROM unnest({arrays})"
                " AS k ({columns}) WHERE {on} AND t._deleted_at IS NULL AND t._version <= {seen}",
                t=registry.published(contract),
                now=sql.Literal(now.isoformat()),
                new=sql.Literal(state.version + 1),
                arrays=sql.SQL(", ").join([sql.SQL("%s::text[]")] * len(columns)),
                columns=sql.SQL(", ").join(columns),
                on=sql.SQL(" AND ").join(pairs),
                seen=sql.Literal(version),
            ),
            [list(values) for values in zip(*keys, strict=True)],
        ).rowcount
        if done:
            connection.execute(
                "UPDATE ledger.dataset SET version = %s WHERE dataset = %s",
                (state.version + 1, contract.id),
            )
    return done


def forget(connection: Connection, dataset: str, refs: Collection[bytes]) -> None:
    """Drop absences that were published as deleted."""
    connection.execute(
        "DELETE FROM ledger.absence WHERE dataset = %s AND record_ref = ANY(%s)",
        (dataset, sorted(refs)),
    )
