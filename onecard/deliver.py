"""Deliver: hub → consumer. `select → scope → treat → gate → send → confirm`."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from onecard.connections import Connections
from onecard.errors import PolicyError, ours
from onecard.hub import database, ledger, registry
from onecard.hub.database import query
from onecard.keys import Key, KeyStore
from onecard.ports import Connector, Parcel, Sent
from onecard.selection import Selection
from onecard.settings import Settings
from schemas.agreement import Agreement
from schemas.contract import Contract

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Outbound:
    """What a delivery needs from outside the core; `onecard.wiring` fills it."""

    address: str
    settings: Settings
    connections: Connections
    keys: KeyStore
    connector: Connector
    contracts: Mapping[str, Contract]


@dataclass(frozen=True, slots=True)
class Delivered:
    """How one delivery ended; `transfer` is None when nothing was due."""

    agreement: str
    transfer: int | None
    rows: int = 0
    parts: int = 0
    already: int = 0


class Deliver:
    """The transfer of one agreement's rows to its consumer."""

    def __init__(self, agreement: Agreement, tools: Outbound) -> None:
        self._agreement = agreement
        self._tools = tools

    def run(self) -> Delivered:
        """Send what is due and confirm it.

        Raises:
            PolicyError: not in force, no key, or the treated batch is not what was agreed.
            SourceUnavailable, ProtocolError: as the connector raises them; the window stays open
                and the next run sends the same delivery again under the same id.
        """
        self._refuse_unless_in_force()
        with database.connect(self._tools.address, autocommit=True) as connection:
            # One delivery of an agreement at a time; the second finds nothing due.
            connection.execute(
                "SELECT pg_advisory_lock(hashtextextended(%s, 0))", (self._agreement.id,)
            )
            versions = self._versions(connection)
            after = self._confirmed(connection)
            if all(after.get(d, 0) >= v for d, v in versions.items()):
                return Delivered(self._agreement.id, None)
            self._index(connection, after)
            transfer = ledger.open_transfer(
                connection, "deliver", self._agreement.id, self._agreement.version
            )
            delivery = self._window(connection, transfer)
            try:
                sent = self._send(delivery, after)
                self._confirm(connection, transfer, delivery, sent)
            except Exception as caught:  # noqa: BLE001 - recorded, then raised as one of ours
                error = ours(caught)
                ledger.update(connection, transfer, {"status": "failed", "message": str(error)})
                raise error from None
        return Delivered(self._agreement.id, transfer, sent[0].rows, sent[0].parts, sent[0].already)

    def preview(self, rows: int, *, due_only: bool = False) -> pl.DataFrame:
        """What would leave now, after scope and treatment; nothing is sent or recorded."""
        import polars as pl  # noqa: PLC0415 - see _frames

        self._refuse_unless_in_force()
        with database.connect(self._tools.address, autocommit=True) as connection:
            after = self._confirmed(connection) if due_only else {}
            self._versions(connection)
        frames = list(self._frames(after, limit=rows, due_only=due_only, seen={}))
        return pl.concat(frames) if frames else pl.DataFrame(schema=list(self._agreement.names))

    def _refuse_unless_in_force(self) -> None:
        agreement = self._agreement
        if not agreement.served:
            msg = f"{agreement.id} is not served (mode {agreement.mode}, state {agreement.state})"
            raise PolicyError(msg)
        today = self._tools.settings.now().date()
        if not agreement.in_force(today):
            span = f"{agreement.validity.first} to {agreement.validity.last}"
            msg = f"{agreement.id} is not in force on {today} (valid {span}): nothing leaves"
            raise PolicyError(msg)

    def _versions(self, connection: database.Connection) -> dict[str, int]:
        """Published version of every dataset that the agreement reads.

        Raises:
            PolicyError: one of them was never collected, so the scope cannot be evaluated.
        """
        rows = connection.execute(
            "SELECT dataset, version FROM ledger.dataset WHERE dataset = ANY(%s) AND version > 0",
            (list(self._agreement.datasets),),
        ).fetchall()
        found = {str(dataset): int(str(version)) for dataset, version in rows}
        missing = [d for d in self._agreement.datasets if d not in found]
        if missing:
            msg = f"{self._agreement.id}: not collected yet: {', '.join(missing)}"
            raise PolicyError(msg)
        return found

    def _confirmed(self, connection: database.Connection) -> dict[str, int]:
        rows = connection.execute(
            "SELECT dataset, version FROM ledger.delivered WHERE agreement = %s",
            (self._agreement.id,),
        ).fetchall()
        return {str(dataset): int(str(version)) for dataset, version in rows}

    def _index(self, connection: database.Connection, after: Mapping[str, int]) -> None:
        """Make the indexes that this agreement's selection wants, once."""
        selection = self._selection(after)
        for table, column in selection.indexes():
            name = f"{table}_{column.lstrip('_')}"[:63]
            connection.execute(
                query(
                    "CREATE INDEX IF NOT EXISTS {n} ON {t} ({c})",
                    n=sql.Identifier(name),
                    t=sql.Identifier(registry.REGISTRY, table),
                    c=sql.Identifier(column),
                )
            )

    def _window(self, connection: database.Connection, transfer: int) -> str:
        """The delivery's id: that of the attempt that was not confirmed, or a new one."""
        fresh = f"{self._agreement.id}-{transfer:08d}-{secrets.token_hex(2)}"
        row = connection.execute(
            "INSERT INTO ledger.delivery_window (agreement, delivery_id) VALUES (%s, %s)"
            " ON CONFLICT (agreement) DO UPDATE SET agreement = excluded.agreement"
            " RETURNING delivery_id",
            (self._agreement.id, fresh),
        ).fetchone()
        delivery = str(row[0]) if row else fresh
        ledger.update(connection, transfer, {"delivery_id": delivery})
        return delivery

    def _send(self, delivery: str, after: Mapping[str, int]) -> tuple[Sent, dict[str, int]]:
        import polars as pl  # noqa: PLC0415 - see _frames

        seen: dict[str, int] = {}
        frames = self._frames(after, limit=None, due_only=True, seen=seen)
        first = next(frames, None)
        if first is None:
            return Sent(0, 0, 0, ""), seen
        level = pl.CompatLevel.oldest()

        def batches() -> Iterator[pa.RecordBatch]:
            yield from first.to_arrow(compat_level=level).to_batches()
            for frame in frames:
                yield from frame.to_arrow(compat_level=level).to_batches()

        agreement = self._agreement
        delivery_block = agreement.delivery
        if delivery_block is None:
            msg = f"{agreement.id} says nowhere where to deliver: nothing leaves"
            raise PolicyError(msg)
        connector = self._tools.connector
        parcel = Parcel(
            delivery_id=delivery,
            agreement=agreement.id,
            key=agreement.key,
            batches=batches(),
            schema=first.to_arrow(compat_level=level).schema,
            manifest={
                "agreement": agreement.id,
                "agreementVersion": agreement.version,
                "dataset": agreement.dataset,
                "purpose": agreement.purpose,
                "basis": f"{agreement.basis.statute} {agreement.basis.article}",
                "retention": agreement.retention,
                "columns": list(agreement.names),
            },
        )
        options = connector.sink_options.model_validate(dict(delivery_block.options))
        system = self._tools.connections.get(delivery_block.connection)
        return connector.send(system, options, parcel), seen

    def _frames(
        self, after: Mapping[str, int], *, limit: int | None, due_only: bool, seen: dict[str, int]
    ) -> Iterator[pl.DataFrame]:
        """Treated batches of what is due, all from one snapshot whose versions go into `seen`."""
        import polars as pl  # noqa: PLC0415 - imports are the larger half of a short run
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415

        from onecard import treatment  # noqa: PLC0415

        agreement = self._agreement
        fields = treatment.fields_of(agreement, self._tools.contracts)
        key = self._token_key()
        statement = self._selection(after).statement(limit, due_only=due_only).as_string(None)
        with dbapi.connect(self._tools.address) as connection, connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SELECT dataset, version FROM ledger.dataset")
            versions = dict(cursor.fetchall())
            seen.update({d: versions[d] for d in agreement.datasets})
            cursor.execute(statement)
            for batch in cursor.fetch_record_batch():
                if not batch.num_rows:
                    continue
                frame = pl.DataFrame(pl.from_arrow(batch))
                frame = treatment.treat(frame, agreement, fields, key)
                treatment.assert_treated(frame, agreement, fields)
                yield frame

    def _selection(self, after: Mapping[str, int]) -> Selection:
        today = self._tools.settings.now().date()
        return Selection(self._agreement, self._tools.contracts, after, today)

    def _token_key(self) -> Key | None:
        if any(f.treatment == "token" for f in self._agreement.fields):
            return self._tools.keys.token(self._agreement.consumer)
        return None

    def _confirm(
        self,
        connection: database.Connection,
        transfer: int,
        delivery: str,
        sent: tuple[Sent, Mapping[str, int]],
    ) -> None:
        """Delivered versions, closed window and ledger in one transaction."""
        result, seen = sent
        with connection.transaction():
            for dataset, version in seen.items():
                connection.execute(
                    "INSERT INTO ledger.delivered (agreement, dataset, version)"
                    " VALUES (%s, %s, %s) ON CONFLICT (agreement, dataset)"
                    " DO UPDATE SET version = excluded.version",
                    (self._agreement.id, dataset, version),
                )
            connection.execute(
                "DELETE FROM ledger.delivery_window WHERE agreement = %s AND delivery_id = %s",
                (self._agreement.id, delivery),
            )
            ledger.update(
                connection,
                transfer,
                {
                    "status": "confirmed",
                    "sent_rows": result.rows,
                    "sent_parts": result.parts,
                    "digest": result.digest,
                },
            )
