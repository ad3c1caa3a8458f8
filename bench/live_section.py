"""The section of RESULTS.md on the live lane: phases, limits, what consumers hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.live_arrivals import Held, quantile
from bench.live_processes import Spent
from bench.measure import cell
from bench.results import Limit, Section

DAG_MINUTE_S = 60.0
"""Between two runs of the DAG `card_status`."""
P95_S, P99_S, FAST_P95_S = 2.0, 5.0, 5.0
DRAINED, IDLE_PERCENT, FLAT = 1_000.0, 2.0, 1.25
"""Events a second; of one core; the larger burst's peak, ratio to the smaller one's."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Events, and how long each took from the source to the last consumer's confirmation."""

    name: str
    took: Sequence[float]
    spent: Spent

    @property
    def rate(self) -> float:
        """Events a second, until the last one was confirmed."""
        return len(self.took) / max(self.took)

    def cells(self) -> tuple[str, ...]:
        """A row of the table."""
        shares = [f"{quantile(self.took, share):.2f}" for share in (0.5, 0.95, 0.99, 1.0)]
        return self.name, f"{len(self.took):,}", *shares, *_spent(self.spent)


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was measured.

    Attributes:
        residents: of the city.
        processes: lanes that shared the work.
        by_dag: seconds of what the DAG does in a minute, in one warm process.
        idle: nothing came.
        phases: slow, fast, and two bursts, the smaller one first.
        held: what each consumer had at the end, by agreement.
    """

    residents: int
    processes: int
    by_dag: Sequence[float]
    idle: Spent
    phases: tuple[Phase, ...]
    held: Mapping[str, Held]


def section(found: Figures) -> Section:
    """The section.

    Args:
        found: all that was measured.
    """
    slow, fast, half, burst = found.phases
    rows = [phase.cells() for phase in found.phases]
    rows.append((f"idle, {found.idle.seconds:.0f} s", *["0", "", "", "", ""], *_spent(found.idle)))
    rows.append(_dag(found.by_dag))
    many = "" if found.processes == 1 else f"{found.processes} processes of "
    return Section(
        name="the live lane",
        title="The live lane",
        module="live",
        about=(
            f"A city of {found.residents:,} residents; {many}`onecard live` at its own pace, woken by"
            " nobody; events in the agency's API, seven consumers by a folder, HTTP, SFTP and a"
            " database, agencies' servers on the same machine. Seconds: from an event that is"
            " stored at the source until the last of the seven has confirmed it, by the ledger. The"
            " DAG: what it does for the events of a minute, one after the other in one warm"
            f" process, median of {len(found.by_dag)}; an event waits up to a minute before (50%: 30"
            " s, 95%: 57 s), and in the scheduler for processes that start. CPU seconds: of the"
            " lane, of PostgreSQL, of the agencies' servers. Peak: of the largest process of the"
            " lane."
        ),
        columns=(
            *("what", "events", "P50 s", "P95 s", "P99 s", "longest s"),
            *("CPU lane", "CPU PostgreSQL", "CPU agencies", "peak MB"),
        ),
        rows=rows,
        limits=_limits(found.idle, slow, fast, half, burst),
        notes=(_held(found.held),),
    )


def _limits(idle: Spent, slow: Phase, fast: Phase, half: Phase, burst: Phase) -> list[Limit]:
    return [
        Limit(f"{slow.name}: P95, seconds", P95_S, quantile(slow.took, 0.95)),
        Limit(f"{slow.name}: P99, seconds", P99_S, quantile(slow.took, 0.99)),
        Limit(f"{fast.name}: P95, seconds", FAST_P95_S, quantile(fast.took, 0.95)),
        Limit(f"{burst.name}: events/s until drained", DRAINED, burst.rate, at_least=True),
        Limit(
            f"{burst.name}: peak memory, ratio to {half.name}",
            FLAT,
            burst.spent.megabytes / half.spent.megabytes,
        ),
        Limit("idle, percent of one core", IDLE_PERCENT, 100 * idle.lane / idle.seconds),
    ]


def _dag(took: Sequence[float]) -> tuple[str, ...]:
    """The DAG's lane: the wait for the minute is spread evenly over it."""
    seconds = [f"{share * DAG_MINUTE_S + median(took):.2f}" for share in (0.5, 0.95, 0.99, 1.0)]
    return "the DAG's transfers once a minute, without its start", "", *seconds, *[""] * 4


def _spent(spent: Spent) -> tuple[str, ...]:
    return (
        cell(spent.lane),
        cell(spent.server),
        cell(spent.agencies),
        f"{spent.megabytes:,.0f}",
    )


def _held(held: Mapping[str, Held]) -> str:
    """What is said of the inboxes."""
    each = "; ".join(
        f"{name.split('-')[0]} {h.rows:,} ({h.wrong} wrong, {h.twice} twice)"
        for name, h in sorted(held.items())
    )
    return (
        f"Rows in the consumers' own systems at the end, beside what their agreements give: {each}."
    )
