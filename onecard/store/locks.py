"""Every advisory lock of the project, by kind: who holds one makes others of its kind wait.

A lock's key is a hash of its kind and of the name of what is locked, so that two kinds never share
one. A lock is waited for as long as `onecard.base.timeouts` says. It is held by a session or by a
transaction, and goes with it, also when its process is killed.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import psycopg


class Kind(Enum):
    """What a lock keeps apart."""

    APPROVAL = "approval"
    """One act on an agreement's approval at a time: of two first approvals one is the second."""

    DELIVERY = "delivery"
    """One delivery of an agreement (by its id) at a time; the second finds nothing due."""

    HANDBACK = "handback"
    """One hand-back to an agency at a time."""

    RECONCILIATION = "reconciliation"
    """One reconciliation of a dataset or an agreement at a time."""

    RELEASE = "release"
    """One release of a transfer at a time."""

    REPLAY = "replay"
    """One replay of a quarantined row at a time; the second finds it resolved."""

    FOLDING = "folding"
    """One folding of old transfers at a time; the second finds nothing left. Nor is a month of
    disclosures dropped meanwhile."""

    HOUSEKEEPING = "housekeeping"
    """One housekeeping at a time; the second finds nothing left."""

    MAKING = "making"
    """Statements that make a table or an index where it is missing take turns."""

    NOTICE = "notice"
    """One sender of a notice (by its id) at a time; others pass it over."""

    UPLOAD = "upload"
    """One change of which uploads a dataset has at a time: they get their places in one order."""

    MIGRATION = "migration"
    """Two upgrades at once run one after the other."""


def hold(connection: psycopg.Connection[Any], kind: Kind, name: str | int) -> None:
    """Wait for a lock, and hold it until the session ends.

    Args:
        connection: whose session holds it.
        kind: what it keeps apart.
        name: of what is locked: an id of the ledger, a dataset, an agreement, an agency.
    """
    connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (_key(kind, name),))


def hold_if_free(connection: psycopg.Connection[Any], kind: Kind, name: str | int) -> bool:
    """Hold a lock until it is let go or the session ends; False: another session holds it.

    Args:
        connection: whose session holds it.
        kind: what it keeps apart.
        name: of what is locked.
    """
    statement = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
    found = connection.execute(statement, (_key(kind, name),)).fetchone()
    return found is not None and found[0] is True


def let_go(connection: psycopg.Connection[Any], kind: Kind, name: str | int) -> None:
    """Give a lock back that this session holds.

    Args:
        connection: whose session holds it.
        kind: what it keeps apart.
        name: of what is locked.
    """
    connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (_key(kind, name),))


def hold_in_transaction(
    connection: psycopg.Connection[Any], kind: Kind, name: str | int = ""
) -> None:
    """Wait for a lock, and hold it until the transaction ends.

    Args:
        connection: in a transaction.
        kind: what it keeps apart.
        name: of what is locked; the default: there is one lock of the kind.
    """
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (_key(kind, name),))


def taken(connection: psycopg.Connection[Any], kind: Kind, name: str | int) -> bool:
    """Whether another session holds a lock now; it is not waited for.

    Args:
        connection: in no transaction.
        kind: what it keeps apart.
        name: of what is locked.
    """
    statement = "SELECT pg_try_advisory_xact_lock_shared(hashtextextended(%s, 0))"
    found = connection.execute(statement, (_key(kind, name),)).fetchone()
    return found is not None and found[0] is False


def _key(kind: Kind, name: str | int) -> str:
    return f"onecard {kind.value} {name}"
