"""Rows that broke a rule and are not known to be right again, or gone from their source.

They are known from the quarantine: a row stays unresolved until its record was read as a good row,
was published by a person, or was found gone. That it was not read, or that its values were purged
when its time was over, resolves nothing; nor does it that its record was rejected again by the same
rule with other values, or that the contract calls the rule something else since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from onecard.store.database import Connection, fetch_all, one_scalar

_BROKEN: LiteralString = (
    "SELECT DISTINCT r.id, r.dataset, x ->> 0 AS field, x ->> 1 AS rule, r.status, r.record_ref,"
    " r.first_transfer, r.last_transfer FROM quarantine.record r CROSS JOIN LATERAL"
    " jsonb_array_elements(r.reasons || coalesce(r.first_reasons, '[]')) x"
    " WHERE r.dataset = ANY(%(datasets)s) AND r.agreement IS NULL"
)
"""Each quarantined row with each rule that it breaks, or broke first: read once for all rules."""
_COUNTED: LiteralString = (
    "WITH broken AS (" + _BROKEN + ") SELECT p.dataset, p.field, p.rule, count(r.id) AS rows,"
    " count(r.id) FILTER (WHERE r.status IN ('held', 'purged') OR (r.status = 'superseded'"
    " AND EXISTS (SELECT FROM quarantine.record n WHERE n.dataset = r.dataset"
    " AND n.agreement IS NULL AND n.record_ref = r.record_ref AND n.status IN ('held', 'purged')"
    " AND n.reasons @> jsonb_build_array(jsonb_build_array(p.field, p.rule))))) AS unresolved"
    " FROM unnest(%(datasets)s::text[], %(fields)s::text[], %(rules)s::text[],"
    " %(firsts)s::bigint[], %(lasts)s::bigint[]) AS p (dataset, field, rule, first, last)"
    " LEFT JOIN broken r ON r.dataset = p.dataset AND r.field = p.field AND r.rule = p.rule"
    " AND r.first_transfer <= p.last AND r.last_transfer >= p.first"
    " GROUP BY p.dataset, p.field, p.rule"
)


@dataclass(frozen=True, slots=True)
class BrokenIn:
    """A rule that rows broke in some collects.

    Attributes:
        field: of the rule; empty for the whole record.
        first: the first of these collects.
        last: the last of them.
    """

    dataset: str
    field: str
    rule: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class OwnRows:
    """Rows of a rule that stand in quarantine, or stood there; and those still unresolved."""

    dataset: str
    field: str
    rule: str
    rows: int
    unresolved: int


def counted(
    connection: Connection, broken: Sequence[BrokenIn]
) -> dict[tuple[str, str, str], OwnRows]:
    """The own rows of each, by dataset, field and rule.

    Args:
        connection: of the hub's database.
        broken: rules, each once.
    """
    wanted = {
        "datasets": [b.dataset for b in broken],
        "fields": [b.field for b in broken],
        "rules": [b.rule for b in broken],
        "firsts": [b.first for b in broken],
        "lasts": [b.last for b in broken],
    }
    found = fetch_all(connection, OwnRows, _COUNTED, wanted)
    return {(line.dataset, line.field, line.rule): line for line in found}


def newest_end(connection: Connection, dataset: str, transfer: int) -> int:
    """The newest collect that ended a row which some collect had rejected; 0: none.

    Args:
        connection: of the hub's database.
        dataset: whose rows.
        transfer: the collect that rejected them.
    """
    return one_scalar(
        connection,
        int,
        "SELECT coalesce(max(ended_by), 0) FROM quarantine.record WHERE dataset = %s"
        " AND agreement IS NULL AND first_transfer <= %s AND last_transfer >= %s",
        (dataset, transfer, transfer),
    )
