"""Where the events of lineage are kept, and what the hub knows of its lineage now.

OpenLineage's own settings say where events go. A file on this machine (transport `file`) is read
back from its end. A server that got them is not asked: it is another system's. Then, and for jobs
of which the file's end tells nothing, links are made of contracts, agreements and ledger: of the
very flows of which events are made.
"""

from __future__ import annotations

import heapq
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from onecard.base.connections import Connection, Connections
from onecard.errors import ConfigError
from onecard.observe import lineage, lineage_links
from onecard.observe.lineage_flow import collect_flow, deliver_flow
from onecard.observe.lineage_links import Link
from onecard.ports.desk import Desk
from onecard.store import transfer_history
from onecard.store.database import Connection as HubConnection
from schemas.models.contract import Contract
from schemas.models.problem import InvalidFile
from schemas.models.strict_yaml import parse

MOST = 4 * 1024**2
"""Bytes that are read from the end of the events: a night of the whole city is about one MiB."""
MOST_FILES = 2_000
"""Files that are read where each event has its own: the newest."""
_VARIABLE = "OPENLINEAGE__TRANSPORT__"

KeptIn = Literal["file", "ledger", "both"]


@dataclass(frozen=True, slots=True)
class Known:
    """The lineage of the hub.

    Attributes:
        links: by job.
        kept_in: `file`: every link is of an event. `ledger`: none is. `both`: some are.
    """

    links: Mapping[str, Link]
    kept_in: KeptIn


@dataclass(frozen=True, slots=True)
class EventFiles:
    """Where the transport `file` writes: one file, or one for each event with this beginning."""

    path: Path
    append: bool


class _Forgiving:
    """Connections; one that this process does not know is named by its id."""

    def __init__(self, known: Connections) -> None:
        self._known = known

    def get(self, connection_id: str) -> Connection:
        """The connection, or a stand-in that says only how it is called."""
        try:
            return self._known.get(connection_id)
        except ConfigError:
            return Connection(id=connection_id, conn_type="connection", host=connection_id)


@dataclass(frozen=True, slots=True)
class _Around:
    """`DeliverySurroundings` of a desk."""

    address: str
    connections: Connections
    contracts: Mapping[str, Contract]


def known(desk: Desk, connection: HubConnection) -> Known:
    """The newest link of every dataset that is collected and every agreement that is delivered.

    Args:
        desk: the hub.
        connection: of its database.
    """
    place = files()
    told = lineage_links.newest_links(_events(place)) if place else {}
    made = _made(desk, connection)
    if not told.keys() & made.keys():
        return Known(made, "ledger")
    links = {job: told.get(job, link) for job, link in made.items()}
    return Known(links, "file" if told.keys() >= made.keys() else "both")


def _made(desk: Desk, connection: HubConnection) -> dict[str, Link]:
    """Links of contracts, agreements and ledger."""
    catalogue, contracts = desk.catalogue, desk.catalogue.collected
    around = _Around(desk.address, _Forgiving(desk.connections), catalogue.contracts)
    agreements = [
        a
        for _, a in sorted(catalogue.agreements.items())
        if a.delivered and catalogue.contracts.keys() >= set(a.datasets)
    ]
    collects = {t.subject: t for t in transfer_history.newest_collects(connection, contracts)}
    sent = transfer_history.newest_deliveries(connection, [a.id for a in agreements])
    deliveries = {t.subject: t for t in sent}
    links = [
        lineage_links.of_flow(collect_flow(c, around), collects.get(d))
        for d, c in sorted(contracts.items())
    ]
    for agreement in agreements:
        flow = deliver_flow(agreement, around)
        if flow is not None:
            links.append(lineage_links.of_flow(flow, deliveries.get(agreement.id)))
    return {link.job: link for link in links}


def files(environment: Mapping[str, str] | None = None) -> EventFiles | None:
    """Where events are written on this machine; None: they are not, or nobody asked for them.

    Args:
        environment: variables; None: those of this process.
    """
    env = os.environ if environment is None else environment
    if not lineage.enabled(env):
        return None
    named = {n[len(_VARIABLE) :].lower(): v for n, v in env.items() if n.startswith(_VARIABLE)}
    told: dict[str, object] = {**named}
    if "type" not in told and env.get("OPENLINEAGE_CONFIG"):
        told = _configured(Path(env["OPENLINEAGE_CONFIG"]))
    path = str(told.get("log_file_path", ""))
    if told.get("type") != "file" or not path:
        return None
    if "://" in path:
        parts = urlsplit(path)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
            return None
        path = unquote(parts.path)
    return EventFiles(Path(path), str(told.get("append", "")).lower() == "true")


def _configured(file: Path) -> dict[str, object]:
    """The transport of OpenLineage's own file of settings; {} where it cannot be read."""
    try:
        found = parse(file).data.get("transport")
    except (InvalidFile, AttributeError):
        return {}
    return dict(found) if isinstance(found, dict) else {}


def _events(place: EventFiles) -> Iterator[object]:
    """Events from the end of what was written, in the order in which they stand there."""
    for line in _lines(place):
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            continue  # half a line: where reading begins, or what is being written


def _lines(place: EventFiles) -> Iterator[bytes]:
    try:
        if place.append:
            yield from _tail(place.path)
            return
        yield from _newest(place.path.parent, f"{place.path.name}-")
    except OSError:
        return  # nothing was written yet, or this process may not read it: the ledger knows


def _newest(folder: Path, beginning: str) -> list[bytes]:
    """Contents of the newest files, at most `MOST` bytes together, the oldest of them first."""
    with os.scandir(folder) as there:
        named = (f.name for f in there if f.name.startswith(beginning))
        newest = heapq.nlargest(MOST_FILES, named)
    found: list[bytes] = []
    left = MOST
    for name in newest:
        try:
            with (folder / name).open("rb") as stream:
                found.append(stream.read(left + 1))
        except OSError:
            continue  # it was put away meanwhile, or is no file
        left -= len(found[-1])
        if left < 0:
            found.pop()
            break
    return found[::-1]


def _tail(file: Path) -> Iterator[bytes]:
    """Lines of at most `MOST` bytes at the end of a file."""
    with file.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(size - MOST, 0))
        yield from stream.read(MOST).split(b"\n")
