"""Rules against misuse: held against the calls on record, a few seconds after them.

What is counted is counted by the hub's database, over what was written with the record of calls; so
it does not matter which process has answered, and no call waits for it. Who has reached a limit is
suspended from the next call on, with an audit entry, in the transaction that has looked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from onecard.base.times import iso
from onecard.model.misuse import MisuseHit
from onecard.store import audit, suspensions, watched
from onecard.store.database import Connection
from onecard.store.watched import Lines, OfficeSpan, OperatorCount
from schemas.models.callers import CallerSystem
from schemas.models.misuse import FarAbove, MisuseRules, RuleName

KIND = "operator.suspended"
"""Of the audit entry."""


@dataclass(frozen=True)
class Inspection:
    """One look at what was recorded since the last one.

    Attributes:
        rules: as they stand now.
        callers: systems that may call, by sid.
        now: the hub's time.
        actor: who serves, for the audit log.
    """

    rules: MisuseRules
    callers: Mapping[str, CallerSystem]
    now: datetime
    actor: str

    def run(self, connection: Connection) -> list[MisuseHit] | None:
        """Hold every rule against the calls that are new, and suspend who has reached a limit.

        Args:
            connection: of the hub's database, without an open transaction.

        Returns:
            Suspensions that are new; None: another process looks at this moment.
        """
        with connection.transaction():
            after = watched.looked_at(connection)
            if after is None:
                return None
            upto = watched.newest(connection)
            if upto <= after:
                return []
            hits = list(self._hits(connection, after, upto))
            new = [hit for hit in hits if self._suspend(connection, hit)]
            watched.set_looked_at(connection, upto)
        return new

    def _hits(self, connection: Connection, after: int, upto: int) -> Iterator[MisuseHit]:
        rules, by_name = self.rules, self.rules.by_name()
        lines = {
            name: Lines(name, after, upto, self.now - rule.within.span)
            for name, rule in by_name.items()
        }
        order, misses, person = rules.order.persons, rules.misses, rules.person.operators
        counted: dict[RuleName, tuple[int, Sequence[OperatorCount]]] = {
            "order": (order, watched.in_order(connection, lines["order"], order)),
            "misses": (
                misses.misses,
                watched.misses(connection, lines["misses"], misses.misses, misses.percent),
            ),
            "person": (person, watched.by_many(connection, lines["person"], person)),
            "hours": (rules.hours.calls, self._outside(connection, lines["hours"])),
            "above": (rules.above.calls, self._above(connection, lines["above"])),
        }
        for name, (limit, found) in counted.items():
            span_s = by_name[name].within.span.total_seconds()
            for count in found:
                yield MisuseHit(count.who, name, count.number, limit, span_s, upto)

    def _outside(self, connection: Connection, lines: Lines) -> Sequence[OperatorCount]:
        """Operators who ask outside the office hours of their caller, where that has any."""
        named = {sid: system.hours for sid, system in self.callers.items() if system.hours}
        if not named:
            return ()
        spans = [
            OfficeSpan(sid, start, end)
            for sid, hours in named.items()
            for start, end in hours.spans(lines.since, self.now)
        ]
        return watched.outside(connection, lines, self.rules.hours.calls, list(named), spans)

    def _above(self, connection: Connection, lines: Lines) -> Sequence[OperatorCount]:
        """Operators who ask far more than the others; these are counted only if anybody may."""
        busy = watched.busy(connection, lines, self.rules.above.calls)
        if not busy:
            return ()
        callers = sorted({count.caller for count in busy})
        return far_above(self.rules.above, busy, watched.volumes(connection, lines, callers))

    def _suspend(self, connection: Connection, hit: MisuseHit) -> bool:
        rule, system = self.rules.by_name()[hit.rule], self.callers.get(hit.who.caller)
        until = self.now + rule.suspend.span
        agency = system.agency if system else ""
        if not suspensions.suspend(connection, hit, agency, self.now, until):
            return False
        body = {
            "operator": hit.who.operator,
            "rule": hit.rule,
            "number": hit.number,
            "allowed": hit.allowed,
            "until": iso(until),
        }
        audit.append(connection, KIND, hit.who.caller, self.actor, body)
        return True


def far_above(
    rule: FarAbove, busy: Sequence[OperatorCount], volumes: Sequence[OperatorCount]
) -> list[OperatorCount]:
    """Those of some busy operators who ask far more than the others of their caller.

    Args:
        rule: how far, and how many others there must be.
        busy: who may be.
        volumes: calls of all operators of their callers.
    """
    found = []
    for count in busy:
        others = [v.number for v in volumes if v.caller == count.caller and v.who != count.who]
        if len(others) >= rule.others and count.number >= rule.times * median(others):
            found.append(count)
    return found
