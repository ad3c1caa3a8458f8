"""An example of right and one of wrong for a rule: invented values, as the gate itself judges them.

For each field that the rule reads some values are made up from the contract alone: codes of its
list, numbers and days beside those that the rule names, values of known forms, and each of them
spoilt. The gate judges all of them by this rule and nothing else; the first that it takes is the
example of right, and the one beside it that it refuses for this very rule that of wrong. So an
example cannot say what the gate does not, and no row of anybody is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import islice, product

import pyarrow as pa

from onecard.base.personal import CHECK, WEIGHTS
from onecard.ports.row_gate import Reason
from onecard.ports.source import Chunk
from quality.rows.gate import compile_gate
from quality.rows.rules import main_field
from schemas.models import codes
from schemas.models.condition import Scalar
from schemas.models.contract import Contract, Field
from schemas.models.rules import Compare, Implies, OfIdNumber, Range, Rule, TupleIn, Unique

NOW = datetime(2026, 6, 30, 4, tzinfo=UTC)
"""At this moment the examples are judged: they are the same on every day."""
MOST = 20_000
"""Combinations of values that are tried for one rule."""
LONGEST = 40
"""Characters of a value that a page can show."""
KNOWN_FORMS = (
    "示例文本",
    "张三某",
    "A12345678",
    "ABC-20260101-001",
    "410105",
    "410105001",
    "2026",
    "2026-01",
    "13800000000",
    "4100000001",
    "H41010500001",
    "4500000000000000",
    "G410105190001010010",
    "0" * 32,
    "01890a5d-ac96-774b-bcce-b302099a8057",
    "91410100MA0000000T",
    "6222020000000000008",
    "1",
)
"""Values of the forms that semantic types ask for, all invented: the gate says which fits."""
PLACES = ("410105", "410171")
"""A county of the city, and a zone that stands on no identity card (GB/T 2260)."""
BIRTHS = ("19000101", "19001301")
"""Nobody's who holds a card, and no day at all."""
DAYS = ("2026-01-31", "2026-02-01", "2025-12-31", "1990-01-01", "1900-01-01", "2999-12-31")

Values = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Example:
    """Values by field that keep the rule, and values that break it; None: the value is absent."""

    right: Values
    wrong: Values


def example(contract: Contract, field: str, rule: str) -> Example | None:
    """An example of a rule, or None where the gate judges no single row by it.

    Args:
        contract: of the dataset.
        field: of the rule; empty for a rule about the whole record.
        rule: its name, one of the contract's or one of the gate's own.
    """
    own = next((r for r in contract.rules if r.name == rule), None)
    if own is not None:
        return None if isinstance(own.check, Unique) else _of_rule(contract, own)
    if field not in contract.names:
        return None
    return _of_field(contract, field, rule)


@lru_cache(512)
def _found(small: Small, reason: Reason) -> Example | None:
    """The first combination that is taken, and the one most like it that is refused."""
    names = [f.name for f in small.contract.fields]
    rows = list(islice(product(*small.candidates), MOST))
    columns = {n: [row[at] for row in rows] for at, n in enumerate(names)}
    batch = pa.record_batch({n: pa.array(column, pa.string()) for n, column in columns.items()})
    checked = compile_gate(small.contract).check(Chunk(batch, "examples"), NOW)
    refused = {row.number - 1: row.reasons for row in checked.rejected}
    right = next((row for at, row in enumerate(rows) if at not in refused), None)
    wrong = [rows[at] for at, reasons in sorted(refused.items()) if reasons == (reason,)]
    if right is None or not wrong:
        return None
    nearest = min(wrong, key=lambda row: sum(a != b for a, b in zip(row, right, strict=True)))
    return Example(dict(zip(names, right, strict=True)), dict(zip(names, nearest, strict=True)))


@dataclass(frozen=True, slots=True)
class Small:
    """A contract of a rule's own fields, and what is tried for each of them.

    Attributes:
        name: of the dataset, the rule and the contract's version: two of one name are the same.
    """

    name: tuple[str, ...]
    contract: Contract
    candidates: tuple[tuple[str | None, ...], ...]

    def __hash__(self) -> int:
        """By its name: a contract of another version is another one."""
        return hash((self.name, self.candidates))

    def __eq__(self, other: object) -> bool:
        """Whether it is the same rule of the same contract."""
        same = isinstance(other, Small) and self.name == other.name
        return same and isinstance(other, Small) and self.contract == other.contract


def _small(
    contract: Contract,
    names: Sequence[str],
    rule: Rule | None,
    tried: Sequence[Sequence[str | None]],
) -> Small:
    fields = tuple(contract.field(name) for name in names)
    rules = () if rule is None else (rule.model_copy(update={"severity": "error"}),)
    small = contract.model_copy(update={"fields": fields, "rules": rules, "expectations": ()})
    called = (contract.id, contract.version, rule.name if rule else "", *names)
    return Small(called, small, tuple(tuple(dict.fromkeys(values)) for values in tried))


def _of_field(contract: Contract, name: str, rule: str) -> Example | None:
    field = contract.field(name)
    good = list(_plain(field))
    spoilt = [bad for value in good for bad in _spoilt(field, value)]
    tried = [value for value in [*good, *spoilt, None] if value is None or len(value) <= LONGEST]
    return _found(_small(contract, [name], None, [tried]), Reason(name, rule))


def _of_rule(contract: Contract, rule: Rule) -> Example | None:
    names = tuple(dict.fromkeys(rule.check.fields))
    tried = [list(_beside(contract.field(name), rule)) for name in names]
    return _found(_small(contract, names, rule, tried), Reason(main_field(rule), rule.name))


def _plain(field: Field) -> Iterator[str]:
    """Values that the field may take."""
    if field.codes:
        yield from field.allowed[:2]
    elif field.semantic_type.validator == "id_number":
        yield from (id_number(PLACES[0], BIRTHS[0], order) for order in ("001", "002"))
    elif field.type == "string":
        yield from KNOWN_FORMS
        yield "示"
    elif field.type == "integer":
        yield from ("1", "2", "0")
    elif field.type == "number":
        yield from ("100", "0.05", "1")
    else:
        yield from (_day(field, day) for day in DAYS)


def _spoilt(field: Field, value: str) -> Iterator[str]:
    """The value with one thing wrong in it."""
    yield from ("ZZ", "无", value[:-1] + ("1" if value[-1:] == "0" else "0"), value + "#")
    yield from (f" {value}", f"{value}\t", f"{value}\ufffd")
    if field.semantic_type.validator == "id_number":
        yield id_number(PLACES[1], BIRTHS[0], "001")
        yield id_number(PLACES[0], BIRTHS[1], "001")
        yield id_number(PLACES[0], BIRTHS[0], "001")[:15] + "000"
    if field.type in ("date", "timestamp"):
        yield "2026-13-45"
    if field.type == "number":
        yield f"1.{'0' * (field.scale or 0)}1"
    if field.max_length is not None:
        yield "示" * (field.max_length + 1)


def _beside(field: Field, rule: Rule) -> Iterator[str | None]:
    """Values of the field on both sides of what the rule says, and none."""
    check = rule.check
    if isinstance(check, TupleIn):
        yield from list(dict.fromkeys(row[field.name] for row in codes.table(check.table)))[:6]
        return
    for literal in _literals(check, field.name):
        yield from _around(field, literal)
    if field.type in ("integer", "number") and not field.codes:
        yield from ("3", "2", "1", "6", "0")
    else:
        yield from list(_plain(field))[:6]
    if isinstance(check, OfIdNumber) and field.type == "date":
        yield from (_day(field, day) for day in ("1900-01-01", "1900-01-02"))
    yield None


def _literals(check: object, name: str) -> Iterator[Scalar]:
    if isinstance(check, Range) and check.field == name:
        yield from (bound for bound in (check.min, check.max) if bound is not None)
    if isinstance(check, Compare) and check.left == name and check.value not in (None, "now"):
        yield str(check.value)
    if isinstance(check, Implies):
        for condition in (*check.when, check.then):
            if condition.field == name:
                yield from (*(condition.in_ or ()), *(condition.not_in or ()))
                yield from (b for b in (condition.min, condition.max) if b is not None)


def _around(field: Field, literal: Scalar) -> Iterator[str]:
    """A value that a rule names, and those beside it."""
    yield str(literal)
    if field.type in ("integer", "number"):
        step = Decimal(1).scaleb(-(field.scale or 0) if field.type == "number" else 0)
        yield from (str(Decimal(str(literal)) - step), str(Decimal(str(literal)) + step))


def _day(field: Field, day: str) -> str:
    """A day, or its first moment, as the source writes it."""
    at = datetime.fromisoformat(f"{day}T08:00:00+08:00")
    if field.format is not None:
        return at.strftime(field.format)
    return date.fromisoformat(day).isoformat() if field.type == "date" else at.isoformat()


def id_number(place: str, born: str, order: str) -> str:
    """An invented identity number with its check character (GB 11643, MOD 11-2).

    Args:
        place: six digits.
        born: eight digits.
        order: three digits, the last odd for men.
    """
    digits = place + born + order
    total = sum(int(digit) * weight for digit, weight in zip(digits, WEIGHTS, strict=True))
    return digits + CHECK[total % 11]
