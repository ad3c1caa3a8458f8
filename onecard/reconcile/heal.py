"""Healing: what a reconciliation found missing or differing, published by a collect of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import pyarrow as pa
from psycopg import sql
from pydantic import BaseModel

from onecard.app.wiring import Hub
from onecard.base.connections import Connection
from onecard.errors import ConfigError
from onecard.model.checkpoints import Checkpoint
from onecard.operations.replay import NoOptions
from onecard.ports.sink import Parcel, Sent
from onecard.ports.source import Chunk, ReadRequest, Refusal
from onecard.reconcile.stage import Located, Stage
from onecard.store import arrow, registry
from onecard.store.database import query
from schemas.models.contract import Contract

ORIGIN = "reconciliation"


def heal(hub: Hub, contract: Contract, stage: Stage) -> int:
    """Publish the chosen staged rows, and quarantine the rejected unknown ones; returns how many.

    A collect of its own: gate, accounting, receipt and audit as always, the watermark unmoved.
    """
    source = StagedRows(hub.address, contract, stage)
    done = hub.collect(contract.id, source).replay()
    return done.counts.published + done.counts.quarantined


class StagedRows:
    """A connector whose source is a staging table."""

    kind: ClassVar[str] = "staged_rows"
    source_options: ClassVar[type[BaseModel]] = NoOptions
    sink_options: ClassVar[type[BaseModel]] = NoOptions

    def __init__(self, address: str, contract: Contract, stage: Stage) -> None:
        self._address, self._contract, self._stage = address, contract, stage

    def read(self, connection: Connection, request: ReadRequest) -> StagedReading:  # noqa: ARG002
        """The chosen rows as typed chunks, then the rejected ones as text."""
        statement = self._statement().as_string(None)
        return StagedReading(self._address, statement, request, self._stage.unknown)

    def send(self, connection: Connection, options: BaseModel, parcel: Parcel) -> Sent:  # noqa: ARG002
        """Nothing is delivered into a staging table."""
        msg = "a staging table receives nothing"
        raise ConfigError(msg)

    def _statement(self) -> sql.Composed:
        """The chosen rows that nobody has published in the meantime."""
        contract = self._contract
        return query(
            "SELECT {columns} FROM {chosen} s LEFT JOIN {t} t ON {on}"
            " WHERE coalesce(t._version, 0) <= {version}",
            columns=sql.SQL(", ").join(sql.Identifier("s", n) for n in contract.names),
            chosen=self._stage.chosen,
            t=registry.published(contract),
            on=sql.SQL(" AND ").join(
                query("{s} = {t}", s=sql.Identifier("s", n), t=sql.Identifier("t", n))
                for n in contract.key
            ),
            version=sql.Literal(self._stage.version),
        )


class StagedReading:
    """One pass over the staged and the rejected rows; the source's checkpoint is not touched."""

    checkpoint: Checkpoint = {}  # noqa: RUF012 - nothing to remember
    refused: tuple[Refusal, ...] = ()
    waiting: tuple[str, ...] = ()

    def __init__(
        self, address: str, statement: str, request: ReadRequest, rejected: Sequence[Located]
    ) -> None:
        self._address, self._statement = address, statement
        self._request, self._rejected = request, rejected

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
        names = [c.name for c in self._request.columns]
        whole = [found.row.values for found in self._rejected if found.row.values]
        if whole:
            columns = [pa.array([r.get(n) for r in whole], pa.string()) for n in names]
            yield Chunk(pa.RecordBatch.from_arrays(columns, names=names), ORIGIN, first)
        nothing = pa.RecordBatch.from_arrays([pa.nulls(1, pa.string())] * len(names), names=names)
        for found in self._rejected:
            if not found.row.values:
                rule = found.row.reasons[0].rule
                yield Chunk(nothing, found.origin, found.row.number, {0: rule})
