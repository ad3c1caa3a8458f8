"""`python -m bench`: the governed hot path against COPY | COPY and against peers; writes RESULTS.md.

Interleaved rounds, the median of each, as ratios to `psql COPY binary | psql COPY binary` of the
same rows in the same run.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from bench import peers
from bench.measure import Run, machine, run
from bench.report import write
from bench.world import TABLE, World, world
from demo.hot import touch

HERE = Path(__file__).parent


def copy_pipe(w: World) -> str:
    """The floor: COPY out and COPY in, nothing looked at."""
    run(
        [
            "psql",
            "-q",
            w.target,
            "-c",
            "DROP TABLE IF EXISTS peer.copied",
            "-c",
            "CREATE SCHEMA IF NOT EXISTS peer",
        ]
    )
    definition = f"pg_dump -s -t 'hrss.ac01_card' '{w.source}' | sed 's/hrss\\./peer./g; /INDEX/d' | psql -q '{w.target}'"
    run(["psql", "-q", w.target, "-c", "DROP TABLE IF EXISTS peer.ac01_card"])
    run(definition)
    return (
        f"psql -q '{w.source}' -c 'COPY {TABLE} TO STDOUT BINARY'"
        f" | psql -q '{w.target}' -c 'COPY peer.ac01_card FROM STDIN BINARY'"
    )


def one_round(w: World, found: dict[str, list[Run]], others: list[peers.Peer]) -> None:
    """Everything once, so that a slow minute hits all alike."""
    w.empty_target()
    found["copy"].append(run(copy_pipe(w)))
    w.forget()
    environment = w.environment()
    found["first"].append(run(w.collect(), environment))
    found["same"].append(run(w.collect("--whole"), environment))
    changed = touch(w.source, "hrss", 0.01)
    found["changed"].append(run(w.collect(), environment))
    figures = ", ".join(f"{name} {runs[-1].seconds:.1f} s" for name, runs in found.items())
    print(f"  {changed:,} rows changed; {figures}", flush=True)
    for peer in others:
        w.empty_target()
        try:
            found[peer.name].append(run(peer.command(w)))
            print(f"  {peer.name}: {found[peer.name][-1].seconds:.1f} s", flush=True)
        except RuntimeError as error:
            print(f"  {peer.name}: {str(error)[-300:]}", flush=True)


def save(text: str) -> None:
    """Write the page, keeping the section of `bench.govern`."""
    file = HERE / "RESULTS.md"
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    _, found, kept = before.partition("<!-- governed deliveries -->")
    file.write_text(f"{text.rstrip()}\n\n{found}{kept}" if found else text, encoding="utf-8")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    home = HERE.parent / ".bench"
    others = [] if options.no_peers else peers.peers(home / "peers")
    scale = {peer.name: peer.share for peer in others}
    double: list[Run] = []
    found: dict[str, list[Run]] = defaultdict(list)
    with world(home / "hub", options.rows) as w:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", flush=True)
            one_round(w, found, others)
            text = write(machine(), options.rows, found, double, scale)
            save(text)
    with world(home / "hub", options.rows * 2) as w:
        for _ in range(options.rounds):
            w.forget()
            double.append(run(w.collect(), w.environment()))
            print(f"{2 * options.rows:,} rows: {double[-1].seconds:.1f} s", flush=True)
    text = write(machine(), options.rows, found, double, scale)
    save(text)
    print(text)


if __name__ == "__main__":
    main()
