"""Operators of callers who are not answered until a time, `ledger.operator_suspension`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import LiteralString

from onecard.model.misuse import CallOperator, MisuseHit, Suspension
from onecard.store import audit
from onecard.store.database import Connection, as_records, fetch_all, scalar, scalars
from onecard.store.together import Sent, send

_ALL: LiteralString = (
    "SELECT id, agency, caller, operator, rule, at, until, number, allowed, agreements, lifted_at,"
    " lifted_by, reason FROM ledger.operator_suspension"
)


def ask_open(
    connection: Connection, operators: Sequence[CallOperator], now: datetime
) -> Sent[CallOperator]:
    """Ask which of some operators are suspended.

    Args:
        connection: of the hub's database.
        operators: of callers.
        now: the hub's time.
    """
    return send(
        connection,
        CallOperator,
        "SELECT DISTINCT s.caller, s.operator FROM json_to_recordset(%s::json)"
        " AS o(caller text, operator text)"
        " JOIN ledger.operator_suspension s USING (caller, operator)"
        " WHERE s.until > %s AND s.lifted_at IS NULL",
        (as_records(CallOperator._fields, operators), now),
    )


def open_ones(connection: Connection, now: datetime) -> list[Suspension]:
    """All suspensions that hold, the oldest first.

    Args:
        connection: of the hub's database.
        now: the hub's time.
    """
    return fetch_all(
        connection,
        Suspension,
        _ALL + " WHERE until > %s AND lifted_at IS NULL ORDER BY at, id",
        (now,),
    )


def begun(connection: Connection, start: datetime, end: datetime) -> list[Suspension]:
    """Suspensions that began in a span, whether they hold or not, the oldest first.

    Args:
        connection: of the hub's database.
        start: of the span.
        end: of the span, no more part of it.
    """
    return fetch_all(
        connection,
        Suspension,
        _ALL + " WHERE at >= %s AND at < %s ORDER BY at, id",
        (start, end),
    )


def suspend(
    connection: Connection, hit: MisuseHit, agency: str, now: datetime, until: datetime
) -> bool:
    """Suspend an operator, unless the same rule has done so already; the caller has it audited.

    Args:
        connection: in the transaction that has looked.
        hit: who, by which rule.
        agency: to which the caller belongs.
        now: the hub's time.
        until: it ends then.

    Returns:
        Whether it is new.
    """
    since = now - timedelta(seconds=hit.span_s)
    values = {
        "agency": agency,
        "caller": hit.who.caller,
        "operator": hit.who.operator,
        "rule": hit.rule,
        "now": now,
        "until": until,
        "number": hit.number,
        "allowed": hit.allowed,
        "since": since,
        "line": hit.line,
    }
    made = scalar(
        connection,
        int,
        "INSERT INTO ledger.operator_suspension (agency, caller, operator, rule, at, until, number,"
        " allowed, agreements, line) SELECT %(agency)s, %(caller)s, %(operator)s, %(rule)s,"
        " %(now)s, %(until)s, %(number)s, %(allowed)s, ARRAY(SELECT DISTINCT agreement"
        " FROM ledger.question_watch WHERE caller = %(caller)s AND operator = %(operator)s"
        " AND at > %(since)s AND id <= %(line)s ORDER BY agreement), %(line)s"
        " WHERE NOT EXISTS (SELECT FROM ledger.operator_suspension WHERE caller = %(caller)s"
        " AND operator = %(operator)s AND rule = %(rule)s AND until > %(now)s"
        " AND lifted_at IS NULL) RETURNING id",
        values,
    )
    return made is not None


def lift(
    connection: Connection, who: CallOperator, now: datetime, actor: str, reason: str
) -> list[str]:
    """Lift all suspensions of an operator; audited.

    Args:
        connection: of the hub's database; a transaction is made.
        who: of which caller.
        now: the hub's time.
        actor: who decides, by name or office.
        reason: why; kept in the audit log.

    Returns:
        The rules by which the operator was suspended; empty: there is no such suspension.
    """
    with connection.transaction():
        rules = scalars(
            connection,
            str,
            "UPDATE ledger.operator_suspension SET lifted_at = %(now)s, lifted_by = %(actor)s,"
            " reason = %(reason)s WHERE caller = %(caller)s AND operator = %(operator)s"
            " AND until > %(now)s AND lifted_at IS NULL RETURNING rule",
            {"now": now, "actor": actor, "reason": reason, **who._asdict()},
        )
        if rules:
            body = {"operator": who.operator, "rules": sorted(rules), "reason": reason}
            audit.append(connection, "operator.released", who.caller, actor, body)
    return sorted(rules)
