"""A rejected row once more: whether it may still be published, now that time has passed.

The registry may have a newer row of its record by then: mended by its agency and read since. An
old row is never put over it unless a person insists. Where the contract names a sequence, that
decides, and nobody can put a lower one over a higher.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from onecard.base.times import shown
from onecard.collect.context import CollectContext
from onecard.collect.own_rows import OneRow
from onecard.errors import OlderRow, PolicyError
from onecard.store import database, datasets, published_row, transfers
from onecard.store.published_row import PublishedRow
from schemas.models.contract import Contract

FORCE = "; `--force` with a reason publishes it all the same"


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A quarantined row, to be published after all.

    Attributes:
        record: its id.
        transfer: the collect that rejected it last.
        seen: the hub's time of that.
        force: a person wants it published over a newer one.
    """

    record: int
    transfer: int
    seen: datetime
    force: bool = False


@dataclass(frozen=True, slots=True)
class OnceMore:
    """Decides for one row."""

    contract: Contract
    tools: CollectContext
    row: RejectedRow

    def readable(self, values: Mapping[str, str | None]) -> None:
        """Refuse a row that was read under a contract with other fields.

        Args:
            values: of the row, by the fields of then.

        Raises:
            PolicyError: a field is gone or new; names the fields.
        """
        contract = self.contract
        gone = sorted(n for n, value in values.items() if value and n not in contract.names)
        wanted = set(contract.names) - contract.optional_fields
        new = sorted(wanted - set(values))
        if gone or new:
            parts = [f"has no more {', '.join(gone)}"] if gone else []
            parts += [f"has {', '.join(new)} since"] if new else []
            msg = (
                f"quarantined row {self.row.record}: the contract of {contract.id}"
                f" {' and '.join(parts)}: its source must be read again,"
                f" `onecard collect {contract.id} --whole`"
            )
            raise PolicyError(msg)

    def allowed(self, values: Mapping[str, str | None]) -> None:
        """Refuse a row that is older than what is published.

        Args:
            values: of the row, as read.

        Raises:
            OlderRow: the registry has a newer row of its record; says when each was seen.
            PolicyError: the dataset is held.
        """
        source = OneRow(dict(values), f"quarantine {self.row.record}")
        (chunk,) = source.read_fields(self.contract)
        good = self.tools.gate.check(chunk, self.tools.settings.now()).good
        with database.connect(self.tools.address, autocommit=True) as connection:
            self._held(connection)
            for typed in good.to_dicts():
                self.compare(published_row.of(connection, self.contract, typed), typed)

    def compare(self, there: PublishedRow | None, typed: Mapping[str, object]) -> None:
        """Raise as `allowed` when the published row of its record is newer.

        Args:
            there: the published row; None: there is none.
            typed: the row's values.
        """
        if there is None:
            return
        mine = typed.get(self.contract.sequence or "")
        if there.sequence is not None and isinstance(mine, int) and mine != there.sequence:
            if mine < there.sequence:
                how = f"got a higher {self.contract.sequence}, which decides"
                raise OlderRow(self._older(there, how))
            return
        if self.row.force:
            return
        since = self.row.seen
        if there.deleted_at is not None and there.deleted_at > since:
            how = f"been deleted on {_clock(there.deleted_at)}"
            raise OlderRow(self._older(there, how) + FORCE)
        if there.transfer > self.row.transfer:
            raise OlderRow(self._older(there, "been published anew") + FORCE)

    def _older(self, there: PublishedRow, how: str) -> str:
        row = self.row
        return (
            f"quarantined row {row.record} of {self.contract.id} was rejected by transfer"
            f" {row.transfer} on {_clock(row.seen)}; since then its record has {how}, by transfer"
            f" {there.transfer} on {_clock(there.at)}"
        )

    def _held(self, connection: database.Connection) -> None:
        """Refuse while the dataset is held: a replay would take what is staged away."""
        claim = datasets.state(connection, self.contract.id).claim
        if transfers.status(connection, claim) == "held":
            msg = (
                f"{self.contract.id}: transfer {claim} is held, and a replay would take its place:"
                f" `onecard release {claim}` first, or mend the source and collect it again"
            )
            raise PolicyError(msg)


def _clock(moment: datetime) -> str:
    """Beijing time, to the minute."""
    return shown(moment, "%Y-%m-%d %H:%M")
