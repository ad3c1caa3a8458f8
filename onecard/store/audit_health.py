"""Whether the audit log can be relied on right now: asked before each delivery (F6, PR-23).

`onecard audit verify` looks at every entry; this looks at what is quick to look at: the head, the
newest entries, the newest checkpoints in the database and in the anchor, and whether the anchor
can be written.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from onecard.crypto import merkle
from onecard.crypto.audit_format import Entry, newest_anchored, ready
from onecard.crypto.audit_verify import Head
from onecard.errors import OnecardError
from onecard.store import audit
from onecard.store.database import Connection

RECENT = 200
"""So many entries are looked at."""
ANCHORED = 2_000
"""So many lines of the anchor: two processes may write theirs in the other order."""


def problem(connection: Connection, folder: Path) -> str:
    """What is wrong with the log, or an empty text; waits until nobody appends.

    Args:
        connection: without an open transaction.
        folder: of the anchor.
    """
    try:
        ready(folder)
        anchored = newest_anchored(folder, ANCHORED)  # first: what is anchored is committed
        with connection.transaction():
            head = audit.head(connection, lock=True)
            found = audit.newest(connection, RECENT)
            unsigned = audit.unsigned(connection, head)
    except OnecardError as error:
        return str(error)
    behind = audit.contradiction(head, anchored.size, anchored.root) if anchored else ""
    return _entries(head, found) or unsigned or behind


_leaf = lru_cache(maxsize=4 * RECENT)(Entry.computed_leaf)
"""Most entries were looked at a moment ago; one that was changed since is another entry."""


def _entries(head: Head, found: Sequence[Entry]) -> str:
    """The newest entries follow each other up to the head, and are what their leaves say.

    The head's last peak stands for the newest entries, as many as the lowest bit of its size.
    """
    wanted = head.size
    for entry in found:
        if entry.seq != wanted or _leaf(entry) != entry.leaf:
            return f"entry {wanted} of the audit log is missing or changed"
        wanted -= 1
    last = head.size & -head.size
    leaves = [entry.leaf for entry in reversed(found[:last])]
    if head.peaks and last <= len(found) and merkle.root_of(leaves) != head.peaks[-1]:
        return f"the head of the audit log is not that of its {head.size} entries"
    return f"entry {wanted} of the audit log is missing" if wanted and len(found) < RECENT else ""
