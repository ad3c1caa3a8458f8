"""How many calls there were: those that count for a quota, and those that were refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from onecard.store.database import Connection, as_records, columns
from onecard.store.together import Sent, send

HOUR, DAY = 3_600, 86_400


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
    asked = tuple(dict.fromkeys(slots))
    found = send(
        connection,
        _Count,
        "SELECT c.scope, c.name, c.since, c.span, c.calls FROM json_to_recordset(%s::json)"
        " AS s(scope text, name text, since bigint, span int)"
        " JOIN ledger.question_count c USING (scope, name, since, span)",
        (_written(asked),),
    )
    return AskedUsed(found)


@lru_cache(maxsize=4)
def _written(slots: tuple[Slot, ...]) -> str:
    """Slots as one text; a group asks for the same twice, before and under the audit log's end."""
    return as_records(Slot._fields, slots)


def count(connection: Connection, slots: Iterable[Slot]) -> None:
    """Count one call for each slot, more for one that is named more often.

    Args:
        connection: in the transaction that records the calls.
        slots: of all of them.
    """
    numbers = sorted(Counter(slots).items())  # in one order, so that no two wait for each other
    if not numbers:
        return
    connection.execute(
        "INSERT INTO ledger.question_count (scope, name, since, span, calls)"
        " SELECT * FROM json_to_recordset(%s::json)"
        " AS s(scope text, name text, since bigint, span int, calls bigint)"
        " ON CONFLICT (scope, name, span, since)"
        " DO UPDATE SET calls = ledger.question_count.calls + excluded.calls",
        (as_records((*Slot._fields, "calls"), [(*slot, number) for slot, number in numbers]),),
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
