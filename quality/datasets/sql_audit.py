"""Dataset-level expectations on staged rows, by SQL: the lean engine of the command line.

One aggregate statement over the staged table, one for the code distributions, and one for the
invariants between rows and datasets.
`quality.datasets.gx_audit` runs the same list with Great Expectations; a test holds both to the
same findings on the same tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from statistics import median

from psycopg import sql

from onecard.ports.auditor import Finding, Staged
from onecard.store import database
from quality.datasets.invariants import invariants
from schemas.models.dataset_checks import (
    Completeness,
    Distribution,
    Expectation,
    Freshness,
    Invariant,
    RejectedShare,
    Shrinkage,
    Volume,
)

KEY_UNIQUE = "key_unique"
FEWEST_FOR_DISTRIBUTION = 100
"""With fewer staged rows a share says nothing; the expectation passes."""


class SqlAuditor:
    """Implements `onecard.ports.auditor.Auditor` by aggregates over the staged table."""

    def audit(self, staged: Staged) -> tuple[Finding, ...]:
        """One finding per expectation, after `key_unique`.

        Raises:
            SourceUnavailable: the hub's database cannot be reached.
            FatalError: it refused a statement.
        """
        address = database.plain_url(staged.url)
        with database.connect(address, autocommit=True) as connection:
            found = _measure(connection, _aggregates(staged)) | compared(staged, connection)
        return findings(staged, found)


def compared(staged: Staged, connection: database.Connection) -> dict[str, float | None]:
    """All numbers that need more than the staged rows: history, published rows, the clock."""
    found: dict[str, float | None] = {}
    for statement in (distributions(staged, connection), invariants(staged, connection)):
        if statement is not None:
            found |= _measure(connection, statement)
    return found | ages(staged, connection) | volumes(staged)


def findings(staged: Staged, measured: Mapping[str, float | None]) -> tuple[Finding, ...]:
    """What the measured numbers say; a number that could not be (None) finds nothing."""
    repeated = measured[KEY_UNIQUE]
    found = [Finding(KEY_UNIQUE, "critical", passed=not repeated, observed=repeated)]
    found += [judged(e, measured[e.name]) for e in staged.contract.expectations]
    return tuple(found)


def judged(expectation: Expectation, observed: float | None) -> Finding:
    """One expectation against its measured number."""
    low, high = bounds(expectation)
    passed = observed is None or low <= observed <= high
    field = getattr(expectation.check, "field", "")
    return Finding(expectation.name, expectation.severity, passed, observed, field)


def bounds(expectation: Expectation) -> tuple[float, float]:
    """Between which numbers (both included) the measured one must lie."""
    check = expectation.check
    if isinstance(check, Volume):
        return check.min_ratio, check.max_ratio
    if isinstance(check, Shrinkage):
        return math.nextafter(check.above, math.inf), math.inf
    if isinstance(check, Completeness):
        return check.min, 1.0
    if isinstance(check, Freshness):
        return -math.inf, 1.0
    if isinstance(check, Invariant | RejectedShare):
        return 0.0, check.max_share
    return 0.0, check.max_shift


def ages(staged: Staged, connection: database.Connection) -> dict[str, float | None]:
    """Age of the newest staged row over the limit; None without staged rows."""
    found: dict[str, float | None] = {}
    for e in staged.contract.expectations:
        if isinstance(e.check, Freshness):
            statement = sql.SQL("SELECT max({c}) FROM {t}").format(
                c=sql.Identifier(e.check.field), t=_table(staged)
            )
            row = connection.execute(statement).fetchone()
            newest = row[0] if row else None
            limit = e.check.limit.span
            aware = isinstance(newest, datetime)
            found[e.name] = (staged.now - newest) / limit if aware else None  # type: ignore[operator]
    return found


def volumes(staged: Staged) -> dict[str, float | None]:
    """Rows read over the usual number, what is left of the source, the share of rejected rows."""
    usual = median(staged.history) if staged.history else 0
    ratio = staged.rows_read / usual if usual else None
    checks = staged.contract.expectations
    found = {e.name: ratio for e in checks if isinstance(e.check, Volume)}
    found |= {e.name: _left(staged, e) for e in checks if isinstance(e.check, Shrinkage)}
    return found | {
        e.name: _rejected(staged, e.check.at_least, pending=e.name in staged.pending)
        for e in checks
        if isinstance(e.check, RejectedShare)
    }


def _rejected(staged: Staged, at_least: int, *, pending: bool) -> float | None:
    """Share of the rows that are news which were rejected; None of too few.

    A reading that was held is judged by any number of rows that the next one reads.
    """
    rows = staged.rows_news
    fewest = 1 if pending else at_least
    return staged.rejected / rows if rows >= fewest else None


FEWEST_BEHIND = 2
"""One published row that does not come again may have been deleted by its agency."""


def _left(staged: Staged, expectation: Expectation) -> float | None:
    """Share of its usual rows that the source still holds; None where nothing says so.

    The size of an increment says nothing. That it is empty does: behind the watermark there must
    be at least the row that set it.
    """
    if staged.contract.source.cursor and not staged.rows_read and staged.rows_before:
        return 0.0
    usual = median(staged.there_before) if staged.there_before else 0
    counted = staged.rows_there / usual if usual and staged.rows_there is not None else None
    shares = (counted, _again(staged, pending=expectation.name in staged.pending))
    return min((share for share in shares if share is not None), default=None)


def _again(staged: Staged, *, pending: bool) -> float | None:
    """Share of the rows behind the watermark that a reading gave again; None where it is no matter.

    None of them: their times were set back, or the agency has deleted them all. Some of them say
    nothing, unless it is open since an earlier reading where the rest are.
    """
    behind = staged.behind
    if behind is None or not behind.published:
        return None
    if pending:
        return behind.given / behind.published
    lost = not behind.given and behind.published >= FEWEST_BEHIND
    return 0.0 if lost and staged.rejected + staged.rejected_known < behind.published else None


def distributions(staged: Staged, connection: database.Connection) -> sql.Composed | None:
    """The statement of all code distributions: one row, one column per expectation."""
    checks = {e.name: e.check for e in staged.contract.expectations}
    wanted = {name: c for name, c in checks.items() if isinstance(c, Distribution)}
    if not wanted:
        return None
    published = _sampled(staged, connection)
    columns = [
        sql.SQL("({shift}) AS {name}").format(
            shift=_largest_shift(staged, check, published), name=sql.Identifier(name)
        )
        for name, check in wanted.items()
    ]
    return sql.SQL("SELECT ") + sql.SQL(", ").join(columns)


MOST_BLOCKS = 20_000
"""Blocks of the published table (8 KB each) that a distribution looks at. Of a larger table it is
a sample: a share is then off by less than 0.01, even if equal codes lie side by side."""


def _sampled(staged: Staged, connection: database.Connection) -> sql.Composable:
    """The published table, or the same part of it every night where it is large."""
    table = sql.Identifier("registry", staged.contract.table)
    blocks = database.scalar(
        connection,
        int,
        "SELECT pg_relation_size(to_regclass(%s)) / current_setting('block_size')::int",
        (table.as_string(),),
    )
    if not blocks or blocks <= MOST_BLOCKS:
        return table
    return sql.SQL("{t} TABLESAMPLE SYSTEM ({percent}) REPEATABLE (0)").format(
        t=table, percent=sql.Literal(100 * MOST_BLOCKS / blocks)
    )


def _largest_shift(
    staged: Staged, check: Distribution, published: sql.Composable
) -> sql.Composable:
    """Largest difference of a code's share between staged and published rows; NULL is a code."""
    if not staged.published:
        return sql.SQL("CAST(NULL AS float8)")
    return sql.SQL(
        "SELECT max(abs(s / all_s - p / all_p)) FROM (SELECT sum(s) AS s, sum(p) AS p,"
        " sum(sum(s)) OVER () AS all_s, sum(sum(p)) OVER () AS all_p FROM ("
        "SELECT {c} AS code, CAST(count(*) AS float8) AS s, CAST(0 AS float8) AS p"
        " FROM {staged} GROUP BY 1 UNION ALL"
        " SELECT {c}, 0, count(*) FROM {published} WHERE _deleted_at IS NULL GROUP BY 1"
        ") both_sides GROUP BY code) shares WHERE all_s >= {few} AND all_p > 0"
    ).format(
        c=sql.Identifier(check.field),
        staged=_table(staged),
        few=sql.Literal(FEWEST_FOR_DISTRIBUTION),
        published=published,
    )


def _aggregates(staged: Staged) -> sql.Composed:
    """The statement of the rows whose key repeats, and of the share of filled values per field."""
    columns = [sql.SQL("({r}) AS {n}").format(r=_repeated(staged), n=sql.Identifier(KEY_UNIQUE))]
    columns += [
        sql.SQL("CAST(count({c}) AS float8) / nullif(count(*), 0) AS {n}").format(
            c=sql.Identifier(e.check.field), n=sql.Identifier(e.name)
        )
        for e in staged.contract.expectations
        if isinstance(e.check, Completeness)
    ]
    source = sql.SQL(" FROM {t}").format(t=_table(staged)) if len(columns) > 1 else sql.SQL("")
    return sql.SQL("SELECT ") + sql.SQL(", ").join(columns) + source


def _repeated(staged: Staged) -> sql.Composed:
    """Rows that share their key; a primary key on these columns proves that there are none."""
    keys = staged.contract.key
    return sql.SQL(
        "CASE WHEN EXISTS (SELECT FROM pg_index i WHERE indrelid = to_regclass({name})"
        " AND indisprimary AND {keys} = (SELECT array_agg(CAST(attname AS text) ORDER BY 1)"
        " FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)))"
        " THEN 0 ELSE (SELECT coalesce(sum(n), 0) FROM (SELECT count(*) AS n FROM {table}"
        " GROUP BY {columns} HAVING count(*) > 1) repeated) END"
    ).format(
        name=sql.Literal(_table(staged).as_string()),
        keys=sql.SQL("CAST({k} AS text[])").format(k=sql.Literal(sorted(keys))),
        table=_table(staged),
        columns=sql.SQL(", ").join(map(sql.Identifier, keys)),
    )


def _measure(connection: database.Connection, statement: sql.Composed) -> dict[str, float | None]:
    cursor = connection.execute(statement)
    row = cursor.fetchone() or ()
    names = [column.name for column in cursor.description or ()]
    pairs = zip(names, row, strict=True)
    return {name: None if value is None else float(str(value)) for name, value in pairs}


def _table(staged: Staged) -> sql.Identifier:
    return sql.Identifier("staging", staged.table)
