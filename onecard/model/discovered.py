"""What a source says of itself: its tables or files, and a sample of one for judges of values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from onecard.model.drift import SourceColumn

SAMPLE_ROWS = 2_000
"""Rows of a source that are looked at, at most."""
MOST_COUNTED = 1_000_000
"""Rows of a table that are counted, at most."""


@dataclass(frozen=True, slots=True)
class ListedTable:
    """A table, view or file that a connection shows.

    Attributes:
        name: as `onecard discover` takes it.
        kind: `table`, `view` or `file`.
        rows: how many, up to `MOST_COUNTED`; None: not counted.
        title: the catalogue's comment on it; empty: none.
    """

    name: str
    kind: str
    rows: int | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class SampledColumn:
    """A column of a sampled source.

    Attributes:
        source: name, type, length, digits and whether it may be empty, as the source declares them.
        title: the catalogue's comment on it; empty: none.
        indexed: an index of the source begins with it.
    """

    source: SourceColumn
    title: str = ""
    indexed: bool = False


@dataclass(frozen=True, slots=True)
class SampledSource:
    """A source, and a bounded sample of its rows; no value of them is ever shown or kept.

    Attributes:
        origin: table, file or path that was looked at, as it may be shown.
        name: of the table, file or path without its place.
        connector: kind of connector that reads it.
        options: of a contract's `source`, as far as they are known.
        columns: in the order of the source.
        rows: texts in the order of the columns, None for NULL.
        whole: whether these are all rows that there are.
        title: the catalogue's comment on it; empty: none.
        keys: names of the columns of its primary key, then of its unique ones, as it declares them.
        in_order: the connector's rows come in an order that means something (files).
        remarks: what a person should look at; names and numbers.
    """

    origin: str
    name: str
    connector: str
    options: Mapping[str, Any]
    columns: tuple[SampledColumn, ...]
    rows: tuple[tuple[str | None, ...], ...] = field(repr=False)
    whole: bool = False
    title: str = ""
    keys: tuple[tuple[str, ...], ...] = ()
    in_order: bool = False
    remarks: tuple[str, ...] = ()
