"""Named moments of a transfer at which a rehearsal may kill, stop or watch the process.

`reach("publish.before_commit")` does nothing, unless the environment names that moment:

| variable | does |
|---|---|
| ONECARD_KILL_AT | SIGKILL to this process when it reaches the point; `point#3`: the third time |
| ONECARD_STOP_AT | SIGSTOP in the same way: somebody else wakes the process, or does not |
| ONECARD_TRACE_POINTS | a file that gets the name of every point that is reached |

Only the process's own environment can do this, and all that it can do is to end or pause it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from pathlib import Path

from onecard.errors import ConfigError, InternalError, unknown

POINTS = {
    "collect.opened": "the transfer has its line in the ledger",
    "collect.claimed": "the dataset is claimed, what older transfers left is ended",
    "stage.created": "the staging tables are made",
    "stage.rejected": "rejected rows of a chunk are in the transfer's own table",
    "stage.checked": "a chunk has passed the gate",
    "load.before_commit": "all rows are copied, the load is not committed",
    "load.after_commit": "the load is committed",
    "part.begun": "a partition is given to this worker, its tables are made",
    "part.read": "a partition is read and staged, which is not in the ledger",
    "part.done": "that is in the ledger too",
    "parts.joined": "what all partitions staged is in the transfer's own tables",
    "stage.settled": "duplicates are dropped, `unique` rules are applied",
    "stage.recorded": "counts and the next checkpoint are in the ledger",
    "audit.found": "the expectations have been evaluated",
    "audit.recorded": "their outcome is in the ledger",
    "release.recorded": "a person's release is in the ledger, nothing is audited again yet",
    "publish.locked": "the dataset is locked for publishing",
    "publish.merged": "the registry has the rows, uncommitted",
    "publish.absorbed": "the quarantine has the rejected rows, uncommitted",
    "publish.before_commit": "everything is written, receipt and audit entry too, uncommitted",
    "publish.after_commit": "published, not acknowledged",
    "log.before_append": "an audit entry is about to be written",
    "log.after_append": "an audit entry is written, uncommitted",
    "receipt.issued": "a receipt is stored, uncommitted",
    "anchor.signed": "a checkpoint of the audit log is signed and stored",
    "anchor.written": "the checkpoint is on disk outside the database",
    "deliver.locked": "the agreement is locked for this delivery",
    "deliver.opened": "the transfer has its line in the ledger",
    "deliver.window": "the delivery has its id",
    "send.batch": "a batch is on its way to the connector",
    "disclose.before": "references of persons are about to be written",
    "disclose.after": "references of persons are written",
    "note.written": "what the consumer may have from now on is written: rows, or the whole record",
    "send.leaving": "the next bytes go to the consumer",
    "send.sealing": "all rows are handed over, the manifest is not",
    "send.after": "the consumer has everything, the hub has noted nothing",
    "confirm.advanced": "the consumer's versions are advanced, uncommitted",
    "confirm.held": "rows that the gate kept back are held, uncommitted",
    "confirm.before_commit": "everything is noted, uncommitted",
    "confirm.after_commit": "confirmed, not acknowledged",
    "lease.taken": "the live lane has the lease of a piece of work, which has not begun",
    "lease.renewed": "it has renewed its leases, and shared none of the work anew",
    "lease.returned": "it has returned a lease",
    "questions.before_record": "calls about persons are judged again, none of them is written",
    "questions.before_commit": "their receipts and the audit entry are written, not committed",
    "questions.after_commit": "that is committed, nobody has an answer yet",
    "ingest.begun": "an upload is on record, none of its bytes is taken",
    "ingest.taken": "the bytes of a part are on disk, nobody has an answer yet",
    "ingest.judged": "what the gate says of a whole upload is on record, it does not wait yet",
    "ingest.placed": "its file has its place in the spool, which is not committed",
    "ingest.waits": "that is committed, nobody has an answer yet",
    "ingest.released": "uploads that are published are out of the spool",
}
"""Every point, and what is true when it is reached."""

_KILL, _STOP, _TRACE = "ONECARD_KILL_AT", "ONECARD_STOP_AT", "ONECARD_TRACE_POINTS"
_lock = threading.Lock()
_reached: Counter[str] = Counter()


def reach(point: str) -> None:
    """Say that the transfer is at a point of `POINTS`.

    Raises:
        InternalError: the code names a point that is not in the list.
        ConfigError: the environment does.
    """
    if point not in POINTS:
        msg = f"point {point!r} is not in onecard.base.failpoints.POINTS"
        raise InternalError(msg)
    if not (_KILL in os.environ or _STOP in os.environ or _TRACE in os.environ):
        return
    with _lock:
        _reached[point] += 1
        times = _reached[point]
    if trace := os.environ.get(_TRACE):
        with Path(trace).open("a", encoding="utf-8") as file:
            file.write(point + "\n")
    for variable, number in ((_KILL, signal.SIGKILL), (_STOP, signal.SIGSTOP)):
        if _named(variable) == (point, times):
            os.kill(os.getpid(), number)


def _named(variable: str) -> tuple[str, int] | None:
    """Point and count that a variable names."""
    text = os.environ.get(variable)
    if not text:
        return None
    point, _, count = text.partition("#")
    if point not in POINTS:
        raise ConfigError(f"{variable}: " + unknown("point", point, POINTS))
    if count and not (count.isascii() and count.isdigit()):
        msg = f"{variable}: write point#3 for the third time, not point#{count}"
        raise ConfigError(msg)
    return point, int(count or 1)
