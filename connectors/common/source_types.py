"""Which type of a source gives which logical type of a contract: `connectors/source_types.yaml`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

import yaml

from onecard.errors import SchemaMismatch
from onecard.model.drift import Family
from onecard.model.source_types import DeclaredColumn, SourceType
from onecard.ports.source import Column
from schemas.models.contract import LogicalType

TABLE = Path(__file__).parents[1] / "source_types.yaml"
_UNKNOWN = "is no type that is known here"
_DRIFT: Mapping[str, Family] = {
    "text": "text",
    "integer": "integer",
    "long": "integer",
    "bits": "integer",
    "decimal": "number",
    "numeric": "number",
    "date": "date",
    "timestamp": "timestamp",
}
_LOOSE: Mapping[str, Family] = {"INTEGER": "integer", "NUMERIC": "number"}


@cache
def known(system: str) -> Mapping[str, SourceType]:
    """The types of a dialect or kind of file, by name.

    Args:
        system: a part of the table: a database's, `csv`, `json` or `parquet`.
    """
    table: dict[str, Any] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    families = table["families"]
    return {
        name: SourceType(
            name=name,
            family=entry["family"],
            accepts={} if isinstance(taken := families[entry["family"]], str) else taken,
            read=entry.get("read", "as_it_is"),
            why=taken if isinstance(taken, str) else "",
        )
        for name, entry in table[system].items()
    }


def of(system: str, name: str) -> SourceType:
    """The type of that name; one that is not known is refused for everything."""
    return known(system).get(name) or SourceType(name, "unknown", why=_UNKNOWN)


def taken_for(system: str, wanted: LogicalType) -> list[str]:
    """Names of the types that are taken for a logical type."""
    return [t.name for t in known(system).values() if t.acceptance(wanted) != "refused"]


def refusals(system: str, found: Iterable[tuple[Column, DeclaredColumn]]) -> list[str]:
    """What is said of each column whose type is not taken for its field."""
    said = []
    for column, there in found:
        if column.type is None or there.type.acceptance(column.type) != "refused":
            continue
        why = said_of(there.type, column.type)
        said.append(
            f"column {there.name} ({column.name}) is {there.declared}, which {why}; "
            f"taken for {column.type}: {', '.join(taken_for(system, column.type))}"
        )
    return said


def said_of(found: SourceType, wanted: LogicalType) -> str:
    """Why a type is not taken for a logical type, in words that follow `which`."""
    article = "an" if wanted == "integer" else "a"
    return found.why or f"is not taken for {article} {wanted}"


def require(
    system: str,
    where: str,
    columns: Iterable[Column],
    there: Callable[[str], DeclaredColumn | None],
) -> None:
    """Refuse what no value can be taken of, before the first row is read.

    Args:
        system: dialect or kind of file.
        where: dataset, and table or file, for the message.
        columns: what is read.
        there: the column of a native name; None where there is no such column.

    Raises:
        SchemaMismatch: names every column, its type, why not, and what is taken instead.
    """
    pairs = [(c, found) for c in columns if (found := there(c.native)) is not None]
    if said := refusals(system, pairs):
        msg = f"{where}: {'; '.join(said)}"
        raise SchemaMismatch(msg)


def drift_family(found: SourceType) -> Family:
    """What a type counts as when `onecard drift` compares widths and digits."""
    if found.family == "loose":
        return _LOOSE.get(found.name, "text")
    return _DRIFT.get(found.family, "other")


LOGICAL: tuple[LogicalType, ...] = get_args(LogicalType)
