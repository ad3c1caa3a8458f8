"""Runs a suite and names failing rows by their number, never by a value."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import great_expectations as gx

logging.getLogger("great_expectations").setLevel(logging.ERROR)

NO_VALUES: dict[str, Any] = {
    "result_format": "COMPLETE",
    "partial_unexpected_count": 10_000_000,
    "exclude_unexpected_values": True,
    "include_unexpected_rows": False,
    "return_unexpected_index_query": False,
}
"""The result format to use: places of failing rows, none of their values.

GX takes the partial count as the limit of places in SQL.
"""


def on_frame(suite: Mapping[str, Any], frame: Any, now: str) -> Any:  # noqa: ANN401 - GX and pandas
    """Run a suite on a pandas frame of strings; rows are known by the frame's index.

    Args:
        suite: as `export` wrote it.
        frame: columns by contract name, texts or None.
        now: ISO 8601 instant to judge by.
    """
    source = _context().data_sources.add_pandas("pandas")
    asset = source.add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    return _validate(batch, suite, NO_VALUES, now)


@dataclass(frozen=True)
class Table:
    """A PostgreSQL table of text.

    Attributes:
        url: an SQLAlchemy URL.
        schema: None: the search path's.
        row: a column that numbers the rows; None: failing rows are counted only.
    """

    url: str = field(repr=False)
    name: str
    schema: str | None = None
    row: str | None = None


def on_table(suite: Mapping[str, Any], table: Table, now: str) -> Any:  # noqa: ANN401 - GX
    """Run a suite on a table; rows are known by its column `row`.

    Args:
        suite: the suite's JSON.
        table: of text columns with the contract's names.
        now: ISO 8601 instant to judge by.
    """
    url, row = table.url.replace("$", "\\$"), table.row
    source = _context().data_sources.add_sql("sql", connection_string=url)
    try:
        asset = source.add_table_asset("rows", table_name=table.name, schema_name=table.schema)
        batch = asset.add_batch_definition_whole_table("all").get_batch()
        form = {**NO_VALUES, "unexpected_index_column_names": [row]} if row else BASIC
        return _validate(batch, suite, form, now)
    finally:
        source.get_engine().dispose()


BASIC = {"result_format": "BASIC", "partial_unexpected_count": 0}


def _context() -> Any:  # noqa: ANN401 - GX
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context


def _validate(batch: Any, suite: Mapping[str, Any], form: Mapping[str, Any], now: str) -> Any:  # noqa: ANN401
    wanted = gx.ExpectationSuite(**suite)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return batch.validate(wanted, result_format=dict(form), expectation_parameters={"now": now})


def outcomes(result: Any, row: str | None = None) -> list[dict[str, Any]]:  # noqa: ANN401 - GX
    """What a run found, without values.

    Returns:
        For each expectation its `meta` (name, field, rule ...), `success`, `failing` (number of
        rows), `rows` (their numbers, sorted), and `error` where it could not be evaluated.
    """
    return [_outcome(one, row) for one in result.results]


def _outcome(one: Any, row: str | None) -> dict[str, Any]:  # noqa: ANN401 - GX
    places = one.result.get("unexpected_index_list") or []
    numbers = sorted(n for place in places for n in _numbers(place, row))
    return {
        **(one.expectation_config.meta or {}),
        "expectation": one.expectation_config.type,
        "success": bool(one.success),
        "failing": one.result.get("unexpected_count"),
        "rows": numbers,
        "error": _raised(one.exception_info or {}),
    }


def _numbers(place: Any, row: str | None) -> list[int]:  # noqa: ANN401 - GX
    """Row numbers of one entry: a number (pandas), or all numbers under the column's name (SQL)."""
    if not isinstance(place, Mapping):
        return [int(place)]
    found = place[row] if row else []
    return [int(n) for n in (found if isinstance(found, list) else [found])]


def _raised(info: Mapping[str, Any]) -> bool:
    """Whether GX hid an exception; its message may quote values and is dropped."""
    nested = [v for v in info.values() if isinstance(v, Mapping)]
    return any(bool(i.get("raised_exception")) for i in (info, *nested))
