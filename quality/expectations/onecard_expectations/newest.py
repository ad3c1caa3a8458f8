"""Freshness: the newest instant of a text column is not older than a duration."""

# mypy: disable-error-code="misc,untyped-decorator"
from __future__ import annotations

from datetime import datetime
from typing import Any, Union

import numpy as np
import sqlalchemy as sa
from great_expectations.execution_engine import PandasExecutionEngine, SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import ColumnAggregateExpectation
from great_expectations.expectations.metrics import (
    ColumnAggregateMetricProvider,
    column_aggregate_partial,
    column_aggregate_value,
)

from . import forms, on_pandas, on_postgres
from .custom import Now
from .forms import Spec

Age = Union[int, float]  # noqa: UP007 - read by pydantic 1


class ColumnNewest(ColumnAggregateMetricProvider):
    """The newest instant or date in a column, in seconds since 1970 (UTC); None without any."""

    metric_name = "column.onecard_newest"
    value_keys = ("spec",)

    @column_aggregate_value(engine=PandasExecutionEngine)
    def _pandas(cls, column: Any, spec: Spec, **_: Any) -> Any:  # noqa: ANN401, N805
        texts = [str(v) for v in column.dropna()]
        found = on_pandas.moments(spec, texts)
        found = found[~np.isnat(found)]
        return found.max().astype(np.int64) / 1e6 if len(found) else None

    @column_aggregate_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: Any, spec: Spec, **_: Any) -> Any:  # noqa: ANN401, N805
        x = f'"{column.name}"'
        value = (
            on_postgres.date_of(spec, x) if spec["type"] == "date" else on_postgres.instant_of(x)
        )
        wrong = on_postgres.faults(spec, x, None)["type"]
        text = (
            f"CASE WHEN {wrong} THEN NULL ELSE extract(epoch FROM CAST({value} AS timestamp)) END"
        )
        return sa.func.max(sa.literal_column(f"({text})", sa.Numeric))


class ExpectNewestToBeRecent(ColumnAggregateExpectation):
    """Expect the newest instant of a column to be at most `max_age` seconds before `now`."""

    spec: dict[str, Any]
    max_age: Age
    now: Now = None

    metric_dependencies = ("column.onecard_newest",)
    success_keys = ("spec", "max_age", "now")
    args_keys = ("column", "spec", "max_age", "now")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: Any = None,  # noqa: ANN401, ARG002 - GX's signature
        execution_engine: Any = None,  # noqa: ANN401, ARG002
    ) -> dict[str, Any]:
        newest = metrics["column.onecard_newest"]
        kwargs = self.configuration.kwargs
        if newest is None:
            return {"success": False, "result": {"observed_value": None}}
        age = _seconds(forms.instant(kwargs.get("now"))) - float(newest)
        return {"success": age <= kwargs["max_age"], "result": {"observed_value": age}}


def _seconds(at: datetime) -> float:
    return at.timestamp()
