"""Rows that the source has not any more: believed slowly, never many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

from psycopg import sql
from pydantic import Field

from onecard.base.frozen import Frozen
from onecard.base.sql_text import query
from onecard.ports.comparison import RowKey
from onecard.store import absences, datasets, registry
from onecard.store.absences import Sweep
from onecard.store.database import Connection
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
        """Whether a person must decide: more than the limit, half of the dataset, or all of it.

        Args:
            absent: rows of the registry that the source has not.
            rows: rows of the registry that were compared.
            rows_source: rows of the source.
        """
        return absent > self._limit(rows) or 2 * absent >= rows or rows_source == 0

    def too_many_rejected(self, rejected: int, rows: int) -> bool:
        """Whether so many rows that no collect has rejected say something about the reading.

        Args:
            rejected: rows of the source that the gate refuses, and that stand nowhere here.
            rows: rows of the registry that were compared.
        """
        return rejected > self._limit(rows)

    def _limit(self, rows: int) -> int:
        return max(self.most_rows, int(self.most_share * rows))


@cache
def rules() -> HoldRules:
    """The hold rules in force."""
    document = parse(FILE)
    return build(HoldRules, document.data, document)


def sweep(number: int, before: int, now: datetime) -> Sweep:
    """One look for absences, which believes what is absent for longer than the grace.

    Args:
        number: id of the reconciliation that looks.
        before: id of the last complete one of the dataset before it; 0: none.
        now: the hub's time.
    """
    return Sweep(number, before, now, now - rules().grace.span)


def believed(
    connection: Connection, dataset: str, absent: Mapping[bytes, RowKey], look: Sweep
) -> list[RowKey]:
    """Remember what is absent now, forget what is back; returns the absences to be believed.

    Args:
        connection: of the hub's database.
        dataset: whose rows they are.
        absent: keyed reference → key of every row that is absent now.
        look: which reconciliation looks.
    """
    return [absent[r] for r in sorted(absences.note(connection, dataset, absent.keys(), look))]


def tombstone(
    connection: Connection, contract: Contract, keys: Sequence[RowKey], version: int, now: datetime
) -> int:
    """Publish rows as deleted, under a new version; returns how many.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        keys: of the rows, at least one.
        version: rows that were published again since then stay.
        now: the hub's time; it is the moment of the deletion.
    """
    pairs = [
        query("{c}::text = k.{k}", c=sql.Identifier("t", n), k=sql.Identifier(f"k{i}"))
        for i, n in enumerate(contract.key)
    ]
    columns = [sql.Identifier(f"k{i}") for i in range(len(contract.key))]
    with connection.transaction():
        new = datasets.lock(connection, contract.id).version + 1
        done = connection.execute(
            query(
                "UPDATE {t} t SET _deleted_at = {now}, _version = {new} FROM unnest({arrays})"
                " AS k ({columns}) WHERE {on} AND t._deleted_at IS NULL AND t._version <= {seen}",
                t=registry.published(contract),
                now=sql.Literal(now.isoformat()),
                new=sql.Literal(new),
                arrays=sql.SQL(", ").join([sql.SQL("%s::text[]")] * len(columns)),
                columns=sql.SQL(", ").join(columns),
                on=sql.SQL(" AND ").join(pairs),
                seen=sql.Literal(version),
            ),
            [list(values) for values in zip(*keys, strict=True)],
        ).rowcount
        if done:
            datasets.raise_version(connection, contract.id, new)
    return done
