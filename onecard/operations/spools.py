"""Spools kept short: uploads that waited too long, and what killed processes left there."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

from connectors.push.options import PushSource
from connectors.push.spool import Spool, held
from onecard.errors import ConfigError
from onecard.model.uploads import Upload
from onecard.ports.desk import Desk
from onecard.store import audit, uploads
from onecard.store.database import Connection
from schemas.models.contract import Contract

log = logging.getLogger(__name__)


def tidy(hub: Desk, connection: Connection) -> int:
    """Remove what lay in spools for too long; how many uploads were removed.

    Each upload that was not collected in time is an entry of the audit log.

    Args:
        hub: the hub.
        connection: of its database, in autocommit.
    """
    gone = 0
    for contract in hub.catalogue.contracts.values():
        if contract.source.connector != "push":
            continue
        try:
            spool = Spool(hub.connections.get(contract.source.connection), contract.id)
        except ConfigError as error:
            log.warning("%s: its spool is not looked after: %s", contract.id, error)
            continue
        gone += _tidy(hub, connection, contract, spool)
    return gone


def _tidy(hub: Desk, connection: Connection, contract: Contract, spool: Spool) -> int:
    options = PushSource.model_validate(dict(contract.source.options))
    before = hub.settings.now() - options.kept.span
    lying = {u.upload: u.path for u in spool.lying()}
    files = {**lying, **spool.coming()}
    # Asked after the look: whatever lay there then was put on record before it came.
    known = {u.upload: u for u in uploads.unfinished(connection, contract.id)}
    old = [u for u in known.values() if u.opened_at < before]
    over = [u for u in old if _is_let_go(files.get(u.upload))]
    for upload in over:
        _expire(hub, connection, upload)
    for name, path in files.items():
        if name not in known and (name not in lying or _is_old(path, before)):
            _is_let_go(path)
    return len(over)


def _is_let_go(path: Path | None) -> bool:
    """Remove a file that nobody writes; whether it is gone."""
    if path is None:
        return True
    with held(path) as descriptor:
        if descriptor is not None:
            path.unlink(missing_ok=True)
        return descriptor is not None


def _expire(hub: Desk, connection: Connection, upload: Upload) -> None:
    log.warning("%s: an upload was not collected in time, and is removed", upload.dataset)
    with connection.transaction():
        uploads.expire(connection, upload.dataset, upload.upload, hub.settings.now())
        body = {"upload": upload.upload, "caller": upload.caller, "state": upload.state}
        audit.append(connection, "upload.expired", upload.dataset, hub.settings.actor, body)


def _is_old(path: Path, before: datetime) -> bool:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, before.tzinfo) < before
    except FileNotFoundError:  # a collect has published it meanwhile
        return False
