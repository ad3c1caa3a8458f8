"""The row gate: a contract's row-level checks, compiled once, run in one Polars pass per batch.

The pass only asks which rows are right. The few that are not are looked at again, one check at a
time, so that each is rejected with all its reasons. A rule of the contract is evaluated only on
rows whose named fields passed their own checks: one defect has one reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from onecard.ports import Checked, Chunk, Reason, Rejected
from quality import identifiers
from quality.identifiers import Divisions, Mask
from quality.parsing import ZONE, Parsed, parse
from quality.rowrules import Builder, compile_rule, main_field
from schemas import codes
from schemas.contract import Contract, Field
from schemas.rules import Rule

DEMO_DIVISION = "410199"
"""An unassigned division: ID numbers of the demo's synthetic people stand in it."""

_CONTROL = r"[\x00-\x1f\x7f\x{fffd}]"
_DEEPER = ("checksum", "rounded", "birth_date", "division", "luhn")

Kernel = Callable[[pl.Series, int], Mapping[str, Mask]]


def compile_gate(contract: Contract, *, profile: str = "production") -> PolarsGate:
    """Compile a contract's row checks.

    Args:
        contract: the dataset's contract.
        profile: `demo` allows ID numbers in the unassigned division 410199.
    """
    return PolarsGate(contract, _divisions(demo=profile == "demo"))


@cache
def _divisions(*, demo: bool) -> Divisions:
    known, refused = set(codes.codes("division")), set(codes.codes("division_statistical"))
    (known if demo else refused).add(DEMO_DIVISION)
    return identifiers.divisions(known - refused, refused)


@dataclass(frozen=True, slots=True)
class _Check:
    """One check of one field: its reason, and an expression over the typed column."""

    reason: Reason
    broken: pl.Expr


@dataclass(frozen=True, slots=True)
class _RowRule:
    """A rule of the contract with its compiled expression."""

    rule: Rule
    reason: Reason
    build: Builder


class PolarsGate:
    """Implements `onecard.ports.RowGate`."""

    def __init__(self, contract: Contract, known: Divisions) -> None:
        self._fields = contract.fields
        self._checks = [check for field in contract.fields for check in _field_checks(field)]
        self._kernels = {
            f.name: _kernel(f, known) for f in contract.fields if f.semantic_type.validator
        }
        compiled = [(rule, compile_rule(rule, contract)) for rule in contract.rules]
        self._rules = [
            _RowRule(rule, Reason(main_field(rule), rule.name), build)
            for rule, build in compiled
            if build is not None
        ]

    def check(self, chunk: Chunk, now: datetime) -> Checked:
        """Split a chunk into good rows (typed, hashed) and rejected rows (with all reasons)."""
        raw = pl.DataFrame(pl.from_arrow(chunk.batch))
        numbers = np.arange(chunk.first_row, chunk.first_row + len(raw))
        rejected: list[Rejected] = []
        if chunk.damaged:
            rejected = _damaged(chunk)
            keep = np.ones(len(raw), np.bool_)
            keep[list(chunk.damaged)] = False
            raw, numbers = raw.filter(keep), numbers[keep]
        parsed = {f.name: parse(f, raw.schema[f.name]) for f in self._fields}
        typed = raw.select([p.value.alias(name) for name, p in parsed.items()])
        right, unlisted = self._right(raw, typed, parsed, now)
        warnings = self._warnings(typed, now, unlisted)
        if not right.all():
            suspects = _Suspects(
                raw.filter(~right), typed.filter(~right), numbers[~right.to_numpy()]
            )
            cleared = self._judge(suspects, parsed, now, rejected)
            typed = pl.concat([typed.filter(right), cleared])
        hashes = typed.hash_rows(seed=0).reinterpret(signed=True).alias("_row_hash")
        return Checked(typed.with_columns(hashes), tuple(rejected), warnings)

    def _right(
        self, raw: pl.DataFrame, typed: pl.DataFrame, parsed: Mapping[str, Parsed], now: datetime
    ) -> tuple[pl.Series, dict[str, int]]:
        """Rows that break nothing (a few may be doubted that turn out right), in one pass."""
        broken = [check.broken.fill_null(value=False) for check in self._checks]
        broken += [pl.col(f.name).is_null() for f in self._fields if f.required]
        broken += [
            row.build(now).fill_null(value=False)
            for row in self._rules
            if row.rule.severity == "error"
        ]
        right = typed.select(~pl.any_horizontal(broken)).to_series()
        faults = [e.fill_null(value=False) for p in parsed.values() for e in p.faults.values()]
        if faults:
            right &= raw.select(~pl.any_horizontal(faults)).to_series()
        unlisted: dict[str, int] = {}
        today = int(now.astimezone(ZoneInfo(ZONE)).strftime("%Y%m%d"))
        for name, kernel in self._kernels.items():
            aspects = kernel(typed[name], today)
            passed = np.logical_and.reduce([m for a, m in aspects.items() if a != "listed"])
            right &= pl.Series(passed)
            if "listed" in aspects and not aspects["listed"].all():
                unlisted[name] = int((~aspects["listed"] & passed).sum())
        return right, unlisted

    def _warnings(
        self, typed: pl.DataFrame, now: datetime, unlisted: Mapping[str, int]
    ) -> dict[Reason, int]:
        found = {Reason(name, "id_number.division"): n for name, n in unlisted.items() if n}
        for row in self._rules:
            if row.rule.severity == "warning":
                number = int(typed.select(row.build(now).fill_null(value=False).sum()).item())
                if number:
                    found[row.reason] = number
        return found

    def _judge(
        self,
        suspects: _Suspects,
        parsed: Mapping[str, Parsed],
        now: datetime,
        rejected: list[Rejected],
    ) -> pl.DataFrame:
        """Reject each suspect that breaks something, with all reasons; return the others."""
        marks = self._field_marks(suspects, parsed, now)
        spoilt: dict[str, Mask] = {}
        for reason, mark in marks.items():
            spoilt[reason.field] = spoilt.get(reason.field, np.zeros_like(mark)) | mark
        for row in self._rules:
            if row.rule.severity != "error":
                continue
            mark = (
                suspects.typed.select(row.build(now).fill_null(value=False)).to_series().to_numpy()
            )
            for name in row.rule.check.fields:
                if name in spoilt:
                    mark = mark & ~spoilt[name]
            marks[row.reason] = marks.get(row.reason, np.zeros_like(mark)) | mark
        marks = {reason: mark for reason, mark in marks.items() if mark.any()}
        texts = suspects.texts()
        guilty = np.zeros(len(texts), np.bool_)
        for i, values in enumerate(texts):
            reasons = tuple(sorted(reason for reason, mark in marks.items() if mark[i]))
            if reasons:
                guilty[i] = True
                rejected.append(Rejected(int(suspects.numbers[i]), values, reasons))
        return suspects.typed.filter(~guilty)

    def _field_marks(
        self, suspects: _Suspects, parsed: Mapping[str, Parsed], now: datetime
    ) -> dict[Reason, Mask]:
        marks: dict[Reason, Mask] = {}
        for field in self._fields:
            if field.required:
                marks[Reason(field.name, "required")] = (
                    suspects.raw[field.name].is_null().to_numpy()
                )
            for rule, fault in parsed[field.name].faults.items():
                mark = suspects.raw.select(fault.fill_null(value=False)).to_series().to_numpy()
                marks[Reason(field.name, rule)] = mark
        for check in self._checks:
            mark = suspects.typed.select(check.broken.fill_null(value=False)).to_series().to_numpy()
            marks[check.reason] = mark
        today = int(now.astimezone(ZoneInfo(ZONE)).strftime("%Y%m%d"))
        for field in self._fields:
            if field.name in self._kernels:
                for aspect, mask in self._kernels[field.name](
                    suspects.typed[field.name], today
                ).items():
                    if aspect != "listed":
                        marks[Reason(field.name, f"{field.semantic}.{aspect}")] = ~mask
        return marks


@dataclass(frozen=True, slots=True)
class _Suspects:
    """Rows that the pass doubts: as read, as typed, and their numbers in the origin."""

    raw: pl.DataFrame
    typed: pl.DataFrame
    numbers: np.ndarray[tuple[int], np.dtype[np.int64]]

    def texts(self) -> list[dict[str, str | None]]:
        """Each row's values as text."""
        zoned = [
            pl.col(name).dt.convert_time_zone(ZONE).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z")
            if isinstance(kind, pl.Datetime) and kind.time_zone
            else pl.col(name).cast(pl.String)
            for name, kind in self.raw.schema.items()
        ]
        return self.raw.select(zoned).to_dicts()


def _damaged(chunk: Chunk) -> list[Rejected]:
    return [
        Rejected(chunk.first_row + offset, {}, (Reason("", rule),))
        for offset, rule in sorted(chunk.damaged.items())
    ]


def _field_checks(field: Field) -> list[_Check]:
    """Checks of a text field: its list, else its format, else length and control characters."""
    column, kind = pl.col(field.name), field.semantic_type
    if field.type != "string" or kind.validator:
        return []
    checks: list[_Check] = []
    if field.codes:
        checks.append(_Check(Reason(field.name, "codes"), ~column.is_in(list(field.allowed))))
    elif kind.pattern:
        whole = re.sub(r"^\^|\$$", "", kind.pattern)
        reason = Reason(field.name, f"{field.semantic}.format")
        checks.append(_Check(reason, ~column.str.contains(rf"\A(?:{whole})\z")))
    else:
        checks.append(_Check(Reason(field.name, "text.control"), column.str.contains(_CONTROL)))
    if field.max_length and not field.codes:
        long = column.str.len_chars() > field.max_length
        checks.append(_Check(Reason(field.name, "max_length"), long))
    return checks


def _kernel(field: Field, known: Divisions) -> Kernel:
    validator = field.semantic_type.validator
    if validator == "id_number":
        return lambda values, today: identifiers.id_number(values, today, known)
    if validator == "uscc":
        return lambda values, _today: identifiers.uscc(values)
    return lambda values, _today: identifiers.bank_account(values)
