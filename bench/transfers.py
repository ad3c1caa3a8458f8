"""`python -m bench.transfers`: the governed hot path against COPY | COPY and against peers.

The same rows from PostgreSQL to PostgreSQL with the same end state: a table with its primary key.
Interleaved rounds of whole processes, the median of each. Writes the section "transfers" of
RESULTS.md and the chart beside it.
"""

from __future__ import annotations

from argparse import Namespace
from collections import defaultdict
from dataclasses import dataclass, field

from bench import chart, floor, peers, transfer_figures
from bench.arguments import parser
from bench.measure import Run, run
from bench.results import publish
from bench.transfer_figures import Found
from bench.world import World, world
from demo.hot import touch
from onecard import native


@dataclass
class Transfers:
    """What was measured so far, in the order in which it stands in the table.

    Attributes:
        runs: of each way to move the rows, by its name; what failed has none.
        double: first loads of twice the rows.
        failed: why a peer could not move them, by its name.
    """

    runs: dict[str, list[Run]] = field(default_factory=lambda: defaultdict(list))
    double: list[Run] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, done: Run) -> None:
        """Keep one run, and say it."""
        self.runs[name].append(done)
        print(f"  {name}: {done.seconds:.2f} s, {done.cpu:.2f} CPU s", flush=True)


def governed(w: World, found: Transfers) -> None:
    """The hub's own three: all rows, all again unchanged, and 1% changed."""
    w.forget()
    for name, more in (("first", ()), ("same", ("--whole",)), ("changed", ())):
        if name == "changed":
            touch(w.source, "hrss", 0.01)
        words = w.collect(*more)
        w.settle()
        found.add(name, run(words, environment=w.environment(), server=w.hub))
        w.check_registry()


def one_round(w: World, found: Transfers, others: list[peers.Peer]) -> None:
    """Everything once, so that a slow minute hits all alike."""
    found.add("copy", floor.copy(w, keyed=False))
    found.add("keyed", floor.copy(w, keyed=True))
    governed(w, found)
    for peer in others:
        w.empty_target()
        w.settle()
        try:
            done = run(peer.command(w), then=[floor.add_key(w)], server=w.target)
            w.check_target(peer.share)
        except RuntimeError as error:
            found.failed[peer.name] = str(error)
            print(f"  {peer.name}: {str(error)[-300:]}", flush=True)
        else:
            found.add(peer.name, done)


def doubled(options: Namespace, found: Transfers) -> None:
    """First loads of twice the rows."""
    with world(options.home / "hub", options.rows * 2) as w:
        for _ in range(options.rounds):
            w.forget()
            w.settle()
            done = run(w.collect(), environment=w.environment(), server=w.hub)
            w.check_registry()
            found.double.append(done)
            print(f"  {2 * options.rows:,} rows: {done.seconds:.2f} s", flush=True)


def chosen(options: Namespace, w: World) -> tuple[list[peers.Peer], list[str]]:
    """The peers, and sentences on those that are left out."""
    if options.no_peers:
        return [], ["No peers: left out by `--no-peers`."]
    return peers.peers(options.home / "peers", w)


def main() -> None:
    """Entry point."""
    words = parser(__doc__, rows=floor.FULL)
    words.add_argument("--no-peers", action="store_true")
    options = words.parse_args()
    found = Transfers()
    with world(options.home / "hub", options.rows) as w:
        others, notes = chosen(options, w)
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", flush=True)
            one_round(w, found, others)
    doubled(options, found)
    keep(options, found, {peer.name: peer.share for peer in others}, notes)


def keep(options: Namespace, found: Transfers, shares: dict[str, float], notes: list[str]) -> None:
    """Write the floor, the section and the chart."""
    measured = floor.of(found.runs["copy"], found.runs["keyed"], options.rows)
    floor.keep(options.home, measured)
    notes += [f"{name}: failed." for name in found.failed if name not in found.runs]
    if native.library() is None:
        why = native.absence() or "switched off"
        notes.append(f"Ours took its plain paths, without the compiled library ({why}).")
    figures = Found(options.rows, found.runs, found.double, shares, tuple(notes))
    drawing = options.results.with_suffix(".svg").with_name("results.svg")
    drawing.write_text(chart.draw(figures.bars(), figures.limits()), encoding="utf-8")
    publish(options, transfer_figures.section(figures))


if __name__ == "__main__":
    main()
