"""`python -m bench`: the governed hot path against COPY | COPY and against peers; writes RESULTS.md.

Interleaved rounds, the median of each, as ratios to `psql COPY binary | psql COPY binary` of the
same rows in the same run.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from bench import peers, results
from bench.measure import Run, machine, psql, run
from bench.report import write
from bench.world import HOME, TABLE, World, world
from demo.hot import DATASET, touch
from demo.tables import create_postgres
from schemas.models import catalogue


def copy_pipe(w: World) -> tuple[list[str], list[str]]:
    """The floor: COPY out and COPY in, nothing looked at; both parts of the pipe."""
    contract = catalogue.load().contract(DATASET)
    create_postgres(w.target, "peer", "ac01_card", contract)
    out = [psql(), "-qX", w.source, "-c", f"COPY {TABLE} TO STDOUT (FORMAT binary)"]
    into = [psql(), "-qX", w.target, "-c", "COPY peer.ac01_card FROM STDIN (FORMAT binary)"]
    return out, into


def one_round(w: World, found: dict[str, list[Run]], others: list[peers.Peer]) -> None:
    """Everything once, so that a slow minute hits all alike."""
    w.empty_target()
    found["copy"].append(run(*copy_pipe(w)))
    w.forget()
    environment = w.environment()
    found["first"].append(run(w.collect(), environment=environment))
    found["same"].append(run(w.collect("--whole"), environment=environment))
    changed = touch(w.source, "hrss", 0.01)
    found["changed"].append(run(w.collect(), environment=environment))
    figures = ", ".join(f"{name} {runs[-1].seconds:.1f} s" for name, runs in found.items())
    print(f"  {changed:,} rows changed; {figures}", flush=True)
    for peer in others:
        w.empty_target()
        try:
            found[peer.name].append(run(peer.command(w)))
            print(f"  {peer.name}: {found[peer.name][-1].seconds:.1f} s", flush=True)
        except RuntimeError as error:
            print(f"  {peer.name}: {str(error)[-300:]}", flush=True)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--home", type=Path, default=HOME, help="of servers, keys and peers")
    parser.add_argument("--results", type=Path, default=results.FILE)
    options = parser.parse_args()
    double: list[Run] = []
    found: dict[str, list[Run]] = defaultdict(list)

    def save(scale: dict[str, float]) -> str:
        text = write(machine(), options.rows, found, double, scale)
        results.put(options.results, "transfers", text)
        return text

    with world(options.home / "hub", options.rows) as w:
        others = [] if options.no_peers else peers.peers(options.home / "peers", w)
        scale = {peer.name: peer.share for peer in others}
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", flush=True)
            one_round(w, found, others)
            save(scale)
    with world(options.home / "hub", options.rows * 2) as w:
        for _ in range(options.rounds):
            w.forget()
            double.append(run(w.collect(), environment=w.environment()))
            print(f"{2 * options.rows:,} rows: {double[-1].seconds:.1f} s", flush=True)
    print(save(scale))


if __name__ == "__main__":
    main()
