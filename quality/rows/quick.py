"""The quick pass: which rows of a chunk are right, told by compiled kernels, a column at a time.

It proves rows right and says nothing of the others: these are doubted, and the gate judges them
with its own checks, as it does every row where there is no library. What a kernel cannot tell of a
column is asked with the gate's own expressions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import types

from onecard import native
from onecard.base.times import shown
from onecard.native import listed
from onecard.native.checks import Compiled, Marks
from onecard.native.texts import Library
from onecard.ports.row_gate import Reason
from onecard.ports.source import Chunk
from quality.rows import kernels, own_types, reading
from quality.rows.fieldchecks import field_checks, may_hold_null_word
from quality.rows.identifiers import Divisions, RowMask
from quality.rows.parsing import Parsed, parse
from quality.rows.rules import RowRule, warned
from quality.rows.text_forms import null_words
from schemas.models.contract import Contract, Field
from schemas.models.rules import OfIdNumber

MOST_DOUBTED = 0.5
"""Beyond this share of doubted rows the pass has told nothing that is worth telling."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What the pass tells of a chunk.

    Attributes:
        good: typed columns of the rows that are right.
        numbers: their offsets in the chunk.
        doubted: offsets of the other rows.
        warnings: of the good rows, by rule.
    """

    good: pl.DataFrame
    numbers: np.ndarray[tuple[int], np.dtype[np.int64]]
    doubted: np.ndarray[tuple[int], np.dtype[np.int64]]
    warnings: Mapping[Reason, int]


@dataclass(slots=True)
class _Found:
    """What is found of a chunk on the way.

    Attributes:
        columns: as they go to Polars.
        parsed: fields that Polars still has to type.
        asked: fields of text whose checks Polars still has to make.
        worded: whether any text is a word for NULL.
    """

    doubted: Marks
    columns: dict[str, pa.Array]
    parsed: dict[str, Parsed]
    asked: set[str]
    unlisted: dict[str, Marks]
    worded: bool = False


def quick_pass(contract: Contract, known: Divisions, rules: list[RowRule]) -> QuickPass | None:
    """The quick pass of a contract; None where there is no library.

    Args:
        contract: the dataset's contract.
        known: lookup table of division codes.
        rules: its compiled row rules.
    """
    library = native.library()
    return None if library is None else QuickPass(contract, known, rules, Library(library))


class QuickPass:
    """Tells right rows of one contract's chunks."""

    def __init__(
        self, contract: Contract, known: Divisions, rules: list[RowRule], library: Library
    ) -> None:
        self._library = library
        self._fields = contract.fields
        self._free = [f.name for f in contract.fields if may_hold_null_word(f)]
        self._rules = rules
        self._of_id = [r for r in rules if isinstance(r.check, OfIdNumber) and not r.warns]
        self._forms = {f.name: contract.text_form(f) for f in contract.fields}
        self._kernels = {
            f.name: kernels.text_check(f, self._forms[f.name], known)
            if f.type == "string"
            else kernels.text_parse(f, self._forms[f.name])
            for f in contract.fields
        }
        self._encoded = {f.name: kernels.encoded(f, self._forms[f.name]) for f in contract.fields}

    def look(self, chunk: Chunk, now: datetime) -> Looked | None:
        """Tell which rows are right; None where the chunk is not of a form for it.

        Args:
            chunk: as read.
            now: the transfer's aware time.
        """
        found = self._columns(chunk, int(shown(now, "%Y%m%d")))
        if found is None:
            return None
        _doubt(found.doubted, chunk.damaged)
        for texts in chunk.unread.values():
            _doubt(found.doubted, texts)
        raw = pl.DataFrame(pl.from_arrow(pa.record_batch(found.columns)))
        typed = raw
        if found.parsed:
            typed = raw.with_columns(p.value.alias(n) for n, p in found.parsed.items())
        self._ask(found, raw, typed, now)
        right = found.doubted == 0
        numbers, doubted = np.flatnonzero(right), np.flatnonzero(~right)
        if len(doubted) > MOST_DOUBTED * len(right):
            return None
        good = typed.filter(right) if len(doubted) else typed
        return Looked(good, numbers, doubted, self._warnings(found, good, right, now))

    def _columns(self, chunk: Chunk, today: int) -> _Found | None:
        """Each column through its kernel; None where one is missing or of a type of no field."""
        batch = chunk.batch
        found = _Found(np.zeros(batch.num_rows, np.uint8), {}, {}, set(), {})
        for field in self._fields:
            if field.name not in batch.schema.names:
                return None
            array, held = batch.column(field.name), True
            if field.type != "string" or not reading.is_listed(array.type):
                array, held = reading.normalised(array, field)
            if field.type == "string" and (
                types.is_integer(array.type) or types.is_null(array.type)
            ):
                array = array.cast(pa.string())
            if not held or (field.type == "string" and not _is_text(array.type)):
                return None
            self._column(field, array, today, found)
        return found

    def _column(self, field: Field, array: pa.Array, today: int, found: _Found) -> None:
        """One column: checked or parsed, or left to Polars with what it needs."""
        name, kernel = field.name, self._kernels[field.name]
        if not _is_text(array.type):
            self._typed(field, array, found)
        elif field.type == "string":
            if kernel is None:
                found.asked.add(name)
            array = self._checked(field, array, kernel or self._encoded[name], today, found)
        elif kernel is not None:
            array = self._library.parse(array, kernel, found.doubted)
        else:
            array = self._checked(field, array, self._encoded[name], today, found)
            found.parsed[name] = parse(field, pl.String(), self._forms[name])
        found.columns[name] = array

    def _typed(self, field: Field, array: pa.Array, found: _Found) -> None:
        """A typed column: as it is, or left to Polars."""
        if not own_types.is_right(array, field):
            found.parsed[field.name] = parse(field, _held_as(array.type))
        elif field.required and array.null_count:
            found.doubted |= array.is_null().to_numpy(zero_copy_only=False)

    def _checked(
        self, field: Field, array: pa.Array, kernel: Compiled, today: int, found: _Found
    ) -> pa.Array:
        how = (array, kernel, today, found.doubted)
        if types.is_dictionary(array.type):
            views, findings = listed.check(self._library, *how)
        else:
            views, findings = self._library.check(*how)
        found.worded |= findings.null_words > 0
        if findings.unlisted is not None:
            found.unlisted[field.name] = findings.unlisted
        return views

    def _ask(self, found: _Found, raw: pl.DataFrame, typed: pl.DataFrame, now: datetime) -> None:
        """Doubt rows by what no kernel has looked at: types, checks and rules left to Polars."""
        for name, parsed in found.parsed.items():
            if parsed.faults and raw[name].null_count() != typed[name].null_count():
                found.doubted |= (typed[name].is_null() & raw[name].is_not_null()).to_numpy()
        told = [rule for rule in self._of_id if self._compared_with_id(rule, found, typed)]
        broken = [
            check.broken
            for field in self._fields
            if field.name in found.asked
            for check in field_checks(field)
        ]
        broken += [
            pl.col(f.name).is_null() for f in self._fields if f.required and f.name in found.parsed
        ]
        broken += [rule.build(now) for rule in self._rules if not rule.warns and rule not in told]
        if broken:
            some = pl.any_horizontal([b.fill_null(value=False) for b in broken])
            found.doubted |= typed.select(some).to_series().to_numpy()

    def _compared_with_id(self, rule: RowRule, found: _Found, typed: pl.DataFrame) -> bool:
        """Whether the library has compared a field with what an ID number says of it."""
        check = rule.check
        if not isinstance(check, OfIdNumber):
            return False
        numbers = found.columns[check.id_number]
        sex = check.check == "sex_of"
        others = found.columns[check.field] if sex else typed[check.field].to_arrow()
        if not reading.is_text(numbers.type) or not _fits(others.type, sex=sex):
            return False
        compare = self._library.sex_of if sex else self._library.birth_date_of
        compare(numbers, others, found.doubted)
        return True

    def _warnings(
        self, found: _Found, good: pl.DataFrame, right: RowMask, now: datetime
    ) -> dict[Reason, int]:
        """Warnings of good rows. None of them had blanks taken off: such rows are doubted."""
        warnings = warned(self._rules, good, now)
        if found.worded:
            warnings |= null_words(good, self._free)
        for field in self._fields:
            if field.name in found.unlisted:
                number = int((right & (found.unlisted[field.name] != 0)).sum())
                if number:
                    warnings[Reason(field.name, f"{field.semantic}.division")] = number
        return warnings


@cache
def _held_as(kind: pa.DataType) -> pl.DataType:
    """The type that Polars gives to a column of Arrow."""
    return pl.Series(pl.from_arrow(pa.array([], kind))).dtype


def _fits(kind: pa.DataType, *, sex: bool) -> bool:
    return reading.is_text(kind) if sex else bool(types.is_date32(kind))


def _is_text(kind: pa.DataType) -> bool:
    return reading.is_text(kind) or reading.is_listed(kind)


def _doubt(doubted: Marks, offsets: Iterable[int]) -> None:
    doubted[list(offsets)] = 1
