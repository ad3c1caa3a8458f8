"""Dataset-level expectations by Great Expectations, pushed down to PostgreSQL.

Three seconds of import: DAG processes import this module before they fork their tasks. What GX
reports holds counts and shares; failing values are not asked for and not kept.
"""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any

import psycopg

from onecard.errors import FatalError
from onecard.ports import Finding, Staged
from quality.audit import KEY_UNIQUE, largest_shift, volume
from schemas.rules import Completeness, Expectation, Volume

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
logging.getLogger("great_expectations").setLevel(logging.WARNING)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import great_expectations as gx
    from great_expectations import expectations as gxe


class GxAuditor:
    """Implements `onecard.ports.Auditor` with one GX checkpoint over the staged table."""

    def audit(self, staged: Staged) -> tuple[Finding, ...]:
        """One finding per expectation, and `key_unique`."""
        wanted: list[tuple[Expectation | None, Any]] = [(None, _unique(staged))]
        found: list[Finding] = []
        for expectation in staged.contract.expectations:
            compiled = self._compile(staged, expectation)
            if compiled is None:
                found.append(self._outside(staged, expectation))
            else:
                wanted.append((expectation, compiled))
        return (*self._validate(staged, wanted), *found)

    def _compile(self, staged: Staged, expectation: Expectation) -> Any:  # noqa: ANN401 - GX type
        check = expectation.check
        if isinstance(check, Completeness):
            return gxe.ExpectColumnValuesToNotBeNull(column=check.field, mostly=check.min)
        return None

    def _outside(self, staged: Staged, expectation: Expectation) -> Finding:
        """Expectations against history: GX is given the measured number as its value."""
        check = expectation.check
        if isinstance(check, Volume):
            passed, observed = volume(check, staged)
            return Finding(expectation.name, expectation.severity, passed, observed)
        if isinstance(check, Completeness):
            msg = f"{expectation.name}: completeness is compiled for GX"
            raise FatalError(msg)
        address = staged.url.replace("postgresql+psycopg://", "postgresql://")
        with psycopg.connect(address, autocommit=True) as connection:
            shift = largest_shift(connection, staged, check)
        passed = shift is None or shift <= check.max_shift
        return Finding(expectation.name, expectation.severity, passed, shift, check.field)

    def _validate(
        self, staged: Staged, wanted: list[tuple[Expectation | None, Any]]
    ) -> list[Finding]:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        url = staged.url.replace("$", "\\$")  # GX reads $NAME as a setting of its own
        source = context.data_sources.add_sql("hub", connection_string=url)
        asset = source.add_table_asset(staged.table, staged.table, schema_name="staging")
        batch = asset.add_batch_definition_whole_table("staged")
        suite = context.suites.add(gx.ExpectationSuite(name=staged.contract.table))
        for _, compiled in wanted:
            suite.add_expectation(compiled)
        definition = gx.ValidationDefinition(name="staged", data=batch, suite=suite)
        definition = context.validation_definitions.add(definition)
        checkpoint = context.checkpoints.add(
            gx.Checkpoint(name="staged", validation_definitions=[definition], result_format="BASIC")
        )
        result = checkpoint.run()
        outcomes = [r for run in result.run_results.values() for r in run.results]
        return [_finding(staged, outcome, wanted) for outcome in outcomes]


def _unique(staged: Staged) -> Any:  # noqa: ANN401 - GX type
    key = staged.contract.key
    if len(key) == 1:
        return gxe.ExpectColumnValuesToBeUnique(column=key[0])
    return gxe.ExpectCompoundColumnsToBeUnique(column_list=list(key))


def _finding(
    staged: Staged,
    outcome: Any,
    wanted: list[tuple[Expectation | None, Any]],
) -> Finding:
    """A GX outcome as a finding.

    Raises:
        FatalError: GX could not evaluate the expectation; a check that did not run did not pass.
    """
    kind = outcome.expectation_config.type
    column = outcome.expectation_config.kwargs.get("column", "")
    failure = outcome.exception_info or {}
    if failure.get("raised_exception") or any(
        isinstance(v, dict) and v.get("raised_exception") for v in failure.values()
    ):
        msg = f"{staged.contract.id}: Great Expectations could not evaluate {kind} {column}"
        raise FatalError(msg)
    if "unique" in kind:
        repeated = float(outcome.result.get("unexpected_count") or 0)
        return Finding(KEY_UNIQUE, "critical", bool(outcome.success), repeated)
    expectation = next(
        e for e, c in wanted if e is not None and getattr(c, "column", None) == column
    )
    missing = outcome.result.get("unexpected_percent")
    share = None if missing is None else 1 - float(missing) / 100
    return Finding(expectation.name, expectation.severity, bool(outcome.success), share, column)
