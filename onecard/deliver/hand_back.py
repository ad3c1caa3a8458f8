"""Rejected rows go back to their own agency, over its own connector, so that it mends the source.

Only rows that the agency itself delivered and that are held now; one parcel per dataset. Without a
`handback` block in `agencies.yaml` nothing leaves, nor while deliveries to the agency are stopped,
nor over a connection that is not one of its own systems. A parcel's id follows from its rows: what
was confirmed once under an id is not sent again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

import pyarrow as pa

from onecard.deliver.returned_rows import RECORD, Returning, Row, Title
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
from schemas.models.catalogue import Catalogue, HandBack
from schemas.models.contract import Contract

Connect = Callable[[str], Connector]
"""The connector of a kind."""


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
    block = block_of(hub.catalogue, agency)
    if block.connection not in hub.catalogue.connections_of(agency):
        msg = f"{agency}: connection {block.connection} is no system of it: nothing leaves"
        raise PolicyError(msg)
    done: list[HandedBack] = []
    with database.connect(hub.address, autocommit=True) as connection:
        locks.hold(connection, locks.Kind.HANDBACK, agency)
        permit(connection, agency)
        for contract in hub.catalogue.datasets_of(agency):
            opened = quarantine.opened_all if ended else quarantine.opened
            found = opened(connection, contract.id, hub.keys)
            rows = [row for row in found if row[0].agreement is None]
            if rows:
                done.append(_Return(hub, connection, contract, block).run(rows, connect, title))
    return done


def block_of(known: Catalogue, agency: str) -> HandBack:
    """What the agency has agreed on for its own rejected rows.

    Raises:
        PolicyError: nothing: then nothing leaves.
    """
    block = known.agencies[agency].handback
    if block is None:
        msg = f"{agency}: agencies.yaml has no handback block for it: nothing leaves"
        raise PolicyError(msg)
    return block


def permit(connection: Connection, agency: str) -> None:
    """Refuse while deliveries to the agency are stopped.

    Raises:
        PolicyError: they are.
    """
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
        table = Returning(self._hub, self._contract, self._block.treatment, title).table(rows)
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
            leave=lambda rows=0: permit(self._connection, agency),  # noqa: ARG005 - the port's
            sign=lambda manifest: receipts.signed_manifest(manifest, self._hub.signer),
        )
        wanted = connector.sink_options.model_validate(options)
        return connector.send(self._hub.connections.get(block.connection), wanted, parcel)
