"""Drift: the source's present columns against the contract, before the night meets them (F32).

A connector describes the source (`Described`); `changes` compares, and says of each change what the
night will do: a column that the contract does not name is refused where it would come along (APIs,
files) and never asked for where columns are named (SQL); what is missing, wider or empty fails the
transfer or costs its rows, as the contract's policy decides (`schemas.models.drift_policy`); a
column of a type that is never taken for its field's (`connectors/source_types.yaml`) is refused.
Values are looked at for their shape only, and only to tell a rename from a loss; none is kept or
shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Literal

from onecard.base import shown
from onecard.model.drift import Described, SourceColumn
from schemas.models.contract import Contract, Field

ChangeKind = Literal["new", "missing", "renamed", "widened", "narrowed", "type", "nullable"]
ChangePolicy = Literal["fail", "quarantine", "pass"]

_ROWS: dict[ChangeKind, str] = {
    "missing": "rows without it",
    "renamed": "rows without it",
    "widened": "larger rows",
    "nullable": "rows without it",
}
_THEN: dict[ChangePolicy, str] = {"fail": "fail the transfer", "quarantine": "are quarantined"}
"""Which rows a change concerns and what becomes of them, for messages."""

ANY_WIDTH = 255
"""VARCHAR of this width or more is what tools write when nobody chose a width: it says nothing."""

ALIKE = 0.6
"""Names that share so much of their letters are similar (difflib's ratio)."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between source and contract.

    Attributes:
        native: the contract's name of the column in the source, or the new column's.
        field: the contract's field; empty for a new column.
        found: for renames the new name; for wider columns the new width.
    """

    kind: ChangeKind
    policy: ChangePolicy
    native: str
    field: str
    says: str
    found: str = ""

    @property
    def fails(self) -> bool:
        """Whether the night fails on it."""
        return self.policy == "fail"


def changes(
    contract: Contract, source: Described, known_shapes: dict[str, frozenset[str]] | None = None
) -> tuple[Change, ...]:
    """All differences, in the contract's order, new columns last, by names that may be shown.

    Args:
        contract: as it stands.
        source: as the connector described it.
        known_shapes: shapes of the published values by field, to recognise a renamed column.
    """
    there = {c.name: c for c in source.columns}
    natives = {f.native for f in contract.fields}
    unnamed = {n: c for n, c in there.items() if n not in natives}
    # A table's names are declared; what stands in a header's place may be a row of data.
    header = [*there, *natives] if source.named else [*there]
    hidden = {n for n in unnamed if not shown.may_show(n, header, natives)}
    found: list[Change] = []
    # A table that declares NOT NULL hardly anywhere (its key at most) says nothing by a NULL.
    strict = sum(c.nullable is False for c in source.columns) > 1
    for item in contract.fields:
        column = there.get(item.native)
        if column is not None:
            found += _differences(item, column, strict=strict)
            continue
        if source.optional and not item.required and not unnamed:
            continue
        candidates = [c for n, c in unnamed.items() if n not in hidden]
        new = _renamed(item, candidates, (known_shapes or {}).get(item.name, frozenset()))
        if new is not None:
            del unnamed[new.name]
            found.append(_change("renamed", item, f"is probably {new.name} now", new.name))
        elif item.required or not source.optional:
            found.append(_change("missing", item, "the source has it no more"))
    decided = [_decided(contract, source, change) for change in found]
    names = [shown.column(n, header, natives) for n in unnamed]
    return (*decided, *(_new(name, named=source.named) for name in names))


def _decided(contract: Contract, source: Described, change: Change) -> Change:
    """The change with what the contract's policy makes of it tonight.

    A renamed column is one that is missing and one that nobody named: where the new one comes
    along (files, APIs) it is refused whatever the policy says.
    """
    if change.kind == "narrowed":
        return change
    if change.kind == "type":
        says = f"{change.says}: refused before the first row is read"
        return replace(change, policy="fail", says=says)
    lost = change.kind in ("missing", "renamed")
    policy: ChangePolicy = contract.drift.decision("missing" if lost else change.kind)
    refused = change.kind == "renamed" and not source.named
    if lost and (refused or change.field not in contract.optional_fields):
        policy = "fail"
    says = f"{change.says}: {_ROWS[change.kind]} {_THEN[policy]}"
    return replace(change, policy=policy, says=says)


def _new(name: str, *, named: bool) -> Change:
    says = (
        "not in the contract: never read until the contract names it"
        if named
        else "not in the contract: refused until the contract names and classifies it"
    )
    return Change("new", "pass" if named else "fail", name, "", says)


def _change(kind: ChangeKind, item: Field, says: str, found: str = "") -> Change:
    return Change(kind, "pass", item.native, item.name, says, found)


def _differences(item: Field, column: SourceColumn, *, strict: bool) -> Iterator[Change]:
    if not column.taken_for(item.type):
        yield _change("type", item, _not_taken(item, column))
    elif column.family == "text" and item.type == "string":
        yield from _width(item, column)
    elif item.type == "number":
        yield from _digits(item, column)
    if strict and item.required and column.nullable:
        yield _change("nullable", item, "may be empty now")
    if item.required and not column.always:
        yield _change("missing", item, "some records leave it out")


def _not_taken(item: Field, column: SourceColumn) -> str:
    why = f", which {column.accepts.why}" if column.accepts and column.accepts.why else ""
    return f"is {column.type}{why}; the contract says {item.type}"


def _width(item: Field, column: SourceColumn) -> Iterator[Change]:
    if item.max_length is None or column.width is None:
        return
    if item.max_length < column.width < ANY_WIDTH:
        says = f"holds {column.width} characters, the contract {item.max_length}"
        yield _change("widened", item, says, str(column.width))
    elif column.nullable is not None and column.width < item.max_length:  # declared, not observed
        says = f"holds {column.width} characters, the contract {item.max_length}"
        yield _change("narrowed", item, says)


def _digits(item: Field, column: SourceColumn) -> Iterator[Change]:
    if column.precision is None or item.precision is None:
        return
    wanted, has = (item.precision, item.scale or 0), (column.precision, column.scale or 0)
    if wanted == has:
        return
    says = f"is decimal({has[0]},{has[1]}), the contract decimal({wanted[0]},{wanted[1]})"
    if has[1] > wanted[1] or has[0] - has[1] > wanted[0] - wanted[1]:
        scale = max(has[1], wanted[1])
        width = max(has[0] - has[1], wanted[0] - wanted[1]) + scale
        yield _change("widened", item, says, f"{width},{scale}")
    else:
        yield _change("narrowed", item, says)


def _renamed(
    item: Field, candidates: Iterable[SourceColumn], known: frozenset[str]
) -> SourceColumn | None:
    """The most similar new column of a fitting type: by its name, else by its values' shape."""
    best: tuple[float, SourceColumn] | None = None
    for column in candidates:
        if not column.taken_for(item.type):
            continue
        score = max(_alike(item.native, column.name), _alike(item.name, column.name))
        if known and column.shapes:
            common = len(known & column.shapes) / len(column.shapes)
            score = max(score, common) if common >= ALIKE else score
        if score >= ALIKE and (best is None or score > best[0]):
            best = score, column
    return best[1] if best else None


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower(), other.lower()).ratio()
