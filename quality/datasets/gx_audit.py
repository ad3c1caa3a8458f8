"""Dataset-level expectations by Great Expectations, pushed down to PostgreSQL.

Three seconds of import: DAG processes import this module before they fork their tasks. What GX
reports holds counts and shares; failing values are not asked for and not kept.
"""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Mapping
from typing import Any

from psycopg import sql

from onecard.base.extras import extra
from onecard.errors import FatalError
from onecard.ports.auditor import Finding, Staged
from onecard.store import database
from quality.datasets.sql_audit import KEY_UNIQUE, bounds, compared
from schemas.models.dataset_checks import Completeness, Expectation

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
logging.getLogger("great_expectations").setLevel(logging.WARNING)
with extra("expectations"), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import great_expectations as gx
    from great_expectations import expectations as gxe

NO_VALUES = {"result_format": "BASIC", "partial_unexpected_count": 0}
"""Counts only: BASIC would list twenty failing values."""

Outcomes = Mapping[str, Any]
"""GX's results by the name of the expectation."""


class GxAuditor:
    """Implements `onecard.ports.auditor.Auditor` by two GX suites.

    Keys and completeness look at the staged table. Volume and distributions compare it with
    what came before: their suite looks at a one-row query of the measured numbers.
    """

    def audit(self, staged: Staged) -> tuple[Finding, ...]:
        """One finding per expectation, after `key_unique`.

        Raises:
            FatalError: GX could not evaluate an expectation; a check that did not run did not pass.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # GX wants a DSN, which socket URLs are not
                return _findings(staged, _run(staged))
        except FatalError:
            raise
        except Exception as error:  # noqa: BLE001 - GX and SQLAlchemy quote statements and URLs
            kind = type(error).__name__
        msg = f"{staged.contract.id}: Great Expectations failed ({kind})"
        raise FatalError(msg)


def _run(staged: Staged) -> Outcomes:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    url = staged.url.replace("$", "\\$")  # GX reads $NAME as a setting of its own
    source = context.data_sources.add_sql("hub", connection_string=url)
    try:
        table = source.add_table_asset("staged", staged.table, schema_name="staging")
        outcomes = _validate(staged, table, _on_table(staged))
        measured = _on_measures(staged)
        if measured:
            query = source.add_query_asset("measures", query=_measures(staged))
            outcomes |= _validate(staged, query, measured)
        return outcomes
    finally:
        source.get_execution_engine().close()
        source.get_engine().dispose()


def _on_table(staged: Staged) -> dict[str, Any]:
    key = staged.contract.key
    suite: dict[str, Any] = {
        KEY_UNIQUE: gxe.ExpectColumnValuesToBeUnique(column=key[0])
        if len(key) == 1
        else gxe.ExpectCompoundColumnsToBeUnique(column_list=list(key))
    }
    for e in staged.contract.expectations:
        if isinstance(e.check, Completeness):
            suite[e.name] = gxe.ExpectColumnValuesToNotBeNull(
                column=e.check.field, mostly=e.check.min
            )
    return suite


def _on_measures(staged: Staged) -> dict[str, Any]:
    suite: dict[str, Any] = {}
    for e in staged.contract.expectations:
        if not isinstance(e.check, Completeness):
            low, high = bounds(e)
            suite[e.name] = gxe.ExpectColumnMaxToBeBetween(
                column=e.name, min_value=_finite(low), max_value=_finite(high)
            )
    return suite


def _finite(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None


def _measures(staged: Staged) -> str:
    """A query of one row: ratios, largest shifts and shares, by name of expectation.

    They are measured once, here: GX asks its query again for each of its own metrics.
    """
    with database.connect(database.plain_url(staged.url), autocommit=True) as connection:
        numbers = compared(staged, connection)
    columns = [
        sql.SQL("CAST({v} AS float8) AS {n}").format(v=sql.Literal(v), n=sql.Identifier(name))
        for name, v in numbers.items()
    ]
    return (sql.SQL("SELECT ") + sql.SQL(", ").join(columns)).as_string()


def _validate(staged: Staged, asset: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    """Run a suite on an asset; results by name of expectation.

    Raises:
        FatalError: an expectation raised an error instead of an outcome.
    """
    definition = asset.add_batch_definition_whole_table("all")
    for name, expectation in wanted.items():
        expectation.meta = {"name": name}
    suite = gx.ExpectationSuite(name="staged", expectations=list(wanted.values()))
    result = definition.get_batch().validate(suite, result_format=NO_VALUES)
    outcomes = {str(o.expectation_config.meta["name"]): o for o in result.results}
    for name in wanted:
        if name not in outcomes or _raised(outcomes[name].exception_info or {}):
            msg = f"{staged.contract.id}: Great Expectations could not evaluate {name}"
            raise FatalError(msg)
    return outcomes


def _raised(info: Mapping[str, Any]) -> bool:
    """Whether GX hid an exception: either in the info itself or per metric."""
    nested = [v for v in info.values() if isinstance(v, Mapping)]
    return any(i.get("raised_exception") for i in (info, *nested))


def _findings(staged: Staged, outcomes: Outcomes) -> tuple[Finding, ...]:
    unique = outcomes[KEY_UNIQUE]
    repeated = float(unique.result.get("unexpected_count") or 0)
    found = [Finding(KEY_UNIQUE, "critical", bool(unique.success), repeated)]
    found += [_finding(e, outcomes[e.name]) for e in staged.contract.expectations]
    return tuple(found)


def _finding(expectation: Expectation, outcome: Any) -> Finding:  # noqa: ANN401 - GX type
    """A GX outcome as a finding; a number that could not be measured finds nothing."""
    field, result = getattr(expectation.check, "field", ""), outcome.result
    if isinstance(expectation.check, Completeness):
        rows = int(result["element_count"])
        missing = int(result.get("unexpected_count") or 0)
        observed = (rows - missing) / rows if rows else None
    else:
        value = result.get("observed_value")
        observed = None if value is None else float(value)
    passed = observed is None or bool(outcome.success)
    return Finding(expectation.name, expectation.severity, passed, observed, field)
