"""The section of RESULTS.md on calls about single persons: phases, limits, the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

from bench.live_arrivals import quantile
from bench.measure import cell
from bench.results import Limit, Section

FEWEST, P95_MS, P99_MS = 400.0, 50.0, 200.0
SLOWER, FLAT = 3.0, 1.10
"""How often the bare handler may be as fast; memory after the last of the calls, ratio to that after
the first fifth of them."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Calls that were sent in one way.

    Attributes:
        name: of the way.
        took: seconds of each call that was answered.
        other: answers with a code that is no answer, and calls that were lost.
        seconds: from the first call to the last answer.
        service: CPU seconds of the service.
        server: of PostgreSQL, all its processes; None where it does not run on this machine.
        client: of the client.
    """

    name: str
    took: Sequence[float]
    other: int
    seconds: float
    service: float
    server: float | None
    client: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.took) / self.seconds

    def milliseconds(self, share: float) -> float:
        """Within which that share of the calls was answered."""
        return 1000 * quantile(self.took, share) if self.took else float("inf")

    def cells(self) -> tuple[str, ...]:
        """A row of the table."""
        times = [f"{self.milliseconds(share):.0f}" for share in (0.5, 0.95, 0.99, 1.0)]
        spent = [cell(self.service), cell(self.server), cell(self.client)]
        counts = f"{len(self.took):,}", f"{self.other:,}", f"{self.rate:,.0f}"
        return self.name, *counts, *times, *spent


def typical(phases: Sequence[Phase]) -> Phase:
    """The one with the median rate."""
    middle = median_low(phase.rate for phase in phases)
    return next(phase for phase in phases if phase.rate == middle)


@dataclass(frozen=True, slots=True)
class Record:
    """What is on record beside what was answered.

    Attributes:
        answered: calls with an answer.
        missing: of these, how many are not on record.
        twice: requests that are on record more than once.
        unanswered: on record, and the client got no answer.
        proved: answers of a sample whose proof holds, of how many.
        problem: what `onecard audit verify` finds; empty: nothing.
    """

    answered: int
    missing: int
    twice: int
    unanswered: int
    proved: tuple[int, int]
    problem: str

    @property
    def once(self) -> float:
        """Percent of the answers that are on record once."""
        return 100 * (1 - (self.missing + self.twice) / self.answered)

    def sentence(self) -> str:
        """What is said of it."""
        right, sample = self.proved
        return (
            f"On record at the end, beside {self.answered:,} answers: {self.missing} missing,"
            f" {self.twice} twice, {self.unanswered} without an answer that came. Of a sample of"
            f" {sample} answers {right} prove themselves offline; `onecard audit verify`:"
            f" {self.problem or 'the log and all groups of calls are whole'}."
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was measured.

    Attributes:
        rows: cards of the registry.
        rounds: of `closed` and `bare`, interleaved.
        closed: as many connections as the name says, each with its next call after its answer.
        bare: the same look-up by the bare handler, on as many connections as the last of `closed`.
        steady: calls at a rate, all of them, and those about persons whom the registry has.
        long: one call after the other for memory.
        megabytes: memory of the service after each fifth of these.
        record: on record at the end.
    """

    rows: int
    rounds: int
    closed: Sequence[Phase]
    bare: Phase
    steady: Sequence[Phase]
    long: Phase
    megabytes: Sequence[float]
    record: Record


def section(found: Figures) -> Section:
    """The section.

    Args:
        found: all that was measured.
    """
    phases = [*found.closed, found.bare, *found.steady, found.long]
    held = ", ".join(f"{m:,.0f}" for m in found.megabytes)
    return Section(
        name="single persons",
        title="Calls about single persons",
        module="serve",
        about=(
            f"`onecard serve`, one process, before a registry of {found.rows:,} cards; agreement F09,"
            " each call signed beforehand by a client in a process of its own on the same machine,"
            " each about another person, one in twenty about nobody; every answer on record before"
            f" it is given. Median of {found.rounds} interleaved rounds. At a rate: from the time at"
            " which a call was to leave. The bare handler: FastAPI and uvicorn with the same parser and"
            " loop, one statement, no signature, no agreement, no gate, no record. Counts for quotas are"
            " emptied between phases, as hours would. CPU seconds: of the service, of PostgreSQL,"
            " of the client."
        ),
        columns=(
            *("what", "answers", "others", "calls/s", "P50 ms", "P95 ms", "P99 ms", "longest ms"),
            *("CPU service", "CPU PostgreSQL", "CPU client"),
        ),
        rows=[phase.cells() for phase in phases],
        limits=_limits(found),
        notes=(
            f"Memory of the service after each fifth of the last phase, MB: {held}.",
            found.record.sentence(),
        ),
    )


def _limits(found: Figures) -> list[Limit]:
    most, steady, record = found.closed[-1], found.steady[0], found.record
    return [
        Limit(f"{most.name}: calls/s", FEWEST, most.rate, at_least=True),
        Limit(f"{steady.name}: P95, ms", P95_MS, steady.milliseconds(0.95)),
        Limit(f"{steady.name}: P99, ms", P99_MS, steady.milliseconds(0.99)),
        Limit("the bare handler, times as fast", SLOWER, found.bare.rate / most.rate),
        Limit("memory, last to first fifth", FLAT, found.megabytes[-1] / found.megabytes[0]),
        Limit("answers that are on record once, percent", 100.0, record.once, at_least=True),
    ]
