"""How a collect's step fails: what the ledger says then, and what of its rows is kept or gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from onecard.base import interrupts
from onecard.collect.context import CollectContext
from onecard.errors import (
    HoldError,
    Interrupted,
    OnecardError,
    RetriableError,
    StagingLost,
    SupersededError,
)
from onecard.model.holds import reading_remarks
from onecard.model.row_order import OLDER
from onecard.model.transfers import LIVE, CollectLine
from onecard.store import audit, database, datasets, partitions, releases, staging, transfers
from onecard.store.refusals import as_hub_error
from schemas.models.contract import Contract


def require_staged(
    connection: database.Connection,
    contract: Contract,
    transfer: int,
    line: CollectLine | None,
) -> None:
    """Check that what a transfer staged is still there: UNLOGGED tables are empty after a crash.

    A crash empties them as a whole, so that one row answers for all.

    Args:
        connection: of the hub's database.
        contract: of the dataset.
        transfer: that has staged the rows.
        line: what the ledger says of it.

    Raises:
        StagingLost: the good rows or the rejected ones are gone.
    """
    if line is None:
        return
    found = staging.any_rows(connection, contract, transfer)
    lost = (line.staged and not found.good) or (line.counts.quarantined and not found.rejected)
    if lost:
        msg = (
            f"{contract.id}: the database restarted, and what transfer {transfer} staged is gone;"
            " nothing was published, it must be staged again"
        )
        raise StagingLost(msg)


@dataclass(frozen=True, slots=True)
class Failing:
    """Notes how a dataset's transfers fail."""

    contract: Contract
    address: str
    actor: str

    @classmethod
    def of(cls, contract: Contract, tools: CollectContext) -> Failing:
        """That of one dataset."""
        return cls(contract, tools.address, tools.settings.actor)

    @contextmanager
    def noted(self, transfer: int, *, as_a_whole: bool = False) -> Iterator[None]:
        """Mark the transfer failed (or held) when the step raises.

        What is staged stays for a person (held) or for the retry of the same step (retriable,
        unless the step is retried `as_a_whole`); otherwise it goes. The next transfer of the
        dataset drops what stayed. Whatever a transfer stumbles over once a newer one has claimed
        the dataset (its tables are gone), the reason is that it was overtaken.
        """
        error: OnecardError | None = None
        try:
            with interrupts.closing(lambda: self._interrupted(transfer)):
                yield
        except Exception as caught:  # noqa: BLE001 - recorded, then raised as one of ours
            error = as_hub_error(caught)
        if error is None:
            return
        with database.connect(self.address, autocommit=True) as connection:
            error = overtaken(connection, self.contract.id, transfer) or error
            step_again = _same_again(error) and not as_a_whole
            if not (isinstance(error, HoldError) or step_again):
                # First of all: the disk may be full of it.
                self._drop(connection, transfer)
            self._note(connection, transfer, error)
        raise error

    @contextmanager
    def noted_if_final(self, transfer: int) -> Iterator[None]:
        """As `noted`; after what may succeed later, the transfer goes on with the same step."""
        try:
            yield
        except Exception as caught:  # noqa: BLE001 - raised as one of ours
            error = as_hub_error(caught)
            if _same_again(error):
                raise error from None
            with self.noted(transfer, as_a_whole=True):
                raise error from None

    @contextmanager
    def interrupted_between(self, begun: list[int]) -> Iterator[None]:
        """Mark transfers failed when the process is told to end between two steps of theirs.

        Only for who carries out all steps: where a scheduler does, what one step leaves is the
        next one's.

        Args:
            begun: their ids, as they are opened.
        """

        def close() -> None:
            for transfer in begun:
                self._interrupted(transfer)

        with interrupts.closing(close):
            yield

    def _interrupted(self, transfer: int) -> None:
        """Close a transfer whose process ends; by a session of its own, which waits for nobody.

        One that is held, or that a person has released, stays so: the release is made again.
        """
        with database.connect(self.address, autocommit=True) as connection:
            database.hurry(connection)
            now = transfers.status(connection, transfer)
            if now not in LIVE or (now == "audited" and self._released(connection, transfer)):
                return
            if overtaken(connection, self.contract.id, transfer) is None:
                self._note(connection, transfer, Interrupted(interrupts.number_of()))
                self._drop(connection, transfer)

    def _released(self, connection: database.Connection, transfer: int) -> bool:
        """Whether a person has let it pass what held it; to accept older rows is no such thing."""
        return any(r.finding != OLDER for r in releases.of(connection, transfer))

    def _drop(self, connection: database.Connection, transfer: int) -> None:
        """Drop what the transfer has staged, and its partitions but for what is still written.

        One that has not claimed the dataset has staged nothing: what stands there is of the one
        that has.
        """
        if datasets.state(connection, self.contract.id).claim < transfer:
            return
        staging.drop(connection, self.contract, older_than=transfer + 1, mine=transfer)
        for part in partitions.lines(connection, transfer):
            for attempt in part.attempts:
                staging.drop_one(connection, self.contract, attempt, wait=False)

    def _note(self, connection: database.Connection, transfer: int, error: OnecardError) -> None:
        """Status and audit entry: published stays so, what is audited may be published yet."""
        status = "held" if isinstance(error, HoldError) else "failed"
        with connection.transaction():
            now = transfers.lock_status(connection, transfer)
            if now != "published":
                kept = now in ("audited", "held") and _same_again(error)
                said = self._said(connection, transfer, error)
                transfers.record_end(connection, transfer, now if kept else status, said)
        with connection.transaction():
            body = {"transfer": transfer, "error": type(error).__name__}
            audit.append(connection, f"collect.{status}", self.contract.id, self.actor, body)

    def _said(self, connection: database.Connection, transfer: int, error: OnecardError) -> str:
        """The message; a held transfer may go on, so what its reading remarked stays in it."""
        if not isinstance(error, HoldError):
            return str(error)
        before = transfers.message(connection, transfer)
        remarked = reading_remarks(before, self.contract.id, transfer)
        return "; ".join(filter(None, [remarked, str(error)]))


def overtaken(
    connection: database.Connection, dataset: str, transfer: int
) -> SupersededError | None:
    """The error of a transfer whose dataset a newer one has claimed, else None.

    Args:
        connection: of the hub's database.
        dataset: `<agency>/<dataset>`.
        transfer: the older one.
    """
    newer = datasets.state(connection, dataset).claim
    if newer <= transfer:
        return None
    return SupersededError(
        f"{dataset}: transfer {transfer} was overtaken by {newer}; nothing published"
    )


def _same_again(error: OnecardError) -> bool:
    """Whether the same step may succeed later on what is staged."""
    return isinstance(error, RetriableError) and not isinstance(error, StagingLost)
