"""The append-only audit log: an RFC 9162 Merkle tree in PostgreSQL, with signed checkpoints.

Entries are numbered from 1 without a gap. The log's head, one row, holds size and peaks of the
tree; whoever appends locks it until the end of the transaction, so that entries stand in the order
in which they are committed. Checkpoints are signed and anchored in a file outside the database.

What stands in an entry: kinds, ids, counts, hashes; never a value of a row.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from psycopg.pq import TransactionStatus

from onecard.base import failpoints
from onecard.crypto import merkle
from onecard.crypto.audit_format import (
    ANCHOR,
    ORIGIN,
    AuditCheckpoint,
    Entry,
    anchor,
    canonical_json,
    read_anchor,
)
from onecard.crypto.audit_verify import Head, Verdict, Verifier, compare, verify
from onecard.crypto.signing import Signer
from onecard.errors import FatalError, InternalError, unwritten
from onecard.store.database import Connection

__all__ = [
    "ORIGIN",
    "AuditCheckpoint",
    "Entry",
    "Head",
    "Verdict",
    "anchor",
    "append",
    "canonical_json",
    "checkpoint",
    "checkpoints",
    "entries",
    "export",
    "head",
    "newest",
    "read_anchor",
    "verify",
    "verify_log",
]

_BATCH = 5_000
_ISO = '\'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\''
_NOW = f"to_char(clock_timestamp() AT TIME ZONE 'UTC', {_ISO})"


def _iso(column: str) -> str:
    """A time as text; one that a normal entry cannot have is shown as such, not rounded."""
    return (
        f"CASE WHEN {column} >= '0001-01-01 00:00+00' AND {column} < '10000-01-01 00:00+00'"
        f" THEN to_char({column} AT TIME ZONE 'UTC', {_ISO}) ELSE 'out of range' END"
    )


_ENTRIES = f"SELECT seq, {_iso('at')}, kind, subject, actor, body, leaf FROM ledger.audit"  # noqa: S608
_CHECKPOINTS = (
    f"SELECT size, root, {_iso('signed_at')}, suite, key_epoch, signature"  # noqa: S608
    " FROM ledger.audit_checkpoint"
)


def append(
    connection: Connection, kind: str, subject: str, actor: str, body: Mapping[str, object]
) -> int:
    """Append an entry, inside the caller's transaction; other writers wait for its end.

    Args:
        connection: with an open transaction.
        kind: what happened, e.g. `delivery.confirmed`.
        subject: to what: an agreement, a dataset, a consumer.
        actor: by whom.
        body: details; str, int, bool, None, list and dict only. No value of a row.

    Returns:
        The entry's number, from 1.

    Raises:
        InternalError: a body of another type, or no open transaction to belong to.
        FatalError: the log is not the one that was signed; what follows would hide it.
    """
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        msg = "audit: an entry belongs to a transaction; none is open"
        raise InternalError(msg)
    details = canonical_json(body)
    found = _head(connection, " FOR UPDATE")
    if problem := unsigned(connection, Head(found[0], tuple(map(bytes, found[1])))):
        msg = f"{problem}: run `onecard audit verify`"
        raise FatalError(msg)
    tree = merkle.Tree(found[0], list(found[1]))
    entry = Entry(tree.size + 1, found[2], kind, subject, actor, details, b"")
    leaf = entry.computed_leaf()
    tree.append(leaf)
    failpoints.reach("log.before_append")
    connection.execute(
        "WITH head AS (UPDATE ledger.audit_head SET size = %s, peaks = %s WHERE id = 1)"
        " INSERT INTO ledger.audit (seq, at, kind, subject, actor, body, leaf)"
        " VALUES (%s, %s::timestamptz, %s, %s, %s, %s, %s)",
        (tree.size, tree.peaks, entry.seq, entry.at, kind, subject, actor, details, leaf),
    )
    failpoints.reach("log.after_append")
    return entry.seq


def _head(connection: Connection, lock: str = "") -> tuple[Any, ...]:
    statement = f"SELECT size, peaks, {_NOW} FROM ledger.audit_head WHERE id = 1{lock}"  # noqa: S608
    row = connection.execute(statement.encode()).fetchone()
    if row is None:
        msg = "the audit log has no head: restore it from a backup and run `onecard audit verify`"
        raise FatalError(msg)
    return row


def head(connection: Connection) -> Head:
    """The log's own head.

    Raises:
        FatalError: it is gone.
    """
    size, peaks, _ = _head(connection)
    return Head(size, tuple(bytes(peak) for peak in peaks))


def unsigned(connection: Connection, top: Head) -> str:
    """Why the newest checkpoint cannot be one of a log with this head, or an empty text."""
    if len(top.peaks) != top.size.bit_count():
        return f"the head of the audit log is not that of {top.size} entries"
    row: tuple[Any, ...] | None = connection.execute(
        "SELECT size, root FROM ledger.audit_checkpoint ORDER BY size DESC LIMIT 1"
    ).fetchone()
    return contradiction(top, *row) if row else ""


def contradiction(top: Head, size: int, root: bytes) -> str:
    """Why a signed size and root cannot be those of a log with this head, or an empty text."""
    if size > top.size:
        return f"the audit log ends at {top.size}, and {size} entries were signed"
    if size == top.size and bytes(root) != merkle.root(top.peaks):
        return f"the audit log of {size} entries is not the one that was signed"
    return ""


def checkpoint(connection: Connection, signer: Signer) -> AuditCheckpoint:
    """Sign the log as it stands, once for each size; `anchor` it when that is committed."""
    size, peaks, now = _head(connection)
    stored = _stored(connection, size)
    if stored is not None:
        return stored
    made = AuditCheckpoint(size, merkle.root(peaks), now, signer.suite, signer.epoch, b"")
    made = replace(made, signature=signer.sign(made.message()))
    done = connection.execute(
        "INSERT INTO ledger.audit_checkpoint (size, root, signed_at, suite, key_epoch, signature)"
        " VALUES (%s, %s, %s::timestamptz, %s, %s, %s) ON CONFLICT (size) DO NOTHING",
        (size, made.root, made.signed_at, made.suite, made.key_epoch, made.signature),
    )
    failpoints.reach("anchor.signed")
    # Another process may have signed the same size meanwhile: one checkpoint for each size.
    return made if done.rowcount else _stored(connection, size) or made


def _stored(connection: Connection, size: int) -> AuditCheckpoint | None:
    row = connection.execute((_CHECKPOINTS + " WHERE size = %s").encode(), (size,)).fetchone()
    return _checkpoint(row) if row else None


def _checkpoint(row: tuple[Any, ...]) -> AuditCheckpoint:
    size, root, signed_at, suite, epoch, signature = row
    return AuditCheckpoint(size, bytes(root), signed_at, suite, epoch, bytes(signature))


def checkpoints(connection: Connection) -> list[AuditCheckpoint]:
    """All checkpoints of the database, the smallest first."""
    rows = connection.execute((_CHECKPOINTS + " ORDER BY size").encode()).fetchall()
    return [_checkpoint(row) for row in rows]


def entries(connection: Connection) -> Generator[Entry, None, None]:
    """All entries in their order, by a server-side cursor; ends its transaction when closed."""
    with connection.transaction(), connection.cursor("audit_entries") as cursor:
        cursor.itersize = _BATCH
        cursor.execute((_ENTRIES + " ORDER BY seq").encode())
        for row in cursor:
            yield _entry(row)


def newest(connection: Connection, limit: int) -> list[Entry]:
    """The last entries, the newest first."""
    statement = _ENTRIES + " ORDER BY seq DESC LIMIT %s"
    return [_entry(row) for row in connection.execute(statement.encode(), (limit,)).fetchall()]


def _entry(row: tuple[Any, ...]) -> Entry:
    seq, at, kind, subject, actor, body, leaf = row
    return Entry(seq, at, kind, subject, actor, body, bytes(leaf or b""))


def verify_log(connection: Connection, folder: Path, verifier: Verifier) -> Verdict:
    """Verify the whole log against its head, its checkpoints and the anchor.

    Args:
        connection: without an open transaction; it reads one state of the database.
        folder: of the anchor.
        verifier: whether a checkpoint's signature is right.
    """
    anchored = read_anchor(folder)  # first: what is anchored is committed, never the reverse
    with _snapshot(connection):
        stored, top = checkpoints(connection), head(connection)
        with closing(entries(connection)) as found:
            verdict = verify(found, [*stored, *anchored], verifier, top)
    disagreement = compare(stored, anchored)
    if not disagreement:
        return verdict
    problem = "; ".join(filter(None, [verdict.problem, disagreement]))
    return replace(verdict, ok=False, problem=problem)


@contextmanager
def _snapshot(connection: Connection) -> Iterator[None]:
    """A read-only transaction that sees one state of the database."""
    if connection.info.transaction_status != TransactionStatus.IDLE:
        msg = "audit: a verification needs a connection without an open transaction"
        raise InternalError(msg)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def export(
    connection: Connection, folder: Path, target: Path, public_keys: Mapping[str, str]
) -> int:
    """Write the log for a third party, who verifies it without our code.

    Args:
        connection: without an open transaction.
        folder: of the anchor.
        target: folder that gets `entries.jsonl` (each line is leaf data), `checkpoints.jsonl`
            (database and anchor together) and `public_keys.json`; made when it is not there.
        public_keys: hex by `<suite>/<epoch>`.

    Returns:
        How many entries.
    """
    anchored = read_anchor(folder)
    try:
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _snapshot(connection):
            known = dict.fromkeys([*checkpoints(connection), *anchored])
            with closing(entries(connection)) as found:
                count = _write(target / "entries.jsonl", (e.line() for e in found))
        _write(target / ANCHOR, (c.line() for c in known if c.size >= 0))
        _write(target / "public_keys.json", [canonical_json(public_keys)])
    except OSError as error:
        what = f"export of the audit log to {target}"
        raise unwritten(what, error, FatalError) from None
    return count


def _write(file: Path, lines: Iterable[str]) -> int:
    count = 0
    with file.open("w", encoding="utf-8", newline="\n") as stream:
        for line in lines:
            stream.write(line + "\n")
            count += 1
    return count
