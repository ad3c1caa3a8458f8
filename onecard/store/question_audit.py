"""Whether the calls on record are those of the audit log: a part of `onecard audit verify`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from onecard.base.times import iso
from onecard.crypto import answers
from onecard.crypto.audit_verify import Verdict
from onecard.store import audit, questions
from onecard.store.database import Connection, fetch_all, scalar
from onecard.store.questions import Asked, Group

if TYPE_CHECKING:
    from onecard.crypto.signing import Signer

KIND = "questions.recorded"
"""Of the audit entry of a group."""

Verify = Callable[[str, str, bytes, bytes], bool]


_BATCH = 500
"""Groups that are looked at together."""


@dataclass(frozen=True, slots=True)
class _Entry:
    seq: int
    body: str


@dataclass(frozen=True, slots=True)
class _Recorded:
    """What the audit log says of a group."""

    seq: int
    group: int
    root: str
    size: int


def problem(connection: Connection, verify: Verify) -> str:
    """What is wrong with a group of calls, or an empty text.

    Each entry of the log has its group, with the receipts whose root it says, signed; each group
    has its entry. Months that are gone have neither. Groups are numbered in the order of their
    entries, as both are made under the lock of the log's head.

    Args:
        connection: in a transaction that sees one state of the database.
        verify: whether a signature is right.
    """
    gone, seq, group = _gone(connection), 0, 0
    while batch := _recorded(connection, seq):
        last = batch[-1].group
        there = questions.groups(connection, group, last)
        if unknown := set(there) - {recorded.group for recorded in batch}:
            return _unknown(unknown)
        lines = questions.lines(connection, there)
        for recorded in batch:
            found = there.get(recorded.group)
            if found is None and recorded.group <= gone:
                continue
            if wrong := _wrong(recorded, found, lines.get(recorded.group, []), verify):
                return f"group {recorded.group} of calls, of audit entry {recorded.seq}: {wrong}"
        seq, group = batch[-1].seq, last
    unknown = set(questions.groups(connection, group, None))
    stray = questions.stray(connection)
    return _unknown(unknown | {stray} if stray is not None else unknown)


def _unknown(groups: set[int]) -> str:
    return f"group {min(groups)} of calls is not in the audit log" if groups else ""


def _recorded(connection: Connection, after: int) -> list[_Recorded]:
    """The next entries after a number of the log."""
    found = fetch_all(
        connection,
        _Entry,
        "SELECT seq, body FROM ledger.audit WHERE kind = 'questions.recorded' AND seq > %s"
        " ORDER BY seq LIMIT %s",
        (after, _BATCH),
    )
    bodies = [(entry.seq, json.loads(entry.body)) for entry in found]
    return [_Recorded(seq, body["group"], body["root"], body["size"]) for seq, body in bodies]


def _gone(connection: Connection) -> int:
    """The largest group that housekeeping may have dropped: it drops from the oldest on."""
    dropped = scalar(
        connection,
        str,
        "SELECT body FROM ledger.audit WHERE kind = 'questions.expired' ORDER BY seq DESC LIMIT 1",
    )
    return int(json.loads(dropped)["last_group"]) if dropped else 0


def _wrong(recorded: _Recorded, group: Group | None, lines: Sequence[Asked], verify: Verify) -> str:
    """What is wrong with one group."""
    if group is None:
        return "it is missing"
    made = answers.statement([line.receipt for line in lines], "")
    if (answers.root_of(made), len(lines)) != (recorded.root, recorded.size):
        return "its receipts are not those that were recorded"
    if not all(map(_agrees, lines)):
        return "a call is not what its receipt says"
    if answers.root_of(group.statement) != recorded.root:
        return "its statement is of other receipts"
    message = group.statement.encode()
    right = verify(group.suite, group.key_epoch, message, group.signature)
    return "" if right else "its signature is not valid"


def record_digest(person: bytes, mac: bytes) -> str:
    """What a receipt says of the keyed digests on record beside it: they cannot be exchanged.

    Args:
        person: keyed reference of the person.
        mac: keyed digest of the request.
    """
    return sha256(person + mac).hexdigest()


def _agrees(line: Asked) -> bool:
    """Whether a call's columns are those that its receipt tells of."""
    said = json.loads(line.receipt)
    return bool(
        said
        == said
        | {
            "at": iso(line.at),
            "agreement": line.agreement,
            "caller": line.caller,
            "operator": line.operator,
            "case": line.case_no,
            "requestId": line.request_id,
            "keyEpoch": line.key_epoch,
            "outcome": "answered" if line.found else "none",
            "record": record_digest(line.person, line.request_mac),
        }
    )


def verify_all(connection: Connection, folder: Path, signer: Signer) -> Verdict:
    """Verify the audit log, as `audit.verify_log`, and the groups of calls that it has entries of.

    Args:
        connection: without an open transaction.
        folder: of the anchor.
        signer: verifies signatures.
    """
    verdict = audit.verify_log(connection, folder, signer.holds)
    with audit.snapshot(connection):
        try:
            wrong = problem(connection, signer.verify)
        except (ValueError, TypeError, KeyError):  # an entry of the log that somebody has written
            wrong = "entries about calls cannot be read"
    if not wrong:
        return verdict
    return replace(verdict, ok=False, problem="; ".join(filter(None, [verdict.problem, wrong])))
