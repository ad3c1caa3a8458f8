"""The append-only audit log: an RFC 9162 Merkle tree in PostgreSQL, with signed checkpoints.

Entries are numbered from 1 without a gap. The log's head, one row, holds size and peaks of the
tree; whoever appends locks it until the end of the transaction, so that entries stand in the order
in which they are committed. Checkpoints are signed and anchored in a file outside the database.

What stands in an entry: kinds, ids, counts, hashes; never a value of a row.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString, cast

from psycopg.pq import TransactionStatus
from psycopg.rows import kwargs_row

from onecard.base import failpoints
from onecard.crypto import merkle
from onecard.crypto.audit_format import AuditCheckpoint, Entry, canonical_json, read_anchor
from onecard.crypto.audit_verify import Head, Verdict, Verifier, compare, verify
from onecard.errors import FatalError, InternalError
from onecard.store import audit_body
from onecard.store.database import Connection, fetch_all, fetch_one
from onecard.store.together import Sent, send

if TYPE_CHECKING:  # who only appends or reads signs nothing
    from onecard.crypto.signing import Signer

_BATCH = 5_000
_ISO: LiteralString = '\'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\''


def _iso(column: LiteralString) -> LiteralString:
    """A time as text; one that a normal entry cannot have is shown as such, not rounded."""
    inside = column + " >= '0001-01-01 00:00+00' AND " + column + " < '10000-01-01 00:00+00'"
    text = "to_char(" + column + " AT TIME ZONE 'UTC', " + _ISO + ")"
    return "CASE WHEN " + inside + " THEN " + text + " ELSE 'out of range' END AS " + column


_HEAD: LiteralString = (
    "SELECT size, peaks, to_char(clock_timestamp() AT TIME ZONE 'UTC', "
    + _ISO
    + ") AS now FROM ledger.audit_head WHERE id = 1"
)
_ENTRIES: LiteralString = (
    "SELECT seq, " + _iso("at") + ", kind, subject, actor, " + audit_body.WHOLE + ", leaf"
    " FROM ledger.audit"
)
_CHECKPOINTS: LiteralString = (
    "SELECT size, root, " + _iso("signed_at") + ", suite, key_epoch, signature"
    " FROM ledger.audit_checkpoint"
)
_NEWEST_SIGNED: LiteralString = (
    "SELECT size, root FROM ledger.audit_checkpoint ORDER BY size DESC LIMIT 1"
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
    place = ask_end(connection).taken()
    return append_at(connection, place, Details(kind, subject, actor, details))


@dataclass(frozen=True, slots=True)
class Details:
    """What an entry says, beside its number and time; `body` is canonical JSON."""

    kind: str
    subject: str
    actor: str
    body: str


@dataclass(frozen=True, slots=True)
class EndOfLog:
    """The end of the log, held until the transaction ends; one entry can be appended there."""

    _head: _Head


@dataclass(frozen=True, slots=True)
class AskedEnd:
    """The end of the log was asked for (`ask_end`); read it when the answers are there."""

    _found: Sent[_Head]
    _signed: Sent[_Signed]

    def taken(self) -> EndOfLog:
        """The end of the log.

        Raises:
            FatalError: the log has no head, or is not the one that was signed.
        """
        found = _there(self._found.first())
        if problem := _unsigned(found.head, self._signed.first()):
            msg = f"{problem}: run `onecard audit verify`"
            raise FatalError(msg)
        return EndOfLog(found)


def ask_end(connection: Connection) -> AskedEnd:
    """Ask for the end of the log, and wait until nobody else holds it.

    Args:
        connection: in the transaction that appends.
    """
    found = send(connection, _Head, _HEAD + " FOR UPDATE")
    return AskedEnd(found, send(connection, _Signed, _NEWEST_SIGNED))


def append_at(connection: Connection, place: EndOfLog, details: Details) -> int:
    """Append an entry at the end that this transaction holds, once.

    Args:
        connection: that has asked for the end (`ask_end`).
        place: the end of the log.
        details: what the entry says.

    Returns:
        The entry's number, from 1.
    """
    found = place._head  # noqa: SLF001 - of this module
    kind, subject, actor, body = details.kind, details.subject, details.actor, details.body
    tree = merkle.Tree(found.size, list(found.peaks))
    entry = Entry(tree.size + 1, found.now, kind, subject, actor, body, b"")
    leaf = entry.computed_leaf()
    tree.append(leaf)
    failpoints.reach("log.before_append")
    text, hash_ = audit_body.stored(kind, subject, body)
    connection.execute(
        "WITH head AS (UPDATE ledger.audit_head SET size = %s, peaks = %s WHERE id = 1)"
        " INSERT INTO ledger.audit (seq, at, kind, subject, actor, body, leaf, hash)"
        " VALUES (%s, %s::timestamptz, %s, %s, %s, %s, %s, %s)",
        (tree.size, tree.peaks, entry.seq, entry.at, kind, subject, actor, text, leaf, hash_),
    )
    failpoints.reach("log.after_append")
    return entry.seq


@dataclass(frozen=True, slots=True)
class _Head:
    """The log's own head, and the time of its database as text."""

    size: int
    peaks: list[bytes]
    now: str

    @property
    def head(self) -> Head:
        """Without the time."""
        return Head(self.size, tuple(self.peaks))


def _head(connection: Connection, *, lock: bool = False) -> _Head:
    return _there(fetch_one(connection, _Head, _HEAD + " FOR UPDATE" if lock else _HEAD))


def _there(found: _Head | None) -> _Head:
    if found is None:
        msg = "the audit log has no head: restore it from a backup and run `onecard audit verify`"
        raise FatalError(msg)
    return found


def head(connection: Connection, *, lock: bool = False) -> Head:
    """The log's own head.

    Args:
        connection: of the hub's database.
        lock: nobody appends until the transaction ends.

    Raises:
        FatalError: it is gone.
    """
    return _head(connection, lock=lock).head


@dataclass(frozen=True, slots=True)
class _Signed:
    size: int
    root: bytes


def unsigned(connection: Connection, top: Head) -> str:
    """Why the newest checkpoint cannot be one of a log with this head, or an empty text."""
    return _unsigned(top, fetch_one(connection, _Signed, _NEWEST_SIGNED))


def _unsigned(top: Head, found: _Signed | None) -> str:
    if len(top.peaks) != top.size.bit_count():
        return f"the head of the audit log is not that of {top.size} entries"
    return contradiction(top, found.size, found.root) if found else ""


def contradiction(top: Head, size: int, root: bytes) -> str:
    """Why a signed size and root cannot be those of a log with this head, or an empty text.

    Args:
        top: the log's head.
        size: entries that were signed.
        root: of their tree, 32 bytes.
    """
    if size > top.size:
        return f"the audit log ends at {top.size}, and {size} entries were signed"
    if size == top.size and root != merkle.root(top.peaks):
        return f"the audit log of {size} entries is not the one that was signed"
    return ""


def checkpoint(connection: Connection, signer: Signer) -> AuditCheckpoint:
    """Sign the log as it stands, once for each size; `anchor` it when that is committed."""
    found = _head(connection)
    size = found.size
    stored = checkpoint_at(connection, size)
    if stored is not None:
        return stored
    made = AuditCheckpoint(
        size, merkle.root(found.peaks), found.now, signer.suite, signer.epoch, b""
    )
    made = replace(made, signature=signer.sign(made.message()))
    done = connection.execute(
        "INSERT INTO ledger.audit_checkpoint (size, root, signed_at, suite, key_epoch, signature)"
        " VALUES (%s, %s, %s::timestamptz, %s, %s, %s) ON CONFLICT (size) DO NOTHING",
        (size, made.root, made.signed_at, made.suite, made.key_epoch, made.signature),
    )
    failpoints.reach("anchor.signed")
    # Another process may have signed the same size meanwhile: one checkpoint for each size.
    return made if done.rowcount else checkpoint_at(connection, size) or made


def checkpoint_at(connection: Connection, size: int) -> AuditCheckpoint | None:
    """The checkpoint of a log of so many entries, or None."""
    return fetch_one(connection, AuditCheckpoint, _CHECKPOINTS + " WHERE size = %s", (size,))


def checkpoints(connection: Connection) -> list[AuditCheckpoint]:
    """All checkpoints of the database, the smallest first."""
    return fetch_all(connection, AuditCheckpoint, _CHECKPOINTS + " ORDER BY size")


def checkpoint_of(connection: Connection, seq: int) -> AuditCheckpoint | None:
    """The smallest checkpoint that vouches for an entry; None: none does yet.

    Args:
        connection: of the hub's database.
        seq: number of the entry.
    """
    statement: LiteralString = _CHECKPOINTS + " WHERE size >= %s ORDER BY size LIMIT 1"
    return fetch_one(connection, AuditCheckpoint, statement, (seq,))


def checkpoint_before(connection: Connection, size: int) -> AuditCheckpoint | None:
    """The largest checkpoint of a log that was no larger than this.

    Args:
        connection: of the hub's database.
        size: number of entries.
    """
    statement: LiteralString = _CHECKPOINTS + " WHERE size <= %s ORDER BY size DESC LIMIT 1"
    return fetch_one(connection, AuditCheckpoint, statement, (size,))


def entry(connection: Connection, seq: int) -> Entry | None:
    """The entry of that number, or None."""
    return fetch_one(connection, _entry, _ENTRIES + " WHERE seq = %s", (seq,))


def numbered(connection: Connection, numbers: Sequence[int]) -> list[Entry]:
    """The entries of some numbers, the newest first."""
    statement: LiteralString = _ENTRIES + " WHERE seq = ANY(%s) ORDER BY seq DESC"
    return fetch_all(connection, _entry, statement, (list(numbers),))


def leaves(
    connection: Connection, after: int, last: int
) -> Generator[tuple[int, bytes], None, None]:
    """Numbers and stored leaves of a stretch of the log, in order, by a server-side cursor.

    Args:
        connection: in a transaction.
        after: number of the entry before the first.
        last: number of the last.
    """
    with connection.cursor("audit_leaves") as cursor:
        cursor.itersize = _BATCH
        cursor.execute(
            "SELECT seq, coalesce(leaf, ''::bytea) FROM ledger.audit"
            " WHERE seq > %s AND seq <= %s ORDER BY seq",
            (after, last),
        )
        yield from cast("Iterator[tuple[int, bytes]]", cursor)


def entries(connection: Connection) -> Generator[Entry, None, None]:
    """All entries in their order, by a server-side cursor; ends its transaction when closed."""
    rows = kwargs_row(_entry)
    with (
        connection.transaction(),
        connection.cursor("audit_entries", row_factory=rows) as cursor,
    ):
        cursor.itersize = _BATCH
        cursor.execute(_ENTRIES + " ORDER BY seq")
        yield from cursor


def newest(connection: Connection, limit: int) -> list[Entry]:
    """The last entries, the newest first."""
    return fetch_all(connection, _entry, _ENTRIES + " ORDER BY seq DESC LIMIT %s", (limit,))


def _entry(*, leaf: bytes | None, **columns: Any) -> Entry:  # noqa: ANN401 - a row by its columns
    """An entry; one whose leaf somebody has taken away is none that verifies."""
    return Entry(leaf=leaf or b"", **columns)


def verify_log(connection: Connection, folder: Path, verifier: Verifier) -> Verdict:
    """Verify the whole log against its head, its checkpoints and the anchor.

    Args:
        connection: without an open transaction; it reads one state of the database.
        folder: of the anchor.
        verifier: whether a checkpoint's signature is right.
    """
    anchored = read_anchor(folder)  # first: what is anchored is committed, never the reverse
    with snapshot(connection):
        stored, top = checkpoints(connection), head(connection)
        with closing(entries(connection)) as found:
            verdict = verify(found, [*stored, *anchored], verifier, top)
    disagreement = compare(stored, anchored)
    if not disagreement:
        return verdict
    problem = "; ".join(filter(None, [verdict.problem, disagreement]))
    return replace(verdict, ok=False, problem=problem)


@contextmanager
def snapshot(connection: Connection) -> Iterator[None]:
    """A read-only transaction that sees one state of the database."""
    if connection.info.transaction_status != TransactionStatus.IDLE:
        msg = "audit: a verification needs a connection without an open transaction"
        raise InternalError(msg)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield
