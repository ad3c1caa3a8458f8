"""How quarantined rows of a source end without a person: by what a later collect has seen.

    mended      its record was read as a good row
    superseded  its record was rejected again, with other values or under a new key
    gone        a complete reading of the source did not find it, and its record is not published

A row that was not read does not end: neither an increment nor a folder of news says anything of it.
A row whose own reading has overtaken it ends with the transfer that brought it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, LiteralString

from psycopg import sql
from psycopg.rows import scalar_row

from onecard.base.sql_text import query
from onecard.store import staging
from onecard.store.database import Connection, fetch_all, one_scalar, scalars
from schemas.models.contract import Contract

_OPEN: LiteralString = (
    " FROM quarantine.record WHERE dataset = %(dataset)s AND agreement IS NULL"
    " AND status IN ('held', 'purged') AND record_ref IS NOT NULL"
)
_END: LiteralString = (
    "UPDATE quarantine.record r SET status = {status}, ended_by = {transfer},"
    " resolved_at = clock_timestamp() WHERE r.dataset = {dataset} AND r.agreement IS NULL"
    " AND {which}"
)
_BEFORE: LiteralString = "r.status IN ('held', 'purged') AND r.last_transfer < {transfer}"
_BY_ID: LiteralString = _BEFORE + " AND r.id = ANY(%s::bigint[])"
_BY_RECORD: LiteralString = _BEFORE + " AND r.record_ref = ANY(%s::bytea[])"
_OF_ITS_OWN: LiteralString = (
    "r.status = 'held' AND r.last_transfer = {transfer} AND r.fingerprint = ANY(%s::bytea[])"
)
_REJECTED: LiteralString = "SELECT DISTINCT record_ref FROM {bad} WHERE record_ref IS NOT NULL"
_OVERTAKEN: LiteralString = (
    "SELECT fingerprint FROM {bad} GROUP BY fingerprint HAVING bool_and(ended IS NOT NULL)"
    " AND (array_agg(ended ORDER BY place DESC))[1] = {status}"
)
"""A row that stood there several times has ended when nothing is left of it."""
_NOTED: LiteralString = "SELECT record FROM {t} WHERE status = {status}"
AT_ONCE = 20_000
"""Values that go to the database in one statement."""


@dataclass(frozen=True, slots=True)
class OpenRows:
    """How many rows have not ended of those whose records are referred to under one key."""

    key_epoch: str
    suite: str
    rows: int


def open_rows(connection: Connection, dataset: str) -> list[OpenRows]:
    """Rows of a source that have not ended and whose record is known, by the key of references.

    Args:
        connection: of the hub's database.
        dataset: whose rows.
    """
    return fetch_all(
        connection,
        OpenRows,
        "SELECT key_epoch, suite, count(*) AS rows" + _OPEN + " GROUP BY 1, 2 ORDER BY 1, 2",
        {"dataset": dataset},
    )


@dataclass(frozen=True, slots=True)
class _Ids:
    record_ref: bytes
    ids: list[int]


def open_ids(
    connection: Connection, dataset: str, which: OpenRows, refs: Sequence[bytes] | None
) -> dict[bytes, list[int]]:
    """Ids of such rows by the references of their records.

    Args:
        connection: of the hub's database.
        dataset: whose rows.
        which: under which key.
        refs: of these records; None: of all.
    """
    statement: LiteralString = (
        "SELECT record_ref, array_agg(id) AS ids" + _OPEN + " AND key_epoch = %(key_epoch)s"
        " AND suite = %(suite)s AND (%(refs)s::bytea[] IS NULL OR record_ref = ANY(%(refs)s))"
        " GROUP BY 1"
    )
    refs = None if refs is None else list(refs)
    wanted = {"key_epoch": which.key_epoch, "suite": which.suite, "dataset": dataset, "refs": refs}
    return {line.record_ref: line.ids for line in fetch_all(connection, _Ids, statement, wanted)}


def note(
    connection: Connection,
    contract: Contract,
    transfer: int,
    records: Collection[int],
    status: Literal["mended", "superseded"],
) -> None:
    """Note which quarantined rows' records a transfer has read anew.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: that has staged them.
        records: ids of the quarantined rows.
        status: `mended` where it was read as a good row, `superseded` where it was rejected.
    """
    if not records:
        return
    connection.execute(
        query(
            "INSERT INTO {t} SELECT unnest(%s::bigint[]), %s",
            t=staging.mended(contract, transfer),
        ),
        (sorted(records), status),
    )


def settle(connection: Connection, contract: Contract, transfer: int) -> None:
    """End what the transfer has seen as a good row, or rejected anew with other values.

    So end rows of its own as well that others of the reading have overtaken
    (`onecard.store.overtaken`).

    Args:
        connection: in the transaction that publishes, with the rejected rows absorbed.
        contract: of the dataset.
        transfer: that is published.
    """
    ending = _Ending(connection, contract, transfer)
    rejected = staging.rejected(contract, transfer)
    if ending.any():
        ending.end("superseded", _BY_RECORD, ending.read(query(_REJECTED, bad=rejected)))
        for status in ("superseded", "mended"):
            noted = query(_NOTED, t=staging.mended(contract, transfer), status=sql.Literal(status))
            ending.end(status, _BY_ID, ending.read(noted))
    for status in ("superseded", "mended"):
        overtaken = query(_OVERTAKEN, bad=rejected, status=sql.Literal(status))
        ending.end(status, _OF_ITS_OWN, ending.read(overtaken))


def unseen(connection: Connection, contract: Contract, transfer: int) -> list[int]:
    """Rows with values that have not ended and were not seen by this transfer.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: a complete reading of the source.
    """
    return scalars(
        connection,
        int,
        "SELECT id FROM quarantine.record WHERE dataset = %s AND agreement IS NULL"
        " AND status = 'held' AND payload IS NOT NULL AND last_transfer < %s ORDER BY id",
        (contract.id, transfer),
    )


def settle_whole(
    connection: Connection, contract: Contract, transfer: int, mended: Collection[int]
) -> None:
    """End everything that a complete reading of the source has not found any more.

    Args:
        connection: in the transaction that publishes, after `settle`.
        contract: of the dataset.
        transfer: that is published.
        mended: ids of those whose record is published; the others are gone.
    """
    ending = _Ending(connection, contract, transfer)
    known = sorted(mended)
    parts = (known[start : start + AT_ONCE] for start in range(0, len(known), AT_ONCE))
    ending.end("mended", _BY_ID, parts)
    ending.end_rest("gone")


@dataclass(frozen=True, slots=True)
class _Ending:
    """Ends rows of a dataset by a transfer.

    Which ones they are is told by values and not by a join: where many rows came or went just now,
    PostgreSQL takes them for few, and would compare each with each.
    """

    connection: Connection
    contract: Contract
    transfer: int

    def any(self) -> bool:
        """Whether any row from before stands open."""
        statement = query(
            "SELECT EXISTS (SELECT FROM quarantine.record r WHERE r.dataset = {dataset}"
            " AND r.agreement IS NULL AND {which})",
            dataset=sql.Literal(self.contract.id),
            which=query(_BEFORE, transfer=sql.Literal(self.transfer)),
        )
        return one_scalar(self.connection, bool, statement)

    def read(self, statement: sql.Composed) -> Iterator[Sequence[int] | Sequence[bytes]]:
        """Values that a query of the transfer's own tables gives, some at a time."""
        with self.connection.cursor("ending_values", row_factory=scalar_row) as cursor:
            cursor.execute(statement)
            while found := cursor.fetchmany(AT_ONCE):
                yield found

    def end(
        self,
        status: str,
        which: LiteralString,
        parts: Iterable[Sequence[int] | Sequence[bytes]],
    ) -> None:
        """End those that have one of some values.

        Args:
            status: from now on.
            which: condition, with a place for the values.
            parts: the values, of ids or of references, some at a time.
        """
        statement = self._statement(status, which)
        for values in parts:
            self.connection.execute(statement, (values,))

    def end_rest(self, status: str) -> None:
        """End all from before that stand open."""
        self.connection.execute(self._statement(status, _BEFORE))

    def _statement(self, status: str, which: LiteralString) -> sql.Composed:
        transfer = sql.Literal(self.transfer)
        return query(
            _END,
            status=sql.Literal(status),
            transfer=transfer,
            dataset=sql.Literal(self.contract.id),
            which=query(which, transfer=transfer),
        )
