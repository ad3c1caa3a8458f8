"""What a delivery sends and what it takes back: the agreement's rows against the consumer's record.

Rows are judged by the agreement's key. All keys are looked at when there is no record, or when what
decides has changed; else those whose rows may have changed (`candidate_sql`). In scope and let
through by the gate, and not in the record as it is: to send. In the record, and not let through or
not in scope any more: to withdraw, where the agreement tells deletes. Withdrawals leave before the
rows, so that a look at all of them comes first; rows are kept in memory from it, up to `MOST_ROWS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from onecard.base.flags import flags
from onecard.base.prefetch import prefetch
from onecard.deliver import candidate_keys
from onecard.deliver.known_rows import KEY, KnownRows
from onecard.deliver.leaving import Judged, Leaving
from onecard.deliver.outgoing import DeliveryTally, KeptBack, Outgoing
from onecard.deliver.record import Change, Record, each_once, joined, renamed, without
from onecard.deliver.rekeyed import entries_under_present_key
from onecard.deliver.wanted import Wanted
from onecard.model import gate_inputs
from onecard.model.treated import cell_keys
from onecard.ports.privacy_gate import Batch, PrivacyGate
from onecard.store import disclosures, holding
from onecard.store.snapshots import WHAT

if TYPE_CHECKING:
    import numpy.typing as npt


MOST_ROWS = 200_000
"""Rows to be sent that are kept in memory; of more, all rows are read a second time."""

AHEAD = 1
"""Batches that are treated and judged while the consumer's connector writes the one before."""

REPEATED = "repeated_key"
"""Rule: rows of one key differ, so that nobody can say which of them the consumer should have."""


@dataclass
class Difference:
    """One delivery's difference; `survey` first, then `gone` and `frames`.

    Attributes:
        previous: values of statistical cells that the consumer has.
        transfer: id of the delivery.
        tally: what became of the rows.
        gone: keys to withdraw, as they leave.
        gone_persons: references of the persons whom they are about.
        events: that have left and are measured.
    """

    outgoing: Outgoing
    record: Record | None
    wanted: Wanted
    fresh_gate: Callable[[], PrivacyGate]
    previous: Callable[[list[str]], dict[str, int]]
    transfer: int
    tally: DeliveryTally = field(default_factory=DeliveryTally)
    gone: pl.DataFrame = field(default_factory=pl.DataFrame, init=False)
    gone_persons: list[npt.NDArray[np.uint64]] = field(default_factory=list, init=False)
    events: list[pl.DataFrame] = field(default_factory=list, init=False)
    surveyed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._held = holding.no_entries()
        self._known = KnownRows(self._held)
        self._second = False
        self._buffer: list[Leaving] | None = None
        self._repeated = pl.DataFrame()
        self._twins: set[tuple[int, int]] = set()
        self._entries: list[pl.DataFrame] = []
        self._kept: list[pl.DataFrame] = []
        self._present: list[pl.DataFrame] = []
        self._gone: list[pl.DataFrame] = []
        self._gone_refs: list[pl.DataFrame] = []
        self._all = True
        self._rekeyed = False
        self._keys: pl.DataFrame | None = None

    def survey(self) -> None:
        """Find out what is to be sent and withdrawn; sends nothing.

        Without anything in the record that could be withdrawn, rows are read as they leave, and
        `surveyed` stays False: how many they are is not known before.
        """
        self.tally.versions.update(self.outgoing.versions)
        self._look()
        self._known = KnownRows(self._held)
        if not len(self._held) and self.wanted.earlier is None and self._all:
            return
        self.surveyed = True
        self._buffer, rows = [], 0
        for leaving in self._passing():
            rows += len(leaving.frame)
            if self._buffer is not None:
                self._buffer.append(leaving)
            if rows > MOST_ROWS:
                self._buffer = None
        self._depart()
        if self._buffer is None:
            self._again()

    def frames(self) -> Iterator[Leaving]:
        """Batches to be sent, in the agreement's order."""
        leave: Iterable[Leaving] = self._passing() if self._buffer is None else self._buffer
        if self._buffer is None and not self._asks_ledger:
            leave = prefetch(leave, WHAT, AHEAD, patience=4)
        for leaving in leave:
            if leaving.entries is not None:
                self._entries.append(leaving.entries)
            self.events += leaving.events
            self.tally.left += len(leaving.frame)
            yield leaving

    def change(self) -> Change:
        """What the consumer holds when all of it is confirmed."""
        transfer = pl.lit(self.transfer, pl.UInt32).alias("transfer")
        sent = joined([e.with_columns(transfer) for e in self._entries])
        none = holding.no_entries().select(KEY)
        gone = pl.concat(self._gone_refs).unique() if self._gone_refs else none
        kept = without(joined(self._kept), gone)
        told = each_once(joined([sent, kept]))
        rest = without(without(self._held, told), gone)
        if self._all and (self._rekeyed or 4 * len(told) > len(self._held)):
            held = pl.concat([rest, told])
            return Change(held, gone, None if self.wanted.alone else holding.packed(held))
        unsure = rest.filter(pl.col("digest") == holding.UNKNOWN)
        return Change(pl.concat([told, unsure]), gone)

    def counted(self) -> int:
        """How many rows are in scope: all of them are to be sent."""
        count = self.outgoing.selection.count()
        return int(self.outgoing.snapshot.frame(count).row(0)[0])

    @property
    def schema_frame(self) -> pl.DataFrame:
        """No row, in the columns and types with which rows leave."""
        outgoing = self.outgoing
        return outgoing.treated(outgoing.snapshot.frame(outgoing.selection.statement(0)))

    def _look(self) -> None:
        """Decide which keys are looked at, and read what the record has of them."""
        record = self.record
        if record is None or self.wanted.alone:
            return
        if record.head is not None and record.old_refs is not None:
            self._held = entries_under_present_key(self.outgoing, record, record.old_refs)
            self.tally.unexplained = len(record.whole()) - len(self._held)
            self.record, self._rekeyed = renamed(record, self._held), True
        elif record.sound and not self.wanted.every and self._few(record):
            return
        else:
            self._held = record.whole()
        self._find_repeated()

    def _few(self, record: Record) -> bool:
        """Whether the keys that may have changed are few; they are looked at then."""
        keys = candidate_keys.few(self.outgoing, record)
        if keys is None:
            return False
        self._all = False
        refs = record.refs.of(keys, digests=False)
        self._keys = pl.concat([keys, refs], how="horizontal")
        self._held = record.of(refs)
        self._find_repeated()
        return True

    def _find_repeated(self) -> None:
        """Keys that several rows in scope have."""
        selection = self.outgoing.selection
        assert self.record is not None  # noqa: S101 - asked by the caller
        if selection.candidates(None).alone():
            return
        statement = selection.repeated(among_keys=not self._all)
        found = self.outgoing.snapshot.frame(statement)
        if len(found):
            refs = self.record.refs.of(found, digests=False)
            self._repeated = refs.with_columns(found["differs"])

    def _again(self) -> None:
        """Read a second time: with another gate, and sums anew."""
        self.outgoing = replace(self.outgoing, gate=self.fresh_gate())
        before = self.tally
        self.tally = DeliveryTally(versions=before.versions, unexplained=before.unexplained)
        self._twins, self._kept = set(), []
        self._second = True

    def _passing(self) -> Iterator[Leaving]:
        for raw in self._rows():
            treated = self.outgoing.treated(raw)
            found = self.outgoing.judged(Batch(raw, treated, self.wanted.released))
            self.tally.selected += len(raw)
            self.tally.withheld += found.withheld
            quarantined = pl.Series(range(len(raw)), dtype=pl.Int64).is_in(list(found.quarantined))
            judged = Judged(raw, treated, found.rows, quarantined, dict(found.quarantined))
            leaving = self._cells(judged) if self._statistics else self._judge(judged)
            if leaving is not None:
                yield leaving

    def _rows(self) -> Iterator[pl.DataFrame]:
        """The rows that are looked at."""
        if self._all:
            return self.outgoing.whole()
        return self.outgoing.rows(self.outgoing.selection.statement(among_keys=True))

    @property
    def _asks_ledger(self) -> bool:
        """Whether batches that pass ask the ledger, whose session is this thread's."""
        return self._statistics or (self.wanted.alone and self.wanted.measuring is not None)

    @property
    def _statistics(self) -> bool:
        return self.outgoing.selection.agreement.statistics is not None

    def _judge(self, rows: Judged) -> Leaving | None:
        """What becomes of one batch."""
        entries = known = None
        same = flags(len(rows.raw))
        if self.record is not None:
            entries = self.record.refs.of(rows.raw)
            known, same = self._compare(entries, rows)
        leave = rows.passed
        if entries is not None and len(self._repeated):
            leave = leave & self._single(entries, rows, same)
        send = leave & ~same if not self.wanted.every else leave
        for index, reasons in rows.reasons.items():
            if same[index]:
                self.tally.unchanged += 1
            else:
                self._keep_back(rows, index, reasons)
        self.tally.passed += int(send.sum())
        self.tally.unchanged += int((leave & ~send).sum())
        if entries is not None and known is not None:
            self._withhold(rows, entries, known)
        if not send.any():
            return None
        events = self._measured(rows.raw, entries, send)
        frame, whole = rows.treated, bool(send.all())
        if not whole:
            frame = frame.filter(send)
            entries = entries.filter(send) if entries is not None else None
        return Leaving(frame, entries, self._persons(rows.raw, send), events)

    def _measured(
        self, raw: pl.DataFrame, entries: pl.DataFrame | None, send: pl.Series
    ) -> tuple[pl.DataFrame, ...]:
        """Events that are on their first way to the consumer, as far as its record tells."""
        found = self.wanted.measuring
        if found is None or entries is None or self.record is None:
            return ()
        known = KnownRows(self.record.of(entries.select(KEY))) if self.wanted.alone else self._known
        new = found.new(raw, known.digests(entries), rekeyed=self._rekeyed)
        return found.events(raw, send & new)

    def _compare(self, entries: pl.DataFrame, rows: Judged) -> tuple[pl.Series, pl.Series]:
        """Whether the consumer has something of each key, and whether it has this very row."""
        was = self._known.digests(entries)
        known = was.is_not_null()
        same = (was == entries["digest"]).fill_null(value=False)
        if gate_inputs.DELIVERED in rows.raw.columns:
            seeded = self._left_before(rows.raw, rows.passed & ~known)
            number = pl.when(rows.raw[gate_inputs.LAPSED].fill_null(value=False))
            transfer = number.then(self.wanted.lapsed).otherwise(self.wanted.last)
            marked = entries.with_columns(transfer.cast(pl.UInt32).alias("transfer"))
            self._kept.append(marked.filter(seeded))
            known, same = known | seeded, same | seeded
        if len(self._held) and not self._second:
            self._present.append(entries.select(KEY))
        return known, same

    def _left_before(self, raw: pl.DataFrame, among: pl.Series) -> pl.Series:
        """Rows that were delivered before there was a record, as far as can be told."""
        seeded = among & raw[gate_inputs.DELIVERED]
        if self.wanted.earlier is None:
            return seeded
        found = raw.filter(seeded).select(
            pl.when(gate_inputs.SAME_PERSON).then(gate_inputs.SUBJECT).alias(gate_inputs.SUBJECT)
        )
        never, known = self.wanted.earlier.missed(found[gate_inputs.SUBJECT])
        self.tally.assumed += int((~known).sum())
        return seeded.scatter(seeded.arg_true().filter(never), values=False)

    def _single(self, entries: pl.DataFrame, rows: Judged, same: pl.Series) -> pl.Series:
        """Rows whose key no other row has; of equal rows the first."""
        found = entries.join(self._repeated, on=KEY, how="left", maintain_order="left")
        differs = found["differs"].fill_null(value=False)
        alone = ~differs
        self.tally.unchanged += int((rows.passed & differs & same).sum())
        for index in (rows.passed & differs & ~same).arg_true():
            self._keep_back(rows, index, tuple((n, REPEATED) for n in self._key_names))
        for index in (rows.passed & found["differs"].is_not_null() & ~differs).arg_true():
            ref = (entries["high"][index], entries["low"][index])
            if ref in self._twins:
                alone[index] = False
                self.tally.unchanged += 1
            self._twins.add(ref)
        return alone

    def _keep_back(self, rows: Judged, index: int, reasons: tuple[tuple[str, str], ...]) -> None:
        key = rows.raw[gate_inputs.KEY][index]
        values = {**rows.treated.row(index, named=True), gate_inputs.KEY: key}
        self.tally.quarantined.append(KeptBack(values, reasons))

    def _withhold(self, rows: Judged, entries: pl.DataFrame, known: pl.Series) -> None:
        """Withdraw what the gate lets through no more."""
        stays = known & ~rows.passed & ~rows.quarantined
        once = not self._swept and not self._second
        if self.wanted.removing and once and stays.any():
            self._withdraw(rows.raw.filter(stays), entries.filter(stays))

    @property
    def _swept(self) -> bool:
        """Whether all that the consumer holds is withdrawn, as its tokens are of an earlier key."""
        return self.wanted.old_tokens is not None

    def _depart(self) -> None:
        """Withdraw what is in scope no more."""
        if not self.wanted.removing or self.record is None:
            self._finish_gone()
            return
        present = pl.concat([holding.no_entries().select(KEY), *self._present])
        absent = self._held if self._swept else self._held.join(present, on=KEY, how="anti")
        self._present = []
        if self._keys is not None:
            leaves = self._keys.join(absent, on=KEY, how="semi")
            if len(leaves):
                self._withdraw(leaves, leaves.select(KEY))
        elif len(absent):
            self._explain(absent)
        self._finish_gone()

    def _explain(self, absent: pl.DataFrame) -> None:
        """Find the keys of references in all rows that there are and were."""
        assert self.record is not None  # noqa: S101 - asked by the caller
        found = 0
        for raw in self.outgoing.rows(candidate_keys.every(self.outgoing)):
            refs = self.record.refs.of(raw, digests=False)
            hit = refs.with_row_index("row").join(absent, on=KEY, how="semi")["row"]
            if len(hit):
                self._withdraw(raw[hit], refs[hit])
                found += len(hit)
        self.tally.unexplained += len(absent) - found

    def _withdraw(self, raw: pl.DataFrame, refs: pl.DataFrame) -> None:
        tokeniser = self.wanted.old_tokens or self.outgoing.tokeniser
        self._gone.append(self.outgoing.treated_keys(raw, tokeniser))
        self._gone_refs.append(refs.select(KEY))
        every = flags(len(raw), value=True)
        persons = self._persons(raw, every)
        if persons is not None:
            self.gone_persons.append(persons)

    def _finish_gone(self) -> None:
        if self._gone:
            self.gone = pl.concat(self._gone).unique(maintain_order=True)

    def _persons(self, raw: pl.DataFrame, rows: pl.Series) -> npt.NDArray[np.uint64] | None:
        """References of the persons whose rows leave.

        Digests are made of the whole column, so that they are those of the tokens.
        """
        tokeniser = self.outgoing.tokeniser
        if tokeniser is None or gate_inputs.SUBJECT not in raw.columns:
            return None
        subjects = raw[gate_inputs.SUBJECT]
        found = disclosures.references(tokeniser.digests(subjects))
        leave = rows & subjects.is_not_null()
        return found if leave.all() else found[leave.to_numpy()]

    def _cells(self, rows: Judged) -> Leaving | None:
        """Cells whose value the consumer has not."""
        block = self.outgoing.selection.agreement.statistics
        assert block is not None  # noqa: S101 - asked by the caller
        names = [n for n in rows.treated.columns if n != block.count]
        cells = cell_keys(rows.treated.select(names))
        now = rows.treated[block.count]
        known = self.previous(cells)
        before = pl.Series([known.get(cell) for cell in cells], dtype=now.dtype)
        send = rows.passed & (now.ne_missing(before) if not self.wanted.every else rows.passed)
        self.tally.passed += int(send.sum())
        self.tally.unchanged += int((rows.passed & ~send).sum())
        for index in send.arg_true():
            self.tally.cells[cells[index]] = now[index]
        return Leaving(rows.treated.filter(send), None, None) if send.any() else None

    @property
    def _key_names(self) -> tuple[str, ...]:
        return self.outgoing.selection.agreement.key
