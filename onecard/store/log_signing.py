"""When the audit log's new head is signed, and anchored outside the database.

What a checkpoint says is that the log had this size and this root; it vouches for every entry
before it, however many. Nothing waits for it: an entry is on record with the commit that it stands
in. So whoever has many transfers a second may sign once for all of them (ADR 0062).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from onecard.base import failpoints
from onecard.crypto.audit_format import anchor
from onecard.store import audit
from onecard.store.database import Connection

if TYPE_CHECKING:
    from onecard.crypto.signing import Signer

SignLog: TypeAlias = "Callable[[Connection, Signer, Path], None]"
"""Is told that entries were committed, by a session, with who signs and the anchor's folder."""


def at_once(connection: Connection, signer: Signer, folder: Path) -> None:
    """Sign the log's head as it is now, and anchor it.

    Args:
        connection: of the hub's database, outside a transaction.
        signer: of checkpoints.
        folder: of the anchor.

    Raises:
        StorageError, FatalError: the anchor cannot be written; what was committed stays so.
    """
    anchor(folder, audit.checkpoint(connection, signer))
    failpoints.reach("anchor.written")
