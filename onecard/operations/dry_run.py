"""What a collect would do with a source, found by reading it: nothing is stored, not even a line.

Neither a transfer nor a watermark, no row and no rejected row: only counts leave this module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace

import polars as pl

from onecard.base.prefetch import prefetch
from onecard.collect import drift_policy, window
from onecard.collect.context import CollectContext
from onecard.collect.intake import remarks
from onecard.errors import SchemaMismatch
from onecard.ports.row_gate import Checked, Reason
from onecard.ports.source import Chunk, ReadRequest
from onecard.reconcile.services import TransferDesk
from onecard.store import database, datasets
from schemas.models.contract import Contract
from schemas.models.dataset_checks import RejectedShare


@dataclass(frozen=True, slots=True)
class ColumnFound:
    """A field of the contract in what was read: how many values it had in good rows."""

    field: str
    native: str
    type: str
    filled: int
    rejected: int


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a collect would do.

    Attributes:
        read: rows read; `whole` whether there are no more behind them.
        repeated: good rows whose key an earlier one has.
        reasons: rejected rows by field and rule.
        warnings: good rows by field and rule of severity `warning`.
        columns: the contract's fields, in order.
        remarks: files that would be refused or wait, by name.
        holds: for what the collect would be held.
        fails: why it would fail as a whole; empty: it would not.
    """

    dataset: str
    read: int
    accepted: int
    rejected: int
    repeated: int
    whole: bool
    reasons: tuple[tuple[str, str, int], ...]
    warnings: tuple[tuple[str, str, int], ...]
    columns: tuple[ColumnFound, ...]
    remarks: tuple[str, ...]
    holds: tuple[str, ...]
    fails: str = ""


@dataclass(slots=True)
class _Sums:
    """Running sums over the chunks."""

    read: int = 0
    accepted: int = 0
    rejected: int = 0
    whole: bool = True
    reasons: Counter[Reason] = field(default_factory=Counter)
    warnings: Counter[Reason] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)
    spoilt: Counter[str] = field(default_factory=Counter)
    keys: list[pl.DataFrame] = field(default_factory=list)

    def add(self, contract: Contract, chunk: Chunk, checked: Checked) -> None:
        """Count what the gate has made of a chunk."""
        self.read += chunk.batch.num_rows
        self.accepted += len(checked.good)
        self.rejected += len(checked.rejected)
        self.warnings.update(checked.warnings)
        for row in checked.rejected:
            self.reasons.update(row.reasons)
            self.spoilt.update({reason.field for reason in row.reasons})
        for name in contract.names:
            self.filled[name] += len(checked.good) - checked.good[name].null_count()
        self.keys.append(checked.good.select(contract.key))


def dry_run(hub: TransferDesk, dataset: str, *, whole: bool = False, limit: int = 0) -> DryRun:
    """Read a source as a collect would, through its gate, and store nothing.

    Args:
        hub: the hub.
        dataset: its id.
        whole: read everything, not only what lies behind the watermark.
        limit: at most so many rows; 0: all.

    Raises:
        OnecardError: as the connector and the gate raise it.
    """
    contract, tools = hub.catalogue.contract(dataset), hub.tools(dataset)
    reading = tools.connector.read(
        tools.connections.get(contract.source.connection), _request(contract, tools, whole=whole)
    )
    sums, now = _Sums(), tools.settings.now()
    limited = _limited(iter(reading), limit, sums)
    with closing(prefetch(limited, f"the source of {contract.id}", 1)) as chunks:
        for chunk in chunks:
            sums.add(contract, chunk, tools.gate.check(chunk, now))
    return _outcome(contract, sums, remarks(reading) if sums.whole else ())


def _request(contract: Contract, tools: CollectContext, *, whole: bool) -> ReadRequest:
    """As a collect of now would ask; the database is only read."""
    with database.connect(tools.address, autocommit=True) as connection:
        state = datasets.state(connection, contract.id)
    return ReadRequest(
        dataset=contract.id,
        columns=drift_policy.columns(contract),
        options=tools.connector.source_options.model_validate(dict(contract.source.options)),
        cursor=contract.source.cursor,
        since=None if whole else window.since(contract, state),
        checkpoint={} if whole else dict(state.checkpoint.get("source") or {}),
    )


def _limited(chunks: Iterator[Chunk], limit: int, sums: _Sums) -> Iterator[Chunk]:
    """The chunks up to so many rows; notes in `sums` whether that was all."""
    left = limit
    for chunk in chunks:
        rows = chunk.batch.num_rows
        if limit and rows > left:
            sums.whole = False
            if left:
                yield _first(chunk, left)
            return
        yield chunk
        left -= rows


def _first(chunk: Chunk, left: int) -> Chunk:
    """The first rows of a chunk, with what is said of them."""

    def kept(said: Mapping[int, str]) -> dict[int, str]:
        return {row: text for row, text in said.items() if row < left}

    return replace(
        chunk,
        batch=chunk.batch.slice(0, left),
        damaged=kept(chunk.damaged),
        unread={name: kept(texts) for name, texts in chunk.unread.items()},
        because={name: kept(rules) for name, rules in chunk.because.items()},
    )


def _outcome(contract: Contract, sums: _Sums, said: tuple[str, ...]) -> DryRun:
    repeated = 0
    if sums.keys:
        keys = pl.concat(sums.keys)
        repeated = len(keys) - keys.n_unique() if len(keys) else 0
    fails = ""
    try:
        drift_policy.enforce(contract, sums.reasons)
    except SchemaMismatch as error:
        fails = str(error)
    return DryRun(
        dataset=contract.id,
        read=sums.read,
        accepted=sums.accepted,
        rejected=sums.rejected,
        repeated=repeated,
        whole=sums.whole,
        reasons=_listed(sums.reasons),
        warnings=_listed(sums.warnings),
        columns=tuple(
            ColumnFound(f.name, f.native, f.type, sums.filled[f.name], sums.spoilt[f.name])
            for f in contract.fields
        ),
        remarks=said,
        holds=_holds(contract, sums),
        fails=fails,
    )


def _listed(found: Counter[Reason]) -> tuple[tuple[str, str, int], ...]:
    """Field, rule and rows, the most frequent first."""
    return tuple(
        (reason.field, reason.rule, rows)
        for reason, rows in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    )


def _holds(contract: Contract, sums: _Sums) -> tuple[str, ...]:
    """Critical expectations that what was read fails by itself, without what was usual before."""
    return tuple(
        f"{e.name}: {sums.rejected:,} of {sums.read:,} rows rejected"
        for e in contract.expectations
        if isinstance(e.check, RejectedShare)
        and e.severity == "critical"
        and sums.read >= e.check.at_least
        and sums.rejected > e.check.max_share * sums.read
    )
