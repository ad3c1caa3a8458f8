"""What the hub asks its audit log for: recent looks at persons, hand-backs that were confirmed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import LiteralString

from onecard.ports.privacy_gate import Access
from onecard.store.database import Connection, fetch_all, one_scalar

ACTS: LiteralString = (
    "kind IN ('incident.closed', 'reconcile.agreed', 'reconcile.healed', 'reconcile.open',"
    " 'handback.confirmed', 'records.expired')"
)
"""Kinds of which single entries are looked for, as the index `audit_acts` has them: a statement
that says so, word for word, finds them by it and reads nothing else of the log."""


def accesses(connection: Connection) -> tuple[Access, ...]:
    """Looks at single persons' data in the last day (PR-19); the log and receipts hold none."""
    found = fetch_all(
        connection,
        _access,
        "SELECT actor, body, at FROM ledger.audit WHERE kind LIKE 'access.%'"
        " AND kind NOT IN ('access.audit', 'access.receipt')"
        " AND at > clock_timestamp() - interval '1 day'",
    )
    return tuple(found)


def handed_back(connection: Connection, agency: str, handback: str) -> bool:
    """Whether a hand-back was confirmed before.

    Args:
        connection: of the hub's database.
        agency: whose rows they are.
        handback: id, which follows from the rows.
    """
    return one_scalar(
        connection,
        bool,
        "SELECT EXISTS (SELECT FROM ledger.audit WHERE kind = 'handback.confirmed'"
        " AND subject = %s AND CASE WHEN kind = 'handback.confirmed'"  # before its text is read
        " THEN body::jsonb ->> 'handback' = %s END)",
        (agency, handback),
    )


def _access(actor: str, body: str, at: datetime) -> Access:
    """Whom a look was at: a person's reference, or the quarantined row."""
    found = json.loads(body)
    return Access(actor, str(found.get("person") or found.get("record") or ""), at)
