"""The custom expectations and their two metrics, each for pandas and for PostgreSQL."""

# mypy: disable-error-code="misc,untyped-decorator"
from __future__ import annotations

from typing import Any, ClassVar, Union

import numpy as np
import pandas as pd
import sqlalchemy as sa
from great_expectations.core.suite_parameters import SuiteParameterDict
from great_expectations.execution_engine import PandasExecutionEngine, SqlAlchemyExecutionEngine
from great_expectations.expectations.expectation import (
    ColumnMapExpectation,
    MulticolumnMapExpectation,
)
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    MulticolumnMapMetricProvider,
    column_condition_partial,
)
from great_expectations.expectations.metrics.map_metric_provider.multicolumn_condition_partial import (  # noqa: E501 - GX's own path
    multicolumn_condition_partial,
)

from . import on_pandas, on_postgres, rules_pandas, rules_postgres
from .forms import Spec

Now = Union[str, SuiteParameterDict, None]  # noqa: UP007 - read by pydantic 1
"""An ISO 8601 instant, or the suite parameter `now`."""


def _name(column: Any) -> str:  # noqa: ANN401 - SQLAlchemy column
    return '"' + str(column.name).replace('"', '""') + '"'


def _condition(text: str) -> Any:  # noqa: ANN401 - SQLAlchemy expression
    return sa.literal_column(f"({text})", sa.Boolean)


class ColumnValuesWithoutFault(ColumnMapMetricProvider):
    """One check of a field by itself; `fault` names it."""

    condition_metric_name = "column_values.onecard_without_fault"
    condition_value_keys = ("spec", "fault", "now")

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: Any, spec: Spec, fault: str, now: str | None, **_: Any) -> Any:  # noqa: ANN401, N805
        mask = on_pandas.faults(spec, column, now)[fault]
        return pd.Series(~mask, index=column.index)

    @column_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column: Any, spec: Spec, fault: str, now: str | None, **_: Any) -> Any:  # noqa: ANN401, N805
        return _condition(f"NOT {on_postgres.faults(spec, _name(column), now)[fault]}")


class RowsFollowRule(MulticolumnMapMetricProvider):
    """One rule over several fields."""

    condition_metric_name = "multicolumn_values.onecard_follow_rule"
    condition_domain_keys = (
        "batch_id",
        "table",
        "column_list",
        "row_condition",
        "condition_parser",
        "ignore_row_if",
    )
    condition_value_keys = ("rule", "fields", "now")

    @multicolumn_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_list: Any, **kwargs: Any) -> Any:  # noqa: ANN401, N805
        rule, fields = kwargs["rule"], kwargs["fields"]
        mask = rules_pandas.broken(rule, fields, column_list, kwargs.get("now"))
        return pd.Series(~np.asarray(mask, dtype=bool), index=column_list.index)

    @multicolumn_condition_partial(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, column_list: Any, **kwargs: Any) -> Any:  # noqa: ANN401, N805
        columns = {str(column.name): _name(column) for column in column_list}
        rule, fields = kwargs["rule"], kwargs["fields"]
        text = rules_postgres.broken(rule, fields, columns, kwargs.get("now"))
        return _condition(f"NOT {text}")


class _OfField(ColumnMapExpectation):
    """A check of one field. `spec` is the field's specification, `fault` the rule's name."""

    spec: dict[str, Any]
    fault: str
    now: Now = None

    map_metric = "column_values.onecard_without_fault"
    success_keys = ("spec", "fault", "now", "mostly")
    args_keys = ("column", "spec", "fault", "now")


class ExpectColumnValuesToParse(_OfField):
    """Expect text to be of the field's type; fault `type`, or `scale` of a decimal."""


class ExpectColumnValuesToBeIdNumber(_OfField):
    """Expect right ID numbers; fault `id_number.` format, checksum, rounded, birth_date, division.

    The check character counts in upper case only; birth dates run from 1880 to `now`.
    """


class ExpectColumnValuesToBeSocialCreditCode(_OfField):
    """Expect right unified social credit codes; fault `uscc.` format or checksum."""


class ExpectColumnValuesToBeBankAccount(_OfField):
    """Expect 16 to 19 digits with a Luhn digit; fault `bank_account.` format or luhn."""


class ExpectColumnValuesToHaveNoControls(_OfField):
    """Expect no control character in values of right format; fault `text.control`."""


class ExpectColumnValuesToHaveNoBlanksAround(_OfField):
    """Expect no blank, of any width, at an end of values of right format; fault `text.blanks`."""


class ExpectRowsToFollowRule(MulticolumnMapExpectation):
    """Expect rows to follow a rule, where each field it reads is right by itself."""

    rule: dict[str, Any]
    fields: dict[str, Any]
    now: Now = None

    map_metric = "multicolumn_values.onecard_follow_rule"
    success_keys: ClassVar[Any] = ("rule", "fields", "now", "mostly")
    args_keys = ("column_list", "rule", "fields", "now")
