"""Settles what repeats in one reading: by the key, then by `unique` rules, inside PostgreSQL.

Rows that equal the registry were not staged. Where a staged row has the key of such a row, both
stood in this reading, and the contract's order decides between them as between any two: the
published row is staged beside the other one before duplicates go, and taken out again if it wins.
Rejected rows that another row has overtaken end with the reading.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from onecard.collect.context import CollectContext
from onecard.collect.intake import Intake, IntakeResult
from onecard.collect.overtaken import OvertakenStep
from onecard.model.row_order import TIE
from onecard.ports.row_gate import Reason
from onecard.store import registry, staged_repeats, staging
from onecard.store.database import Connection
from onecard.store.known_hashes import KnownHashes
from schemas.models.contract import Contract


@dataclass(frozen=True, slots=True)
class SettleStep:
    """What one transfer has staged, on its way to one row a key."""

    contract: Contract
    tools: CollectContext
    connection: Connection
    transfer: int

    def run(self, taken: IntakeResult, known: KnownHashes | None) -> IntakeResult:
        """Deduplicate by key and quarantine what breaks a `unique` rule.

        Args:
            taken: what the intake found.
            known: the published rows that it met; None where all rows were staged.

        Returns:
            The same with the counts as they are now, and with what was found.
        """
        first = not registry.exists(self.connection, self.contract)
        taken = self._first(taken) if first else self._repeats(taken, known)
        taken = self._unique(taken, first=first)
        if taken.counts.quarantined:
            OvertakenStep(self.contract, self.tools, self.connection, self.transfer).run(known)
        return taken

    def _first(self, taken: IntakeResult) -> IntakeResult:
        """The first load's table gets its key, at once if no key repeats."""
        if staging.add_key(self.connection, self.contract, self.transfer):
            return taken
        taken = self._repeats(taken, None)
        staging.add_key(self.connection, self.contract, self.transfer)
        return taken

    def _repeats(self, taken: IntakeResult, known: KnownHashes | None) -> IntakeResult:
        where = (self.connection, self.contract, self.transfer)
        places = self._met(taken, known)
        staged = staged_repeats.stage_published(*where, places) if places else 0
        repeats = staged_repeats.deduplicate(*where)
        kept = staged_repeats.unstage_published(*where, places.keys()) if staged else 0
        counts = replace(
            taken.counts,
            unchanged=taken.counts.unchanged - staged + kept,
            deduplicated=taken.counts.deduplicated + repeats.dropped,
        )
        warnings = dict(taken.warnings)
        remarks = taken.remarks
        if repeats.tied:
            warnings[Reason("", TIE)] = repeats.tied
            said = (
                f"{repeats.tied} row(s) repeat the key of another with other content, and the"
                f" contract's order tells none of them newer ({TIE})"
            )
            remarks = (*remarks, said)
        return replace(taken, counts=counts, warnings=warnings, remarks=remarks)

    def _met(self, taken: IntakeResult, known: KnownHashes | None) -> dict[int, int]:
        """The published rows of staged keys that stood in this reading, with their last places."""
        counts = taken.counts
        staged = counts.rows_read - counts.unchanged - counts.quarantined - counts.deduplicated
        if known is None or not staged or not known.met:
            return {}
        address = self.tools.address
        hashes = staged_repeats.published_hashes(address, self.contract, self.transfer)
        return known.last_places(hashes)

    def _unique(self, taken: IntakeResult, *, first: bool) -> IntakeResult:
        # An intake of its own: what the first has counted by county is written already.
        intake = Intake(self.tools, self.contract, self.connection, self.transfer)
        repeated = intake.repeated(first=first)
        quarantined = taken.counts.quarantined + sum(repeated.values())
        rules = dict(taken.rules)
        for reason, number in repeated.items():
            rules[reason] = rules.get(reason, 0) + number
        return replace(taken, counts=replace(taken.counts, quarantined=quarantined), rules=rules)
