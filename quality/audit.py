"""Dataset-level expectations on staged rows, by SQL: the lean engine of the command line.

`quality.gx_audit` runs the same list with Great Expectations; a test holds both to the same
outcome on the same tables.
"""

from __future__ import annotations

from statistics import median

import psycopg
from psycopg import sql

from onecard.ports import Finding, Staged
from schemas.rules import Completeness, Distribution, Expectation, Volume

KEY_UNIQUE = "key_unique"
FEWEST_FOR_DISTRIBUTION = 100
"""With fewer staged rows a share says nothing; the expectation passes."""


class SqlAuditor:
    """Implements `onecard.ports.Auditor` by aggregates over the staged table."""

    def audit(self, staged: Staged) -> tuple[Finding, ...]:
        """One finding per expectation, and `key_unique`."""
        address = staged.url.replace("postgresql+psycopg://", "postgresql://")
        with psycopg.connect(address, autocommit=True) as connection:
            found = [self._key_unique(connection, staged)]
            for expectation in staged.contract.expectations:
                found.append(self._finding(connection, staged, expectation))
        return tuple(found)

    def _finding(
        self, connection: psycopg.Connection, staged: Staged, expectation: Expectation
    ) -> Finding:
        check = expectation.check
        if isinstance(check, Volume):
            passed, observed = volume(check, staged)
            return Finding(expectation.name, expectation.severity, passed, observed)
        if isinstance(check, Completeness):
            share = self._filled(connection, staged, check.field)
            passed = share is None or share >= check.min
            return Finding(expectation.name, expectation.severity, passed, share, check.field)
        shift = largest_shift(connection, staged, check)
        passed = shift is None or shift <= check.max_shift
        return Finding(expectation.name, expectation.severity, passed, shift, check.field)

    def _key_unique(self, connection: psycopg.Connection, staged: Staged) -> Finding:
        """A primary key on the staged table proves it; else keys are counted."""
        if _has_key(connection, staged.table):
            return Finding(KEY_UNIQUE, "critical", passed=True, observed=0.0)
        keys = sql.SQL(", ").join(map(sql.Identifier, staged.contract.key))
        query = sql.SQL(
            "SELECT count(*) FROM (SELECT FROM {t} GROUP BY {k} HAVING count(*) > 1) d"
        ).format(t=_table(staged), k=keys)
        repeated = _number(connection, query) or 0.0
        return Finding(KEY_UNIQUE, "critical", repeated == 0, repeated)

    def _filled(self, connection: psycopg.Connection, staged: Staged, field: str) -> float | None:
        query = sql.SQL("SELECT (count({c})::float8 / nullif(count(*), 0)) FROM {t}").format(
            c=sql.Identifier(field), t=_table(staged)
        )
        return _number(connection, query)


def volume(check: Volume, staged: Staged) -> tuple[bool, float | None]:
    """Rows read against the median of earlier readings; without history it passes."""
    if not staged.history:
        return True, None
    ratio = staged.rows_read / median(staged.history)
    return check.min_ratio <= ratio <= check.max_ratio, ratio


def largest_shift(
    connection: psycopg.Connection, staged: Staged, check: Distribution
) -> float | None:
    """Largest difference of a code's share between staged and published rows."""
    if not staged.published:
        return None
    query = sql.SQL(
        "WITH s AS (SELECT {c} AS code, count(*)::float8 AS n FROM {staged} GROUP BY 1),"
        " p AS (SELECT {c} AS code, count(*)::float8 AS n FROM {published}"
        " WHERE _deleted_at IS NULL GROUP BY 1)"
        " SELECT max(abs(coalesce(s.n, 0) / st.n - coalesce(p.n, 0) / pt.n))"
        " FROM s FULL JOIN p ON s.code = p.code,"
        " (SELECT nullif(sum(n), 0) AS n FROM s HAVING sum(n) >= {few}) st,"
        " (SELECT nullif(sum(n), 0) AS n FROM p) pt"
    ).format(
        c=sql.Identifier(check.field),
        staged=_table(staged),
        few=sql.Literal(FEWEST_FOR_DISTRIBUTION),
        published=sql.Identifier("registry", staged.contract.table),
    )
    return _number(connection, query)


def _has_key(connection: psycopg.Connection, table: str) -> bool:
    row = connection.execute(
        "SELECT count(*) FROM pg_index WHERE indrelid = to_regclass(%s) AND indisprimary",
        (f'staging."{table}"',),
    ).fetchone()
    return row is not None and row[0] == 1


def _number(connection: psycopg.Connection, query: sql.Composed) -> float | None:
    row = connection.execute(query).fetchone()
    return None if row is None or row[0] is None else float(row[0])


def _table(staged: Staged) -> sql.Identifier:
    return sql.Identifier("staging", staged.table)
