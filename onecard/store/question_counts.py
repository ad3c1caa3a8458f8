"""How many calls there were: those that count for a quota, and those that were refused."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from onecard.store.database import Connection, as_records, columns
from onecard.store.together import Sent, send

HOUR, DAY = 3_600, 86_400
_SPANS = ("scope", "since", "span", "names")
"""Slots in which only the name differs go over as one record."""


class Slot(NamedTuple):
    """What is counted by itself.

    Attributes:
        scope: whose calls (`schemas.models.asking.QuotaScope`).
        name: of agreement and of whom within it; a person by a keyed reference.
        since: when the hour or the day began, in seconds since 1970.
        span: an hour or a day, in seconds.
    """

    scope: str
    name: str
    since: int
    span: int


@dataclass(frozen=True, slots=True)
class _Count:
    scope: str
    name: str
    since: int
    span: int
    calls: int


@dataclass(frozen=True, slots=True)
class AskedUsed:
    """How often some slots were used (`ask_used`); read it when the answers are there."""

    _found: Sent[_Count]

    def all(self) -> dict[Slot, int]:
        """Calls so far; slots without any are left out; to be read once."""
        return {Slot(c.scope, c.name, c.since, c.span): c.calls for c in self._found.all()}


def ask_used(connection: Connection, slots: Iterable[Slot]) -> AskedUsed:
    """Ask how many calls there were so far.

    Args:
        connection: of the hub's database.
        slots: to be looked up.
    """
    named: defaultdict[tuple[str, int, int], list[str]] = defaultdict(list)
    for slot in dict.fromkeys(slots):
        named[slot.scope, slot.since, slot.span].append(slot.name)
    found = send(
        connection,
        _Count,
        "SELECT c.scope, c.name, c.since, c.span, c.calls FROM json_to_recordset(%s::json)"
        " AS s(scope text, since bigint, span int, names json)"
        " CROSS JOIN LATERAL json_array_elements_text(s.names) AS n(name)"
        " JOIN ledger.question_count c ON c.scope = s.scope AND c.name = n.name"
        " AND c.span = s.span AND c.since = s.since",
        (as_records(_SPANS, [(*span, names) for span, names in named.items()]),),
    )
    return AskedUsed(found)


def count(connection: Connection, slots: Iterable[Slot]) -> None:
    """Count one call for each slot, more for one that is named more often.

    Args:
        connection: in the transaction that records the calls.
        slots: of all of them.
    """
    named: defaultdict[tuple[str, int, int], Counter[str]] = defaultdict(Counter)
    for slot in slots:
        named[slot.scope, slot.since, slot.span][slot.name] += 1
    if not named:
        return
    connection.execute(
        "INSERT INTO ledger.question_count (scope, name, since, span, calls)"
        " SELECT s.scope, n.name, s.since, s.span, n.calls::bigint FROM json_to_recordset("
        "%s::json) AS s(scope text, since bigint, span int, names json)"
        " CROSS JOIN LATERAL json_each_text(s.names) AS n(name, calls)"
        " ORDER BY s.scope, n.name, s.since, s.span"  # so that no two wait for each other
        " ON CONFLICT (scope, name, span, since)"
        " DO UPDATE SET calls = ledger.question_count.calls + excluded.calls",
        (as_records(_SPANS, [(*span, names) for span, names in named.items()]),),
    )


class Refused(NamedTuple):
    """Refusals that are counted together.

    Attributes:
        hour: in which they fell.
        caller: who asked; empty where nobody was proved.
        agreement: under which; empty where nobody was proved, or there is none of that name.
        code: that was answered.
    """

    hour: datetime
    caller: str
    agreement: str
    code: str


def refused(connection: Connection, counts: Mapping[Refused, int]) -> None:
    """Add refusals to those of their hour.

    Args:
        connection: of the hub's database.
        counts: how many of each.
    """
    if not counts:
        return
    connection.execute(
        "INSERT INTO ledger.question_refusal (hour, caller, agreement, code, calls)"
        " SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[],"
        " %s::bigint[]) ON CONFLICT (hour, caller, agreement, code)"
        " DO UPDATE SET calls = ledger.question_refusal.calls + excluded.calls",
        columns([(*line, number) for line, number in sorted(counts.items())]),
    )
