"""Reconciliation: what the source holds and what is published, compared by key and row.

Bucketed checksums find the keys in doubt: inside both databases where the source is a PostgreSQL,
else by streaming the source through the gate into a staging table. The rows in doubt are then read
through connector and gate and compared value by value: only that counts as a difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from psycopg import sql

from onecard.app.wiring import Hub
from onecard.base import logs
from onecard.base.sql_text import query
from onecard.collect.run import CollectContext
from onecard.errors import ConfigError
from onecard.model.reconciliations import Reconciled
from onecard.model.signoffs import SignOff
from onecard.ports.comparison import RowKey
from onecard.ports.source import Column, ReadRequest
from onecard.ports.sql_side import Comparable, SqlSide, settle, table_side
from onecard.reconcile import deletes
from onecard.reconcile.buckets import Candidates, compare
from onecard.reconcile.deletes import Run
from onecard.reconcile.heal import heal
from onecard.reconcile.stage import Stage, Verdict
from onecard.store import database, ledger, reconciliations, registry
from onecard.store.reconciliations import SHOWN
from onecard.store.record_refs import Referrer
from onecard.store.refusals import as_hub_error
from schemas.models.contract import Contract

COUNTED = ("rows_hub", "rows_other", "missing", "extra", "differing", "healed", "tombstoned")
"""Counts that the log tells."""
MOST_KEYS = 100_000
"""With more keys in doubt than this the source is read whole."""


@dataclass(frozen=True, slots=True)
class ReconcileOptions:
    """What a run of a reconciliation shall do.

    Attributes:
        since: compare only rows whose cursor is not before; absences are then not judged.
        heal: publish what is missing or differs, and what is deleted by the hold rules.
        release: who lets more absences be deleted than the limit allows, and why.
    """

    since: datetime | None = None
    heal: bool = True
    release: SignOff | None = None


def reconcile(hub: Hub, dataset: str, wish: ReconcileOptions | None = None) -> Reconciled:
    """Compare one dataset with its source, and heal it.

    The result's `check` raises when a person must decide.

    Raises:
        ConfigError: unknown dataset, nothing published yet, `since` without a cursor, a release
            that `SignOff.check` refuses.
        OnecardError: as connector, gate and collect raise it; the ledger then says `failed`.
    """
    with logs.step("reconcile", dataset=dataset, actor=hub.settings.actor):
        done = _reconcile(hub, hub.catalogue.contract(dataset), wish or ReconcileOptions())
        logs.note(counts={name: getattr(done, name) for name in COUNTED})
    return done


def _reconcile(hub: Hub, contract: Contract, wish: ReconcileOptions) -> Reconciled:
    with database.connect(hub.address, autocommit=True) as connection:
        _ready(connection, contract, wish)
        lock = "SELECT pg_advisory_lock(hashtextextended('reconcile ' || %s, 0))"
        connection.execute(lock, (contract.id,))
        now, actor = hub.settings.now(), hub.settings.actor
        number = reconciliations.start(connection, "dataset", contract.id, now, wish.since)
        try:
            done = _Reconciliation(hub, contract, connection, number, wish).run()
            reconciliations.finish(connection, done, actor, wish.release)
        except Exception as caught:  # noqa: BLE001 - noted, then raised as one of ours
            error = as_hub_error(caught)
            reconciliations.failed(connection, number, contract.id, error, actor)
            raise error from None
    return done


def _ready(connection: database.Connection, contract: Contract, wish: ReconcileOptions) -> None:
    if wish.release:
        wish.release.check()
    if not registry.exists(connection, contract):
        msg = f"{contract.id}: nothing is published yet; run `onecard collect {contract.id}` first"
        raise ConfigError(msg)
    if wish.since and not contract.source.cursor:
        msg = f"{contract.id}: --since needs a cursor, which the contract's source does not name"
        raise ConfigError(msg)


class _Reconciliation:
    """One run over one dataset."""

    def __init__(
        self,
        hub: Hub,
        contract: Contract,
        connection: database.Connection,
        number: int,
        wish: ReconcileOptions,
    ) -> None:
        self._hub, self._contract, self._connection = hub, contract, connection
        self._number, self._wish = number, wish
        self._tools: CollectContext = hub.tools(contract.id)
        self._state = ledger.state(connection, contract.id)

    def run(self) -> Reconciled:
        with Stage(self._tools, self._contract, self._connection, self._number).opened() as stage:
            found = self._by_sql(stage)
            method: Literal["sql", "stream"] = "stream" if found is None else "sql"
            if found is None:
                found = self._by_stream(stage)
            verdict = stage.judge(found.keys, self._watermark())
            wrong = (*verdict.missing, *verdict.differing)
            healed = 0
            if self._wish.heal and (wrong or stage.unknown):
                stage.choose(wrong)
                healed = heal(self._hub, self._contract, stage)
            done = Reconciled(
                id=self._number,
                subject=self._contract.id,
                method=method,
                buckets=found.buckets,
                rows_hub=found.rows_ours,
                rows_other=found.rows_theirs,
                missing=len(verdict.missing) + len(stage.unknown),
                extra=len(verdict.extra) if self._judges_absence() else 0,
                differing=len(verdict.differing),
                waiting=len(verdict.waiting),
                quarantined=stage.rejected - len(stage.unknown),
                healed=healed,
                refs=self._references(verdict),
            )
            return _settled(self._deletes(done, verdict.extra, stage.version))

    def _by_sql(self, stage: Stage) -> Candidates | None:
        """Keys in doubt by checksums inside both databases, their rows staged; None: stream."""
        connector, contract = self._tools.connector, self._contract
        if not isinstance(connector, Comparable):
            return None
        system, request = self._tools.connections.get(contract.source.connection), self._request()
        with ExitStack() as stack:
            theirs = stack.enter_context(connector.side(system, request, contract))
            if theirs is None:
                return None
            ours = stack.enter_context(database.connect(self._tools.address))
            settle(ours)
            mine = self._side(ours, registry.published(contract), live=True)
            if mine.probe() != theirs.probe():
                return None
            found = compare(mine, self._recent(theirs))
        if len(found.keys) > MOST_KEYS:
            return None
        if found.keys:
            stage.fill(connector.read_keys(system, request, contract.key, found.keys))
        return found

    def _by_stream(self, stage: Stage) -> Candidates:
        """Keys in doubt after reading the source whole, through the gate, into staging."""
        system = self._tools.connections.get(self._contract.source.connection)
        stage.fill(self._tools.connector.read(system, self._request()))
        with (
            database.connect(self._tools.address) as first,
            database.connect(self._tools.address) as second,
        ):
            settle(first)
            settle(second)
            mine = self._side(first, registry.published(self._contract), live=True)
            return compare(mine, self._side(second, stage.table, live=False))

    def _side(
        self, connection: database.Connection, table: sql.Identifier, *, live: bool
    ) -> SqlSide:
        where = sql.SQL("_deleted_at IS NULL" if live else "true")
        return self._recent(table_side(connection, self._contract, table, where))

    def _recent(self, side: SqlSide) -> SqlSide:
        cursor, since = self._contract.source.cursor, self._wish.since
        if not cursor or since is None:
            return side
        bound = sql.Literal(since.isoformat())
        where = query("{w} AND {c} >= {b}", w=side.where, c=side.values[cursor], b=bound)
        return replace(side, where=where)

    def _request(self) -> ReadRequest:
        contract = self._contract
        return ReadRequest(
            dataset=contract.id,
            columns=tuple(Column(f.name, f.native, f.required) for f in contract.fields),
            options=self._tools.connector.source_options.model_validate(
                dict(contract.source.options)
            ),
            cursor=contract.source.cursor,
        )

    def _watermark(self) -> datetime | None:
        """From here on the next collect reads the source anyway."""
        cursor = self._state.checkpoint.get("cursor")
        if not self._contract.source.cursor or not isinstance(cursor, str):
            return None
        return datetime.fromisoformat(cursor) - self._contract.source.overlap.span

    def _judges_absence(self) -> bool:
        never = deletes.rules().never_from
        return self._wish.since is None and self._contract.source.connector not in never

    def _deletes(self, done: Reconciled, absent: list[RowKey], version: int) -> Reconciled:
        """Publish as deleted what the hold rules allow."""
        if not self._judges_absence():
            return done
        refs = self._referrer().refs(absent)
        by_ref = dict(zip(refs, absent, strict=True))
        before = reconciliations.before(self._connection, self._contract.id, self._number)
        run = Run(self._number, before, self._hub.settings.now())
        believed = deletes.note(self._connection, self._contract.id, by_ref, run)
        limits = deletes.rules()
        released = self._wish.release and done.rows_other
        if limits.too_many(len(absent), done.rows_hub, done.rows_other) and not released:
            return replace(done, held=len(absent))
        if not believed or not self._wish.heal:
            return done
        number = deletes.tombstone(self._connection, self._contract, believed, version, run.now)
        gone = set(believed)
        found = [ref for ref, key in by_ref.items() if key in gone]
        deletes.forget(self._connection, self._contract.id, found)
        return replace(done, tombstoned=number)

    def _referrer(self) -> Referrer:
        return Referrer(self._contract, self._tools.keys.quarantine(), self._tools.suite.name)

    def _references(self, verdict: Verdict) -> dict[str, list[str]]:
        kinds: dict[str, Iterable[RowKey]] = {
            "missing": verdict.missing,
            "extra": verdict.extra,
            "differing": verdict.differing,
        }
        shown = {kind: sorted(keys)[:SHOWN] for kind, keys in kinds.items()}
        referrer = self._referrer()
        return {
            kind: [r.hex() for r in referrer.refs(keys)] for kind, keys in shown.items() if keys
        }


def _settled(done: Reconciled) -> Reconciled:
    """The outcome: the worst of what was found and not mended."""
    if done.held:
        return replace(done, outcome="held")
    if not done.missing + done.differing + done.extra:
        return replace(done, outcome="agreed")
    mended = done.healed >= done.missing + done.differing and done.tombstoned == done.extra
    return replace(done, outcome="healed" if mended else "open")
