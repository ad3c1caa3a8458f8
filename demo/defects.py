"""Defects of single values, derived from the contract: what can be wrong with each kind of field.

A defect changes one otherwise clean row and states every (field, rule) that the gate must then
name. `demo.rule_defects` adds the defects of each contract's own rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from demo.chance import id_check
from schemas.models.contract import Contract, Field

Row = dict[str, Any]
Change = Callable[[Row], Row | None]
"""Given a clean row, the values that replace some of it; None where the row does not suit."""


@dataclass(frozen=True)
class Defect:
    """A way in which a row can be wrong.

    Attributes:
        change: makes it so.
        reasons: all (field, rule) that the gate must give.
    """

    change: Change
    reasons: tuple[tuple[str, str], ...]


def of_fields(contract: Contract, *, as_text: bool) -> Iterator[Defect]:
    """Defects of the contract's fields; the key, cursor and sequence stay intact.

    Args:
        contract: the dataset's contract.
        as_text: whether the source carries text (CSV, JSON), which can hold what no type can.
    """
    spared = {*contract.key, contract.source.cursor, contract.sequence, "source_updated_at"}
    for field in contract.fields:
        if field.name in spared:
            continue
        if field.required:
            yield _put(field, None, "required")
        yield from _of_meaning(field)
        if as_text:
            yield from _of_type(field)
        elif field.type == "number":
            yield _put(field, Decimal("1.2345678"), "scale")


def _put(field: Field, value: object, *rules: str) -> Defect:
    """Replace a value that is there."""
    name = field.name
    return Defect(
        lambda row: {name: value} if row[name] is not None else None,
        tuple((name, rule) for rule in rules),
    )


def _of_type(field: Field) -> Iterator[Defect]:
    if field.type == "date":
        yield _put(field, "2026-02-30", "type")
        yield _put(field, "20260101", "type")
    elif field.type == "timestamp":
        yield _put(field, "2026-11-23T25:00:00+08:00", "type")
        yield _put(field, "2026-11-23T10:00:00", "type")
    elif field.type == "integer":
        yield _put(field, "12a", "type")
        yield _put(field, "1" * 5000, "type")
    elif field.type == "number":
        yield _put(field, "12.345678", "scale")
        yield _put(field, "一百元", "type")
        yield _put(field, "1e3", "type")
        yield _put(field, "１２", "type")


def _of_meaning(field: Field) -> Iterator[Defect]:
    if field.type != "string":
        return
    kind = field.semantic
    if field.codes:
        yield _put(field, "ZZ"[: field.max_length], "codes")
    elif kind == "id_number":
        yield from _id_numbers(field)
    elif kind == "bank_account":
        yield _edit(field, lambda v: v[:-1] + _other(v[-1]), "bank_account.luhn")
        yield _edit(field, lambda v: v[:10], "bank_account.format")
        yield _edit(field, lambda v: v[:4] + " " + v[4:-1], "bank_account.format")
    elif kind == "uscc":
        yield _edit(field, lambda v: v[:-1] + _other(v[-1]), "uscc.checksum")
        yield _edit(field, lambda v: "I" + v[1:], "uscc.format")
    elif field.semantic_type.pattern:
        yield _edit(field, lambda v: v[:-1] + "\u3000", f"{kind}.format")
        if field.max_length:
            yield _too_long(field)
    else:
        yield _edit(field, lambda v: v[:1] + "\t" + v[1:2], "text.control")
        if field.max_length:
            yield _put(field, "长" * (field.max_length + 1), "max_length")


def _too_long(field: Field) -> Defect:
    limit = (field.max_length or 0) + 1
    if limit <= (field.semantic_type.max_length or 0):
        return _edit(field, lambda v: (v * limit)[:limit], "max_length")
    return _edit(field, lambda v: (v * limit)[:limit], f"{field.semantic}.format", "max_length")


def _edit(field: Field, edit: Callable[[str], str], *rules: str) -> Defect:
    name = field.name

    def change(row: Row) -> Row | None:
        value = row[name]
        return {name: edit(value)} if isinstance(value, str) and value else None

    return Defect(change, tuple((name, rule) for rule in rules))


def _id_numbers(field: Field) -> Iterator[Defect]:
    def dated(digits: str) -> Callable[[str], str]:
        return lambda v: checked(v[:6] + digits + v[14:17])

    yield _edit(field, lambda v: v[:-1] + _other(v[-1]), "id_number.checksum")
    yield _edit(field, lambda v: chr(ord(v[0]) + 0xFEE0) + v[1:], "id_number.format")
    yield _edit(field, lambda v: v + "\n", "id_number.format")
    yield _edit(field, lambda v: v[:6] + " " + v[6:], "id_number.format")
    yield _edit(field, lambda v: v[:17], "id_number.format")
    yield _edit(field, dated("19891301"), "id_number.birth_date")
    yield _edit(field, dated("19890229"), "id_number.birth_date")
    yield _edit(field, dated("20991231"), "id_number.birth_date")
    yield _edit(field, lambda v: checked("410171" + v[6:17]), "id_number.division")
    name = field.name

    def lower(row: Row) -> Row | None:
        value = row[name]
        return {name: value.lower()} if value and value.endswith("X") else None

    def rounded(row: Row) -> Row | None:
        value = row[name]
        short = value[:15] if value else ""
        return {name: short + "000"} if value and checked(short + "00") != short + "000" else None

    yield Defect(lower, ((name, "id_number.format"),))
    yield Defect(rounded, ((name, "id_number.checksum"), (name, "id_number.rounded")))


def checked(head: str) -> str:
    """Seventeen digits with their check character."""
    matrix = np.frombuffer(head.encode(), np.uint8)[None, :]
    return head + id_check(matrix).tobytes().decode()


def _other(digit: str) -> str:
    return "2" if digit != "2" else "3"


def on_or_after(value: object, first: date) -> bool:
    """Whether a date, as a date or as ISO text, is not before `first`."""
    return value is not None and str(value)[:10] >= first.isoformat()
