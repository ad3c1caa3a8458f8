"""Whether the calls on record are those of the audit log: a part of `onecard audit verify`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from onecard.crypto import answers
from onecard.crypto.audit_verify import Verdict
from onecard.store import audit, questions
from onecard.store.database import Connection, fetch_all, scalar
from onecard.store.questions import Asked

if TYPE_CHECKING:
    from onecard.crypto.signing import Signer

KIND = "questions.recorded"
"""Of the audit entry of a group."""

Verify = Callable[[str, str, bytes, bytes], bool]


@dataclass(frozen=True, slots=True)
class _Entry:
    seq: int
    body: str


@dataclass(frozen=True, slots=True)
class _Number:
    id: int


def problem(connection: Connection, verify: Verify) -> str:
    """What is wrong with a group of calls, or an empty text.

    Each entry of the log has its group, with the receipts whose root it says, signed; each group
    has its entry. Months that are gone have neither.

    Args:
        connection: in a transaction that sees one state of the database.
        verify: whether a signature is right.
    """
    entries = fetch_all(
        connection,
        _Entry,
        "SELECT seq, body FROM ledger.audit WHERE kind = %s ORDER BY seq",
        (KIND,),
    )
    said = {int(body["group"]): (e.seq, body) for e in entries if (body := json.loads(e.body))}
    there = {n.id for n in fetch_all(connection, _Number, "SELECT id FROM ledger.question_group")}
    if unknown := there - set(said):
        return f"group {min(unknown)} of calls is not in the audit log"
    gone = _gone(connection)
    for number, (seq, body) in said.items():
        if number not in there:
            if number > gone:
                return f"group {number} of calls, of audit entry {seq}, is missing"
            continue
        if wrong := _group(connection, number, body, verify):
            return f"group {number} of calls, of audit entry {seq}: {wrong}"
    return ""


def _gone(connection: Connection) -> int:
    """The largest group that housekeeping may have dropped: it drops from the oldest on."""
    dropped = scalar(
        connection,
        str,
        "SELECT body FROM ledger.audit WHERE kind = 'questions.expired' ORDER BY seq DESC LIMIT 1",
    )
    return int(json.loads(dropped)["last_group"]) if dropped else 0


def _group(connection: Connection, number: int, body: dict[str, object], verify: Verify) -> str:
    """What is wrong with one group."""
    group = questions.group(connection, number)
    if group is None:
        return "it is missing"
    lines = questions.lines(connection, group.month, number)
    if not all(map(_agrees, lines)):
        return "a call is not what its receipt says"
    made = json.loads(answers.statement([line.receipt for line in lines], ""))
    if (made["root"], made["size"]) != (body["root"], body["size"]):
        return "its receipts are not those that were recorded"
    if answers.root_of(group.statement) != body["root"]:
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
        wrong = problem(connection, signer.verify)
    if not wrong:
        return verdict
    return replace(verdict, ok=False, problem="; ".join(filter(None, [verdict.problem, wrong])))
