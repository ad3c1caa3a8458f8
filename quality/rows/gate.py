"""The row gate: a contract's row-level checks, compiled once, run over whole batches.

Compiled kernels (`quick`) prove most rows right; what they doubt, or everything where there are
none, goes through one Polars pass, which again only asks which rows are right. The few that are not
are looked at one check at a time, so that each is rejected with all its reasons. A rule of the
contract is evaluated only on rows whose named fields passed their own checks: one defect has one
reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

import numpy as np
import polars as pl
import pyarrow as pa

from onecard.base.personal import UNASSIGNED_DIVISION
from onecard.base.times import shown
from onecard.errors import FatalError
from onecard.ports.row_gate import Checked, Reason, Rejected
from onecard.ports.source import Chunk
from quality.rows import identifiers, reading
from quality.rows.fieldchecks import CONTROL, field_checks, kernel, may_hold_null_word
from quality.rows.identifiers import Divisions, RowMask
from quality.rows.parsing import Parsed, parse, text_of
from quality.rows.quick import quick_pass
from quality.rows.reading import Rows
from quality.rows.rules import row_rules, warned
from quality.rows.text_forms import AROUND, TRIMMED, meant, null_words
from schemas.models import codes
from schemas.models.contract import Contract

Offsets = np.ndarray[tuple[int], np.dtype[np.int64]]
"""Of rows in a chunk."""

LISTED = "listed"
"""The one aspect of a kernel that only warns: an unknown division rejects nobody."""


def compile_gate(contract: Contract, *, profile: str = "production") -> PolarsGate:
    """Compile a contract's row checks.

    Args:
        contract: the dataset's contract.
        profile: `demo` allows ID numbers in the unassigned division 410199.
    """
    return PolarsGate(contract, divisions_of(demo=profile == "demo"))


def divisions_of(*, demo: bool) -> Divisions:
    """What each division code is, by the code lists as they are now.

    Args:
        demo: whether the unassigned division 410199 counts.
    """
    lists = codes.codes("division"), codes.codes("division_statistical")
    return _divisions(*lists, demo=demo)


@lru_cache(4)
def _divisions(listed: tuple[str, ...], statistical: tuple[str, ...], *, demo: bool) -> Divisions:
    """By the lists themselves: a process that reads its catalogue anew goes by the new ones."""
    known, refused = set(listed), set(statistical)
    (known if demo else refused).add(UNASSIGNED_DIVISION)
    return identifiers.divisions(known - refused, refused)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Rows on their way: as given, as read, as typed, and their numbers in the origin.

    Attributes:
        given: as the source has them.
        raw: the same, blanks and NULL tokens taken off where the contract says so.
        skips: rule → text columns that it need not look at.
    """

    given: pl.DataFrame
    raw: pl.DataFrame
    typed: pl.DataFrame
    numbers: Offsets
    parsed: Mapping[str, Parsed]
    skips: Mapping[str, frozenset[str]]
    now: datetime
    absent: frozenset[str]
    unread: tuple[str, ...]

    @property
    def today(self) -> int:
        """The transfer's date in China, as yyyymmdd."""
        return int(shown(self.now, "%Y%m%d"))

    def only(self, mask: RowMask) -> _Batch:
        """Some of the rows."""
        raw, typed = self.raw.filter(mask), self.typed.filter(mask)
        given = raw if self.given is self.raw else self.given.filter(mask)
        return replace(self, given=given, raw=raw, typed=typed, numbers=self.numbers[mask])

    def marks(self, frame: pl.DataFrame, broken: pl.Expr) -> RowMask:
        """Rows of raw or typed where an expression holds; NULL does not."""
        found: RowMask = (
            frame.select(broken.fill_null(value=False)).to_series().to_numpy(writable=True)
        )
        return found


class PolarsGate:
    """Implements `onecard.ports.row_gate.RowGate`."""

    def __init__(self, contract: Contract, known: Divisions) -> None:
        self._id = contract.id
        self._fields = contract.fields
        self._spares = contract.optional_fields
        self._forms = {f.name: contract.text_form(f) for f in contract.fields}
        self._free = [f.name for f in contract.fields if may_hold_null_word(f)]
        self._required = [f.name for f in contract.fields if f.required]
        self._checks = [check for field in contract.fields for check in field_checks(field)]
        kernels = {f.name: kernel(f, known) for f in contract.fields}
        self._kernels = {name: found for name, found in kernels.items() if found}
        self._semantic = {f.name: f.semantic for f in contract.fields}
        self._rules = row_rules(contract)
        self._quick = quick_pass(contract, known, self._rules)

    def check(self, chunk: Chunk, now: datetime) -> Checked:
        """Split a chunk into good rows (typed, hashed) and rejected rows (with all reasons).

        Raises:
            SchemaMismatch: the chunk lacks a field's column.
            FatalError: a check itself failed; Polars' message, which quotes values, is dropped.
        """
        try:
            return self._check(chunk, now)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException) as e:
            kind, where = type(e).__name__, f"{chunk.origin}, rows from {chunk.first_row}"
        msg = f"{self._id}: the row gate failed on {where} ({kind})"
        raise FatalError(msg)

    def _check(self, chunk: Chunk, now: datetime) -> Checked:
        offsets = np.arange(chunk.batch.num_rows)
        looked = self._quick.look(chunk, now) if self._quick is not None else None
        if looked is None:
            return self._judged(chunk, offsets, now)[0]
        good = hashed(looked.good)
        if not len(looked.doubted):
            return Checked(good, (), looked.warnings)
        judged, places = self._judged(_only(chunk, looked.doubted), looked.doubted, now)
        if len(places):
            order = np.argsort(np.concatenate((looked.numbers, places)))
            good = pl.concat((good, judged.good))[order]
        warnings = Counter(looked.warnings) + Counter(judged.warnings)
        return Checked(good, judged.rejected, dict(warnings))

    def _judged(self, chunk: Chunk, offsets: Offsets, now: datetime) -> tuple[Checked, Offsets]:
        """Split rows by the gate's own checks; and the offsets of the good ones.

        Args:
            chunk: rows.
            offsets: where they stood in the chunk that came.
            now: the transfer's aware time.
        """
        numbers = chunk.first_row + offsets
        rows = reading.read(chunk, self._fields, self._spares)
        batch = self._typed(chunk, numbers, rows, now)
        right, unlisted = self._right(batch)
        rejected = _damaged(chunk, numbers)
        if not right.all():
            suspects = batch.only(~right)
            guilty = self._judge(suspects, rejected)
            right[np.flatnonzero(~right)] = ~guilty
        good = batch.typed if right.all() else batch.typed.filter(right)
        warnings = warned(self._rules, good, now) | self._text_warnings(batch, right, good)
        for name, mask in unlisted.items():
            if number := int((mask & right).sum()):
                warnings[Reason(name, f"{self._semantic[name]}.division")] = number
        places = batch.numbers[right] - chunk.first_row
        return Checked(hashed(good), tuple(rejected), warnings), places

    def _typed(self, chunk: Chunk, numbers: Offsets, rows: Rows, now: datetime) -> _Batch:
        """The rows that are no damaged records, and their typed columns."""
        raw = rows.frame
        if chunk.damaged:
            keep = np.ones(len(raw), np.bool_)
            keep[list(chunk.damaged)] = False
            raw, numbers = raw.filter(keep), numbers[keep]
        given, raw = raw, self._meant(raw)
        parsed = {
            f.name: parse(
                f, raw.schema[f.name], self._forms[f.name], foreign=f.name in rows.foreign
            )
            for f in self._fields
        }
        typed = raw.select(p.value.alias(name) for name, p in parsed.items())
        skips = {CONTROL: rows.plain, AROUND: rows.tight}
        return _Batch(given, raw, typed, numbers, parsed, skips, now, rows.absent, rows.unread)

    def _meant(self, given: pl.DataFrame) -> pl.DataFrame:
        """Text without the blanks and tokens that the contract's forms take off."""
        changed = [
            meant(pl.col(name), form).alias(name)
            for name, form in self._forms.items()
            if form.normalises and given.schema[name] == pl.String
        ]
        return given.with_columns(changed) if changed else given

    def _right(self, batch: _Batch) -> tuple[RowMask, dict[str, RowMask]]:
        """Rows that break nothing (a few may be doubted that turn out right), in one pass.

        Returns:
            The mask of right rows, and per ID field the rows of unknown division.
        """
        raw, typed = batch.raw, batch.typed
        broken = [
            check.broken.fill_null(value=False)
            for check in self._checks
            if check.reason.field not in batch.skips.get(check.reason.rule, ())
        ]
        broken += [pl.col(n).is_null() for n in self._required if typed[n].null_count()]
        broken += [r.build(batch.now).fill_null(value=False) for r in self._rules if not r.warns]
        right = np.full(len(typed), not batch.absent, np.bool_)
        if broken:
            right &= ~batch.marks(typed, pl.any_horizontal(broken))
        for name, parsed in batch.parsed.items():
            if parsed.faults and raw[name].null_count() != typed[name].null_count():
                right &= (typed[name].is_not_null() | raw[name].is_null()).to_numpy()
        for name in batch.unread:
            right &= raw[reading.unread(name)].is_null().to_numpy()
        unlisted: dict[str, RowMask] = {}
        for name, judge in self._kernels.items():
            for aspect, mask in judge(typed[name], batch.today).items():
                if aspect != LISTED:
                    right &= mask
                elif not mask.all():
                    unlisted[name] = ~mask
        return right, unlisted

    def _text_warnings(
        self, batch: _Batch, right: RowMask, good: pl.DataFrame
    ) -> dict[Reason, int]:
        """Good rows by field whose blanks were taken off, or that hold a word for NULL as text."""
        found = null_words(good, self._free)
        for name, form in self._forms.items():
            if form.trim and batch.given.schema[name] == pl.String and len(batch.given):
                bare = meant(pl.col(name), form.model_copy(update={"null": ()}))
                changed = batch.given.select(bare.ne_missing(pl.col(name))).to_series()
                if number := int((changed.to_numpy() & right).sum()):
                    found[Reason(name, TRIMMED)] = number
        return found

    def _judge(self, suspects: _Batch, rejected: list[Rejected]) -> RowMask:
        """Reject each suspect that breaks something, with all its reasons; say which did."""
        marks = self._field_marks(suspects)
        guilty = np.zeros(len(suspects.numbers), np.bool_)
        spoilt = {name: guilty.copy() for name in suspects.parsed}
        for reason, mark in marks.items():
            spoilt[reason.field] |= mark
        for rule in self._rules:
            if not rule.warns:
                mark = suspects.marks(suspects.typed, rule.build(suspects.now))
                sound = ~np.logical_or.reduce([spoilt[name] for name in rule.check.fields])
                marks[rule.reason] = marks.get(rule.reason, guilty) | (mark & sound)
        marks = {reason: mark for reason, mark in sorted(marks.items()) if mark.any()}
        texts = self._texts(suspects).to_dicts()
        for i, values in enumerate(texts):
            if reasons := tuple(reason for reason, mark in marks.items() if mark[i]):
                guilty[i] = True
                rejected.append(Rejected(int(suspects.numbers[i]), values, reasons))
        return guilty

    def _texts(self, suspects: _Batch) -> pl.DataFrame:
        """The rows as they were read, as texts; without fields that their source has no more."""
        kinds, lost = suspects.given.schema, suspects.unread
        texts = {n: text_of(n, kinds[n]) for n in suspects.parsed if n not in suspects.absent}
        texts |= {n: pl.coalesce(pl.col(reading.unread(n)), texts[n]) for n in lost}
        return suspects.given.select(text.alias(name) for name, text in texts.items())

    def _field_marks(self, suspects: _Batch) -> dict[Reason, RowMask]:
        """Every check of every field by itself, on the suspects."""
        raw, typed = suspects.raw, suspects.typed
        all_rows = np.ones(len(raw), np.bool_)
        marks = {Reason(name, "missing"): all_rows for name in suspects.absent}
        for name in self._required:
            if name not in suspects.absent:
                marks[Reason(name, "required")] = raw[name].is_null().to_numpy()
        for name, parsed in suspects.parsed.items():
            for rule, fault in parsed.faults.items():
                marks[Reason(name, rule)] = suspects.marks(raw, fault)
        _mark_unread(marks, suspects)
        for check in self._checks:
            marks[check.reason] = suspects.marks(typed, check.broken)
        for name, judge in self._kernels.items():
            for aspect, mask in judge(typed[name], suspects.today).items():
                if aspect != LISTED:
                    marks[Reason(name, f"{self._semantic[name]}.{aspect}")] = ~mask
        return marks


def _mark_unread(marks: dict[Reason, RowMask], suspects: _Batch) -> None:
    """Rows with a value that could not be read, by the rule that each breaks: none is missing."""
    raw, none = suspects.raw, np.zeros(len(suspects.raw), np.bool_)
    for name in suspects.unread:
        rules, needed = raw[reading.because(name)], Reason(name, "required")
        for rule in rules.drop_nulls().unique():
            broken = (rules == rule).fill_null(value=False).to_numpy()
            marks[Reason(name, rule)] = marks.get(Reason(name, rule), none) | broken
        marks[needed] = marks.get(needed, none) & rules.is_null().to_numpy()


def hashed(rows: pl.DataFrame) -> pl.DataFrame:
    """Typed rows with their hashes, by which the registry knows them again.

    Args:
        rows: typed columns in contract order.
    """
    hashes = rows.hash_rows(seed=0).reinterpret(signed=True).alias("_row_hash")
    return rows.with_columns(hashes)


def _only(chunk: Chunk, offsets: Offsets) -> Chunk:
    """Some rows of a chunk."""
    places = {int(offset): place for place, offset in enumerate(offsets)}
    return replace(
        chunk,
        batch=reading.some(chunk.batch, offsets),
        damaged={places[offset]: rule for offset, rule in chunk.damaged.items()},
        unread={
            name: {places[offset]: text for offset, text in texts.items()}
            for name, texts in chunk.unread.items()
        },
        because={
            name: {places[offset]: rule for offset, rule in rules.items()}
            for name, rules in chunk.because.items()
        },
    )


def _damaged(chunk: Chunk, numbers: Offsets) -> list[Rejected]:
    return [
        Rejected(int(numbers[offset]), {}, (Reason("", rule),))
        for offset, rule in sorted(chunk.damaged.items())
    ]
