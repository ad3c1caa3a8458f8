"""Reconciliation: what the source holds and what is published, compared by key and row.

Bucketed checksums find the keys in doubt: inside both databases where the source is a PostgreSQL,
else by streaming the source through the gate into a staging table. The rows in doubt are then read
through connector and gate and compared value by value: only that counts as a difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from onecard.base import logs
from onecard.collect.context import CollectContext
from onecard.errors import ConfigError, NotCollected, SupersededError
from onecard.model.reconciliations import ReconciliationResult
from onecard.model.signoffs import SignOff
from onecard.ports.comparison import RowKey
from onecard.reconcile import deletes
from onecard.reconcile.heal import heal
from onecard.reconcile.keys_in_doubt import KeysInDoubt
from onecard.reconcile.noting import noted
from onecard.reconcile.services import TransferDesk
from onecard.reconcile.source_rows import KeyDifferences, SourceRows
from onecard.store import absences, database, datasets, locks, reconciliations, registry
from onecard.store.reconciliations import SHOWN
from onecard.store.referrer import Referrer
from schemas.models.contract import Contract

COUNTED = (
    *("rows_hub", "rows_other", "missing", "extra", "differing", "older", "healed", "tombstoned"),
)
"""Counts that the log tells."""
ALL = "all"
SHORTEST = 8
"""Hexadecimal digits of a reference that name a row: 1 of 4 billion."""
_REFERENCE = re.compile(f"[0-9a-f]{{{SHORTEST},64}}")


@dataclass(frozen=True, slots=True)
class AcceptOlder:
    """Which rows may replace newer published ones, who says so, and why.

    Attributes:
        refs: beginnings of the rows' references, as a reconciliation shows them; `all`: all.
    """

    refs: tuple[str, ...]
    how: SignOff

    def check(self) -> None:
        """Raise when it names no row by enough letters, or as `SignOff.check` does.

        Raises:
            ConfigError: names what is missing.
        """
        self.how.check()
        short = [r for r in self.refs if r != ALL and not _REFERENCE.fullmatch(r)]
        if short or not self.refs:
            msg = (
                f"--accept-older {' '.join(short)}: write `{ALL}`, or references of rows as"
                f" `onecard reconcile` shows them: {SHORTEST} or more hexadecimal digits"
            )
            raise ConfigError(msg)

    def names(self, ref: bytes) -> bool:
        """Whether a row is among them."""
        return any(r == ALL or ref.hex().startswith(r) for r in self.refs)


@dataclass(frozen=True, slots=True)
class ReconcileOptions:
    """What a run of a reconciliation shall do.

    Attributes:
        since: compare only rows whose cursor is not before; absences are then not judged.
        heal: publish what is missing or differs, and what is deleted by the hold rules.
        release: who lets more absences be deleted than the limit allows, and why.
        accept: which older rows of the source replace newer published ones.
        seen: the held reconciliation that the person who releases saw; 0: whichever is the newest.
    """

    since: datetime | None = None
    heal: bool = True
    release: SignOff | None = None
    accept: AcceptOlder | None = None
    seen: int = 0


def reconcile(
    hub: TransferDesk, dataset: str, options: ReconcileOptions | None = None
) -> ReconciliationResult:
    """Compare one dataset with its source, and heal it.

    The result's `check` raises when a person must decide.

    Args:
        hub: the hub.
        dataset: its id.
        options: what the run shall do; default: compare everything and heal.

    Raises:
        NotCollected: nothing is published yet.
        ConfigError: unknown dataset, `since` without a cursor, a release
            that `SignOff.check` refuses.
        SupersededError: `seen` is not the last complete one any more.
        OnecardError: as connector, gate and collect raise it; the ledger then says `failed`.
    """
    with logs.step("reconcile", dataset=dataset, actor=hub.settings.actor):
        done = _reconcile(hub, hub.catalogue.contract(dataset), options or ReconcileOptions())
        logs.note(counts={name: getattr(done, name) for name in COUNTED})
    return done


def _reconcile(
    hub: TransferDesk, contract: Contract, options: ReconcileOptions
) -> ReconciliationResult:
    with database.connect(hub.address, autocommit=True) as connection:
        _ready(connection, contract, options)
        locks.hold(connection, locks.Kind.RECONCILIATION, contract.id)
        _as_seen(connection, contract.id, options.seen)
        now, actor = hub.settings.now(), hub.settings.actor

        def start() -> int:
            return reconciliations.start(connection, "dataset", contract.id, now, options.since)

        with noted(hub, connection, contract.id, start) as number:
            done = _Reconciliation(hub, contract, connection, number, options).run()
            reconciliations.finish(connection, done, actor, options.release)
    return done


def _ready(connection: database.Connection, contract: Contract, options: ReconcileOptions) -> None:
    if options.release:
        options.release.check()
    if options.accept:
        options.accept.check()
    if not registry.exists(connection, contract):
        msg = f"{contract.id}: nothing is published yet; run `onecard collect {contract.id}` first"
        raise NotCollected(msg)
    if options.since and not contract.source.cursor:
        msg = f"{contract.id}: --since needs a cursor, which the contract's source does not name"
        raise ConfigError(msg)


def _as_seen(connection: database.Connection, dataset: str, seen: int) -> None:
    newest = reconciliations.newest(connection, dataset) if seen else 0
    if newest != seen:
        msg = f"{dataset}: reconciliation {newest} has come after {seen}, which was to be released"
        raise SupersededError(msg)


class _Reconciliation:
    """One run over one dataset."""

    def __init__(
        self,
        hub: TransferDesk,
        contract: Contract,
        connection: database.Connection,
        number: int,
        options: ReconcileOptions,
    ) -> None:
        self._hub, self._contract, self._connection = hub, contract, connection
        self._number, self._options = number, options
        self._tools: CollectContext = hub.tools(contract.id)
        self._state = datasets.state(connection, contract.id)

    def run(self) -> ReconciliationResult:
        staged = SourceRows(self._tools, self._contract, self._connection, self._number)
        with staged.opened() as rows:
            taken = self._state.checkpoint.get("source") or {}
            doubt = KeysInDoubt(self._tools, self._contract, self._options.since, taken)
            method, found = doubt.found(rows)
            rows.look_up(self._watermark())
            differences = rows.judge(found.keys, self._watermark())
            if not self._judges_older():
                differences = replace(differences, older=())
            healed = self._healed(rows, differences, found.rows_ours)
            accepted = self._accepted(rows, differences.older)
            done = ReconciliationResult(
                id=self._number,
                subject=self._contract.id,
                method=method,
                buckets=found.buckets,
                rows_hub=found.rows_ours,
                rows_other=found.rows_theirs,
                missing=len(differences.missing) + len(rows.unknown),
                extra=len(differences.extra) if self._judges_absence() else 0,
                differing=len(differences.differing) + len(rows.doubtful),
                waiting=len(differences.waiting) + rows.waiting,
                quarantined=rows.rejected - len(rows.unknown) - len(rows.doubtful) - rows.waiting,
                older=len(differences.older),
                healed=healed + accepted,
                refs=self._references(differences, rows.doubtful),
            )
            return _with_outcome(self._deletes(done, differences.extra, rows.version))

    def _healed(self, rows: SourceRows, differences: KeyDifferences, rows_ours: int) -> int:
        """Publish and quarantine what is missing; far too many rejected rows are left alone."""
        wrong = (*differences.missing, *differences.differing)
        rejected = rows.unknown
        if deletes.rules().too_many_rejected(len(rejected), rows_ours):
            rejected = ()
        if not self._options.heal or not (wrong or rejected):
            return 0
        rows.choose(wrong)
        return heal(self._hub, self._contract, rows, rejected)

    def _accepted(self, rows: SourceRows, older: tuple[RowKey, ...]) -> int:
        """Publish the older rows that a person has named, each as the source has it."""
        accept = self._options.accept
        if accept is None or not self._options.heal:
            return 0
        refs = self._referrer().refs(older)
        chosen = [key for key, ref in zip(older, refs, strict=True) if accept.names(ref)]
        if not chosen:
            msg = (
                f"{self._contract.id}: no row of the source that is older than the published one"
                f" has such a reference; `onecard reconcile {self._contract.id}` shows them"
            )
            raise ConfigError(msg)
        rows.choose(chosen)
        return heal(self._hub, self._contract, rows, (), accept.how)

    def _judges_older(self) -> bool:
        """Old rows in a folder of files are no difference: newer files have replaced them."""
        return self._contract.source.connector not in deletes.rules().never_from

    def _watermark(self) -> datetime | None:
        """From here on the next collect reads the source anyway."""
        cursor = self._state.checkpoint.get("cursor")
        if not self._contract.source.cursor or not isinstance(cursor, str):
            return None
        return datetime.fromisoformat(cursor) - self._contract.source.overlap.span

    def _judges_absence(self) -> bool:
        never = deletes.rules().never_from
        return self._options.since is None and self._contract.source.connector not in never

    def _deletes(
        self, done: ReconciliationResult, absent: tuple[RowKey, ...], version: int
    ) -> ReconciliationResult:
        """Publish as deleted what the hold rules allow."""
        if not self._judges_absence():
            return done
        refs = self._referrer().refs(absent)
        by_ref = dict(zip(refs, absent, strict=True))
        before = reconciliations.before(self._connection, self._contract.id, self._number)
        look = deletes.sweep(self._number, before, self._hub.settings.now())
        believed = deletes.believed(self._connection, self._contract.id, by_ref, look)
        limits = deletes.rules()
        released = self._options.release and done.rows_other
        if limits.too_many(len(absent), done.rows_hub, done.rows_other) and not released:
            return replace(done, held=len(absent))
        if not believed or not self._options.heal:
            return done
        number = deletes.tombstone(self._connection, self._contract, believed, version, look.now)
        gone = set(believed)
        found = [ref for ref, key in by_ref.items() if key in gone]
        absences.forget(self._connection, self._contract.id, found)
        return replace(done, tombstoned=number)

    def _referrer(self) -> Referrer:
        return Referrer(self._contract, self._tools.keys.quarantine(), self._tools.suite.name)

    def _references(
        self, differences: KeyDifferences, rejected: tuple[RowKey, ...]
    ) -> dict[str, list[str]]:
        kinds: dict[str, Iterable[RowKey]] = {
            "missing": differences.missing,
            "extra": differences.extra,
            "differing": differences.differing,
            "older": differences.older,
            "rejected": rejected,
        }
        shown = {kind: sorted(keys)[:SHOWN] for kind, keys in kinds.items()}
        referrer = self._referrer()
        return {
            kind: [r.hex() for r in referrer.refs(keys)] for kind, keys in shown.items() if keys
        }


def _with_outcome(done: ReconciliationResult) -> ReconciliationResult:
    """The outcome: the worst of what was found and not mended."""
    if done.held:
        return replace(done, outcome="held")
    wrong = done.missing + done.differing + done.older
    if not wrong + done.extra:
        return replace(done, outcome="agreed")
    mended = done.healed >= wrong and done.tombstoned == done.extra
    return replace(done, outcome="healed" if mended else "open")
