"""Carriers whose events skip a number: the source is asked for them before anything is published.

What it gives goes the way of all rows, in the same transfer, so that consumers get a carrier's
events in their order. A number that it does not give is a finding; rows behind it are published all
the same, as they may block a card. It is asked for again, ever more rarely (ADR 0035).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from onecard.collect.context import CollectContext
from onecard.collect.intake import Intake, IntakeResult
from onecard.collect.own_rows import OwnReading
from onecard.errors import OnecardError
from onecard.model.row_order import GAP
from onecard.ports.choice import Choosing, Only
from onecard.ports.row_gate import Reason
from onecard.ports.source import Chunk, Reading, ReadRequest
from onecard.store import carrier_gaps
from onecard.store.carrier_gaps import Gap
from onecard.store.database import Connection
from onecard.store.referrer import Referrer
from schemas.models.carrier import Carrier
from schemas.models.contract import Contract

log = logging.getLogger(__name__)

MOST_CARRIERS = 100
"""Carriers that a source is asked for at a time; others have their turn with the next collect."""
MOST_ROWS = 100_000
"""Rows that are taken at a time, where the source cannot be asked for a carrier alone."""
MOST_BACK = timedelta(days=1)
"""How far behind the watermark such a source is read."""


@dataclass(frozen=True, slots=True)
class GapStep:
    """Fills the gaps of what one transfer has staged, as far as its source does."""

    contract: Contract
    carrier: Carrier
    tools: CollectContext
    connection: Connection
    transfer: int

    def run(self, taken: IntakeResult, request: ReadRequest) -> IntakeResult:
        """Ask the source for what is skipped, stage it, and say what it does not give.

        Args:
            taken: what the intake of the reading found.
            request: of the reading.

        Returns:
            The same with what was read beside, and with the finding.
        """
        found = self._gaps()
        if not found:
            return taken
        asked = found[:MOST_CARRIERS]
        chunks = self._asked(asked, request)
        if chunks:
            intake = Intake(self.tools, self.contract, self.connection, self.transfer)
            taken = taken.with_more(intake.take_from(_Kept(chunks), request, None))
        left = self._gaps()
        refs = self._refs(left)
        carriers = [gap.carrier for gap in left]
        looked_at = {gap.carrier for gap in asked}
        first = sorted(range(len(left)), key=lambda n: carriers[n] not in looked_at)
        pairs = [(carriers[n], refs[n]) for n in first]
        again = sum(carrier in looked_at for carrier in carriers)
        carrier_gaps.note(self.connection, self.contract.id, pairs, again)
        return self._with_finding(taken, refs) if left else taken

    def _gaps(self) -> list[Gap]:
        return carrier_gaps.staged(self.connection, self.contract, self.carrier, self.transfer)

    def _refs(self, gaps: Sequence[Gap]) -> list[bytes]:
        """Keyed references of carriers."""
        key, suite = self.tools.keys.quarantine(), self.tools.suite.name
        return Referrer(self.contract, key, suite).refs([(gap.carrier,) for gap in gaps])

    def _with_finding(self, taken: IntakeResult, refs: Sequence[bytes]) -> IntakeResult:
        """With the finding: how many, and references of some."""
        named = ", ".join(ref.hex()[:16] for ref in refs[: carrier_gaps.LISTED])
        more = ", …" if len(refs) > carrier_gaps.LISTED else ""
        said = (
            f"{len(refs)} {self.carrier.field}(s) skip a number of {self.carrier.sequence} that"
            f" the source does not give ({GAP}): {named}{more}"
        )
        log.warning("%s: %s", self.contract.id, said)
        warnings = {**taken.warnings, Reason(self.carrier.sequence, GAP): len(refs)}
        return replace(taken, warnings=warnings, remarks=(*taken.remarks, said))

    def _asked(self, gaps: Sequence[Gap], request: ReadRequest) -> tuple[Chunk, ...]:
        """What the source gives; a source that fails here costs no other row."""
        found: list[Chunk] = []
        rows = 0
        try:
            for chunk in self._reading(gaps, request) or ():
                rows += chunk.batch.num_rows
                if rows > MOST_ROWS:
                    break
                found.append(chunk)
        except OnecardError as error:
            log.warning("%s: gaps cannot be asked for now: %s", self.contract.id, error)
            return ()
        return tuple(found)

    def _reading(self, gaps: Sequence[Gap], request: ReadRequest) -> Reading | None:
        """All events of these carriers, or older ones of all; None where that is read already.

        A request that reads on names a page of its own: neither begins there, nor ends soon.
        """
        system = self.tools.connections.get(self.contract.source.connection)
        connector, on = self.tools.connector, request.page is not None
        request = replace(request, page=None, most_pages=None)
        everything = replace(request, since=None, checkpoint={})
        if isinstance(connector, Choosing):
            only = Only(self.carrier.field, tuple(gap.carrier for gap in gaps))
            reading = connector.read_only(system, everything, only)
            if reading is not None:
                return reading
        usual = datetime.fromisoformat(str(request.since))
        since = min(self._since(gaps, usual), usual)
        if since == usual and not on:
            return None
        return connector.read(system, replace(request, since=since.isoformat()))

    def _since(self, gaps: Sequence[Gap], usual: datetime) -> datetime:
        """The moment of the first event before a gap, less the overlap, within bounds."""
        moments = [gap.before for gap in gaps if gap.before is not None]
        wanted = min(moments, default=usual) - self.contract.source.overlap.span
        return max(wanted, usual - MOST_BACK)


class _Kept(OwnReading):
    """A reading that was read to its end."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        super().__init__()
        self._chunks = chunks

    def __iter__(self) -> Iterator[Chunk]:
        yield from self._chunks
