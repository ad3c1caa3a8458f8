"""Healing: what a reconciliation found missing or differing, published by a collect of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import pyarrow as pa
from psycopg import sql

from onecard.base.connections import Connection
from onecard.base.sql_text import query
from onecard.collect.own_rows import OwnReading, OwnRows
from onecard.model.signoffs import SignOff
from onecard.ports.source import Chunk, ReadRequest
from onecard.reconcile.services import TransferDesk
from onecard.reconcile.source_rows import Located, SourceRows
from onecard.store import arrow, registry
from schemas.models.contract import Contract

ORIGIN = "reconciliation"


def heal(
    hub: TransferDesk,
    contract: Contract,
    rows: SourceRows,
    rejected: Sequence[Located],
    accepted: SignOff | None = None,
) -> int:
    """Publish the chosen staged rows, and quarantine the rejected ones; returns how many.

    A collect of its own: gate, accounting, receipt and audit as always, the watermark unmoved.

    Args:
        hub: the hub.
        contract: of the dataset.
        rows: the source's rows, those to be published chosen.
        rejected: rows that the gate refused, and that stand neither here nor there.
        accepted: who lets the chosen ones replace newer rows, and why.
    """
    source = ChosenRows(hub.address, contract, rows, rejected)
    done = hub.collect(contract.id, source).replay(accepted)
    return done.counts.published + done.counts.quarantined


class ChosenRows(OwnRows):
    """A connector whose source is what a reconciliation has chosen of its staged rows."""

    kind: ClassVar[str] = "staged_rows"

    def __init__(
        self, address: str, contract: Contract, rows: SourceRows, rejected: Sequence[Located]
    ) -> None:
        """Take what is published.

        Args:
            address: of the hub's database.
            contract: of the dataset.
            rows: the source's rows, those to be published chosen.
            rejected: rows that the gate refused.
        """
        self._address, self._contract, self._rows = address, contract, rows
        self._rejected = rejected

    def read(self, connection: Connection, request: ReadRequest) -> ChosenReading:  # noqa: ARG002
        """The chosen rows as typed chunks of the contract's fields, then the rejected as text."""
        statement = self._statement().as_string(None)
        names = [c.name for c in request.columns]
        return ChosenReading(self._address, statement, names, self._rejected)

    def _statement(self) -> sql.Composed:
        """The chosen rows that nobody has published in the meantime."""
        contract = self._contract
        return query(
            "SELECT {columns} FROM {chosen} s LEFT JOIN {t} t ON {on}"
            " WHERE coalesce(t._version, 0) <= {version}",
            columns=sql.SQL(", ").join(sql.Identifier("s", n) for n in contract.names),
            chosen=self._rows.chosen,
            t=registry.published(contract),
            on=sql.SQL(" AND ").join(
                query("{s} = {t}", s=sql.Identifier("s", n), t=sql.Identifier("t", n))
                for n in contract.key
            ),
            version=sql.Literal(self._rows.version),
        )


class ChosenReading(OwnReading):
    """One pass over the chosen and the rejected rows."""

    def __init__(
        self, address: str, statement: str, names: Sequence[str], rejected: Sequence[Located]
    ) -> None:
        """Take what is read.

        Args:
            address: of the hub's database.
            statement: selects the chosen rows with the contract's fields.
            names: the contract's fields.
            rejected: rows that the gate refused and no collect has seen.
        """
        super().__init__()
        self._address, self._statement = address, statement
        self._names, self._rejected = names, rejected

    def __iter__(self) -> Iterator[Chunk]:
        first = 1
        with arrow.connect(self._address) as connection, connection.cursor() as cursor:
            cursor.execute(self._statement)
            for batch in cursor.fetch_record_batch():
                if batch.num_rows:
                    yield Chunk(batch, ORIGIN, first)
                first += batch.num_rows
        yield from self._again(first)

    def _again(self, first: int) -> Iterator[Chunk]:
        """The rejected rows as text; a record that could not be split, in its own place."""
        names = self._names
        whole = [found.row.values for found in self._rejected if found.row.values]
        if whole:
            columns = [pa.array([r.get(n) for r in whole], pa.string()) for n in names]
            yield Chunk(pa.RecordBatch.from_arrays(columns, names=names), ORIGIN, first)
        nothing = pa.RecordBatch.from_arrays([pa.nulls(1, pa.string())] * len(names), names=names)
        for found in self._rejected:
            if not found.row.values:
                rule = found.row.reasons[0].rule
                yield Chunk(nothing, found.origin, found.row.number, {0: rule})
