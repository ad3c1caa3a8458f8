"""Files of tickets: sealed under the quarantine key, numbered, erased some time after the closing.

What was a file's content is gone then; number, kind, size and digest stay with the ticket, as the
audit log names them. The digest is keyed: a text of one identity number would be found again from
a plain one. A file is bound to its place: sealed bytes fit no other ticket.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from onecard.base.times import ZONE
from onecard.crypto import suites
from onecard.crypto.keys import Key, KeyStore
from onecard.crypto.suites import Suite
from onecard.model.attachments import (
    KEPT,
    KEPT_UNCLOSED,
    MOST_OF_TICKET,
    Attachment,
    NewAttachment,
    UnfitFile,
)
from onecard.store import audit
from onecard.store.database import Connection, fetch_all, fetch_one, one_scalar

_KNOWN: LiteralString = (
    "SELECT ticket, number, event, kind, bytes, encode(digest, 'hex') AS digest, suite, added_by,"
    " added_for, added_at, erased_at FROM ledger.ticket_attachment"
)
_ADD: LiteralString = (
    "INSERT INTO ledger.ticket_attachment (ticket, number, event, kind, bytes, digest, added_by,"
    " added_for, added_at, content, key_epoch, suite) VALUES (%(ticket)s, %(number)s,"
    " (SELECT max(id) FROM ledger.ticket_event WHERE ticket = %(ticket)s), %(kind)s, %(bytes)s,"
    " %(digest)s, %(added_by)s, %(added_for)s, %(added_at)s, %(content)s, %(key_epoch)s, %(suite)s)"
)


@dataclass(frozen=True, slots=True)
class _Room:
    """What a ticket holds already."""

    number: int
    bytes: int


@dataclass(frozen=True, slots=True)
class _Kept:
    """A file as it is stored."""

    content: bytes | None
    digest: bytes
    key_epoch: str
    suite: str


def add(
    connection: Connection, ticket: int, new: NewAttachment, keys: KeyStore, suite: Suite
) -> Attachment:
    """Keep a file with the newest event of its ticket, and write that into the audit log.

    Args:
        connection: in the transaction that wrote the event, which holds the ticket.
        ticket: its id.
        new: the file.
        keys: with the quarantine key.
        suite: that seals it.

    Raises:
        UnfitFile: the ticket has no room for it.
        PolicyError: no quarantine key.
    """
    connection.execute("SELECT FROM ledger.ticket WHERE id = %s FOR UPDATE", (ticket,))
    room = fetch_one(
        connection,
        _Room,
        "SELECT coalesce(max(number), 0) AS number, CAST(coalesce(sum(bytes)"
        " FILTER (WHERE content IS NOT NULL), 0) AS bigint) AS bytes"
        " FROM ledger.ticket_attachment WHERE ticket = %s",
        (ticket,),
    ) or _Room(0, 0)
    size, number, key = len(new.content), room.number + 1, keys.quarantine()
    if room.bytes + size > MOST_OF_TICKET:
        msg = f"ticket {ticket}: its files would have more than {MOST_OF_TICKET} bytes"
        raise UnfitFile(msg, "full")
    digest = _digest(new.content, key, suite)
    values = {
        "ticket": ticket,
        "number": number,
        "kind": new.kind,
        "bytes": size,
        "digest": digest,
        "added_by": new.added_by,
        "added_for": new.added_for,
        "added_at": new.added_at,
        "content": suite.seal(key.secret, new.content, _place(ticket, number, digest)),
        "key_epoch": key.epoch,
        "suite": suite.name,
    }
    connection.execute(_ADD, values)
    found = fetch_one(
        connection, _made, _KNOWN + " WHERE ticket = %s AND number = %s", (ticket, number)
    )
    assert found is not None  # noqa: S101 - it was written a line above
    dataset = one_scalar(
        connection, str, "SELECT dataset FROM ledger.ticket WHERE id = %s", (ticket,)
    )
    audit.append(connection, "ticket.attached", dataset, new.added_by, facts(found))
    return found


def facts(attached: Attachment) -> dict[str, object]:
    """A file as the audit log names it."""
    return {
        "ticket": attached.ticket,
        "attachment": attached.number,
        "kind": attached.kind,
        "bytes": attached.bytes,
        "digest": attached.digest,
        "suite": attached.suite,
    }


def listed(connection: Connection, ticket: int) -> list[Attachment]:
    """Files of a ticket, the first first, those that were erased among them.

    Args:
        connection: of the hub's database.
        ticket: its id.
    """
    return fetch_all(connection, _made, _KNOWN + " WHERE ticket = %s ORDER BY number", (ticket,))


def get(connection: Connection, ticket: int, number: int) -> Attachment | None:
    """One file of a ticket, or None.

    Args:
        connection: of the hub's database.
        ticket: its id.
        number: of the file.
    """
    statement = _KNOWN + " WHERE ticket = %s AND number = %s"
    return fetch_one(connection, _made, statement, (ticket, number))


def content(connection: Connection, attached: Attachment, keys: KeyStore) -> bytes | None:
    """A file's bytes, as they came; None: they were erased.

    Args:
        connection: of the hub's database.
        attached: which.
        keys: with the quarantine key of its epoch.

    Raises:
        PolicyError: no such key, or the bytes are not what was sealed.
    """
    place = (attached.ticket, attached.number)
    kept = fetch_one(
        connection,
        _Kept,
        "SELECT content, digest, key_epoch, suite FROM ledger.ticket_attachment"
        " WHERE ticket = %s AND number = %s",
        place,
    )
    if kept is None or kept.content is None:
        return None
    secret = keys.quarantine_of(kept.key_epoch).secret
    suite = suites.suite(kept.suite)
    return suite.unseal(secret, bytes(kept.content), _place(*place, bytes(kept.digest)))


def erase(connection: Connection, now: datetime, actor: str) -> int:
    """Erase files of tickets that ended long enough ago, each with an audit entry; how many.

    A ticket ends when it is closed; one that is answered, and not closed, later than that.

    Args:
        connection: of the hub's database.
        now: the hub's time.
        actor: who does it.
    """
    with connection.transaction():
        due = fetch_all(
            connection,
            _made,
            _KNOWN + " WHERE content IS NOT NULL AND EXISTS (SELECT FROM ledger.ticket t"
            " WHERE t.id = ticket AND (t.closed_at < %(closed)s OR (t.status = 'answered'"
            " AND greatest(t.answered_at, ticket_attachment.added_at) < %(answered)s)))"
            " ORDER BY ticket, number FOR UPDATE",
            {"closed": now - KEPT, "answered": now - KEPT_UNCLOSED},
        )
        for gone in due:
            connection.execute(
                "UPDATE ledger.ticket_attachment SET content = NULL, erased_at = %s"
                " WHERE ticket = %s AND number = %s",
                (now, gone.ticket, gone.number),
            )
            audit.append(connection, "ticket.erased", "tickets", actor, facts(gone))
    return len(due)


def _digest(content: bytes, key: Key, suite: Suite) -> bytes:
    """A file's digest under the quarantine key, apart from references of records."""
    return suite.digests(key.secret, [f"attachment|{suite.hash(content).hex()}"])[0]


def _place(ticket: int, number: int, digest: bytes) -> bytes:
    """What sealed bytes are bound to."""
    return b"ticket-attachment|%d|%d|" % (ticket, number) + digest


def _made(**columns: Any) -> Attachment:  # noqa: ANN401 - a row by its columns
    """Times as the hub shows them: in its own zone."""
    return Attachment(**{name: _local(value) for name, value in columns.items()})


def _local(value: Any) -> Any:  # noqa: ANN401 - a column of any type
    return value.astimezone(ZONE) if isinstance(value, datetime) else value
