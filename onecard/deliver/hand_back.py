"""Rejected rows go back to their own agency, over its own connector, so that it mends the source.

Only rows that the agency itself delivered and that are held now; one parcel per dataset. Without a
`handback` block in `agencies.yaml` nothing leaves, nor while deliveries to the agency are stopped,
nor over a connection that is not one of its own systems. A parcel's id follows from its rows: what
was confirmed once under an id is not sent again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from onecard.base import personal
from onecard.deliver.treatment_display import SHOWN_LEVELS
from onecard.errors import PolicyError, UsageError, unknown
from onecard.ports.connector import Connector
from onecard.ports.desk import Desk
from onecard.ports.sink import Parcel, Sent
from onecard.store import (
    agreement_lives,
    audit,
    audit_queries,
    database,
    locks,
    quarantine,
    receipts,
)
from onecard.store.database import Connection
from onecard.store.quarantine import Record
from schemas.models import semantic
from schemas.models.catalogue import HandBack
from schemas.models.contract import Contract, Field
from schemas.models.expected import expected

if TYPE_CHECKING:
    import polars as pl

Row = tuple[Record, dict[str, str | None]]
Title = Callable[[str], str]
"""A built-in rule's Chinese title."""

Connect = Callable[[str], Connector]
"""The connector of a kind."""

RECORD, NUMBER, ORIGIN, REASONS = "hub_record", "hub_row", "hub_origin", "hub_reasons"
SEALED, EPOCH = "hub_sealed", "hub_key_epoch"


@dataclass(frozen=True, slots=True)
class HandedBack:
    """One dataset's parcel; `already` when these rows had gone back under this id before."""

    dataset: str
    handback: str
    rows: int
    already: bool


def hand_back(
    hub: Desk, agency: str, connect: Connect, title: Title, *, ended: bool = False
) -> list[HandedBack]:
    """Send the agency's rows that still wait back to it.

    Args:
        hub: where its tools are.
        agency: id of the agency.
        connect: the connector of a kind.
        title: a built-in rule's Chinese title.
        ended: also rows that wait no more, such as mended ones.

    Raises:
        ConfigError: no such agency, or its connection or options are wrong.
        PolicyError: the agency has no `handback` block, a foreign connection, a stop, or no key.
        SourceUnavailable, ProtocolError: as the connector raises them; run it again.
    """
    if agency not in hub.catalogue.agencies:
        raise UsageError(unknown("agency", agency, hub.catalogue.agencies))
    block = hub.catalogue.agencies[agency].handback
    if block is None:
        msg = f"{agency}: agencies.yaml has no handback block for it: nothing leaves"
        raise PolicyError(msg)
    if block.connection not in hub.catalogue.connections_of(agency):
        msg = f"{agency}: connection {block.connection} is no system of it: nothing leaves"
        raise PolicyError(msg)
    done: list[HandedBack] = []
    with database.connect(hub.address, autocommit=True) as connection:
        locks.hold(connection, locks.Kind.HANDBACK, agency)
        _permit(connection, agency)
        for contract in hub.catalogue.datasets_of(agency):
            opened = quarantine.opened_all if ended else quarantine.opened
            found = opened(connection, contract.id, hub.keys)
            rows = [row for row in found if row[0].agreement is None]
            if rows:
                done.append(_Return(hub, connection, contract, block).run(rows, connect, title))
    return done


def _permit(connection: Connection, agency: str) -> None:
    if agreement_lives.stopped(connection, agency) is not None:
        msg = f"deliveries to {agency} are stopped: nothing leaves"
        raise PolicyError(msg)


class _Return:
    """One dataset's rows on their way back."""

    def __init__(
        self, hub: Desk, connection: Connection, contract: Contract, block: HandBack
    ) -> None:
        self._hub, self._connection = hub, connection
        self._contract, self._block = contract, block

    def run(self, rows: list[Row], connect: Connect, title: Title) -> HandedBack:
        """Send the rows, unless they went back before; opened and confirmed are audited.

        Args:
            rows: held rows of the dataset, with their values by field.
            connect: the connector of a kind.
            title: a built-in rule's Chinese title.
        """
        handback = self._id(rows)
        done = HandedBack(self._contract.id, handback, len(rows), already=False)
        if audit_queries.handed_back(self._connection, self._contract.agency, handback):
            return replace(done, already=True)
        table = self._table(rows, title)
        facts: dict[str, object] = {
            "signed_in": self._hub.signer.epoch,  # no signing key: nothing leaves
            "handback": handback,
            "dataset": self._contract.id,
            "rows": len(rows),
            "treatment": self._block.treatment,
        }
        self._audit("opened", facts)
        sent = self._send(handback, table, connect(self._block.connector))
        self._audit("confirmed", {**facts, "digest": sent.digest})
        return done

    def _id(self, rows: list[Row]) -> str:
        """The same for the same rows, rejected for the same reasons, under the same treatment."""
        known = [[r.id, r.last_seen.isoformat(), *map(list, r.reasons)] for r, _ in rows]
        text = json.dumps([known, self._contract.version, self._block.treatment])
        name = self._contract.id.replace("/", "-")
        return f"handback-{name}-{sha256(text.encode()).hexdigest()[:12]}"

    def _audit(self, event: str, facts: Mapping[str, object]) -> None:
        actor = self._hub.settings.actor
        with self._connection.transaction():
            agency = self._contract.agency
            audit.append(self._connection, f"handback.{event}", agency, actor, facts)

    def _send(self, handback: str, table: pa.Table, connector: Connector) -> Sent:
        block, agency = self._block, self._contract.agency
        name = self._contract.id.partition("/")[2]
        options = {
            key: value.replace("{dataset}", name) if isinstance(value, str) else value
            for key, value in block.options.items()
        }
        parcel = Parcel(
            delivery_id=handback,
            agreement=f"handback-{name}",
            schema=table.schema,
            key=(RECORD,),
            batches=iter(table.to_batches()),
            manifest={
                "handback": handback,
                "consumer": agency,
                "dataset": self._contract.id,
                "treatment": block.treatment,
                "at": self._hub.settings.now().isoformat(),
            },
            leave=lambda rows=0: _permit(self._connection, agency),  # noqa: ARG005 - the port's
            sign=lambda manifest: receipts.signed_manifest(manifest, self._hub.signer),
        )
        wanted = connector.sink_options.model_validate(options)
        return connector.send(self._hub.connections.get(block.connection), wanted, parcel)

    def _table(self, rows: list[Row], title: Title) -> pa.Table:
        """Where each row stood and why it was rejected, and its values as the block says."""
        titles = {rule.name: rule.title for rule in self._contract.rules}
        names = {field.name: field.title for field in self._contract.fields}

        def reason(field: str, rule: str) -> str:
            where = f"{names.get(field, field)}：" if field else ""
            form = expected(self._contract, field, rule, "zh")
            return where + (titles.get(rule) or title(rule)) + (f"（应为：{form}）" if form else "")

        reasons = ["；".join(reason(f, r) for f, r in record.reasons) for record, _ in rows]
        found: dict[str, Any] = {
            RECORD: pa.array([record.id for record, _ in rows], pa.int64()),
            NUMBER: pa.array([record.row_number for record, _ in rows], pa.int64()),
            ORIGIN: pa.array([record.origin for record, _ in rows], pa.string()),
            REASONS: pa.array(reasons, pa.string()),
        }
        return pa.table(found | self._values(rows))

    def _values(self, rows: list[Row]) -> dict[str, pa.Array]:
        if self._block.treatment == "sealed":
            return self._sealed(rows)
        import polars as pl  # noqa: PLC0415 - only where rows flow

        fields = self._contract.fields
        frame = pl.DataFrame(
            {f.name: [_text(values.get(f.name)) for _, values in rows] for f in fields},
            schema=dict.fromkeys(self._contract.names, pl.String),
        )
        if self._block.treatment == "masked":
            frame = frame.select(_masked(frame, field) for field in fields)
        level = pl.CompatLevel.oldest()
        return {f.native: frame[f.name].to_arrow(compat_level=level) for f in fields}

    def _sealed(self, rows: list[Row]) -> dict[str, pa.Array]:
        """Each row as JSON by native names, sealed; bound to its dataset and record."""
        key = self._hub.keys.handback(self._contract.agency)
        natives = {field.name: field.native for field in self._contract.fields}
        texts = []
        for record, values in rows:
            plain = {natives[n]: _text(v) for n, v in values.items() if n in natives}
            content = json.dumps(plain, ensure_ascii=False, sort_keys=True).encode()
            bound = f"{self._contract.id}|{record.id}".encode()
            sealed = self._hub.suite.seal(key.secret, content, bound)
            texts.append(base64.b64encode(sealed).decode())
        epochs = pa.array([key.epoch] * len(rows), pa.string())
        return {SEALED: pa.array(texts, pa.string()), EPOCH: epochs}


def _masked(frame: pl.DataFrame, field: Field) -> pl.Expr | pl.Series:
    """A column by its semantic mask; what has none is shown only where it is harmless."""
    import polars as pl  # noqa: PLC0415 - only where rows flow

    from onecard.deliver.treatment import mask  # noqa: PLC0415 - only where rows flow

    column, name = pl.col(field.name), field.semantic_type.mask
    if name is not None:
        hidden, pattern = mask(name, column), semantic.load().masks[name].pattern
        fits = hidden.str.contains(pattern)
        return pl.when(fits).then(hidden).otherwise(None).alias(field.name)
    if field.level in SHOWN_LEVELS and field.pii in ("NONE", "PI"):
        texts = [v if v is None else personal.redact(v) for v in frame[field.name]]
        return pl.Series(field.name, texts, dtype=pl.String)
    return pl.Series(field.name, [None] * len(frame), dtype=pl.String)


def _text(value: str | None) -> str | None:
    """Text that any receiver can store: halves of characters become a question mark."""
    return None if value is None else value.encode("utf-8", "replace").decode()
