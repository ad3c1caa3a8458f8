"""`python -m bench.gate`: the row gate with the compiled library and without it, in CPU seconds.

Card rows of 23 columns, typed and as text, and small chunks as the live lane has them; both paths
in turn, the median of the rounds. Writes the section "gate" of RESULTS.md.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import polars as pl
import pyarrow as pa

from bench.arguments import parser
from bench.results import Cells, Limit, Section, publish
from demo.calendar import Day
from demo.hot import DATASET, cards
from demo.planting import text_frame
from onecard.ports.source import BATCH_ROWS, Chunk
from quality.rows.gate import PolarsGate, compile_gate
from schemas.models import catalogue

NATIVE = "ONECARD_NATIVE"
LIMIT = 1.0
"""CPU seconds that the gate may take for a million typed card rows."""
SMALL = 36
"""Rows of a chunk of events."""


@dataclass(frozen=True, slots=True)
class Case:
    """Chunks of one kind."""

    name: str
    batches: Sequence[pa.RecordBatch]


@contextmanager
def path(word: str) -> Iterator[None]:
    """Gates that are compiled within use the library, or do not."""
    before = os.environ.get(NATIVE)
    os.environ[NATIVE] = word
    yield
    if before is None:
        del os.environ[NATIVE]
    else:
        os.environ[NATIVE] = before


def cases(rows: int) -> list[Case]:
    """The chunks."""
    frame = pl.concat(cards(rows, 1)).select(catalogue.load().contract(DATASET).names)
    typed, text = (batches(f, BATCH_ROWS) for f in (frame, text_frame(frame)))
    small = batches(frame.head(SMALL * 50), SMALL)
    return [
        Case("typed", typed),
        Case("text", text),
        Case(f"typed, chunks of {SMALL} rows", small),
    ]


def batches(frame: pl.DataFrame, rows: int) -> list[pa.RecordBatch]:
    """A frame as batches, as a connector hands them on."""
    table: pa.Table = frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    found: list[pa.RecordBatch] = table.combine_chunks().to_batches(max_chunksize=rows)
    return found


def once(gate: PolarsGate, case: Case) -> float:
    """CPU seconds a million rows."""
    before, rows = resource.getrusage(resource.RUSAGE_SELF), 0
    for batch in case.batches:
        checked = gate.check(Chunk(batch, "bench"), Day(0).night)
        rows += len(checked.good)
    after = resource.getrusage(resource.RUSAGE_SELF)
    if rows != sum(b.num_rows for b in case.batches):
        msg = f"{case.name}: sound rows were rejected"
        raise RuntimeError(msg)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return used / rows * 1_000_000


def section(found: dict[str, dict[str, list[float]]], rows: int) -> Section:
    """The section of RESULTS.md."""
    lines: list[Cells] = []
    for name, runs in found.items():
        fused, plain = median(runs["on"]), median(runs["off"])
        lines.append((name, f"{fused:.2f}", f"{plain:.2f}", f"{fused / plain:.2f}"))
    typed = median(found["typed"]["on"])
    rounds = len(found["typed"]["on"])
    return Section(
        name="gate",
        title="The row gate",
        module="gate",
        about=(
            f"{rows:,} sound card rows, every check and the row hash; CPU seconds a million rows,"
            f" median of {rounds} rounds, both paths in turn."
        ),
        columns=("rows", "compiled", "plain", "ratio"),
        rows=lines,
        limits=[Limit("typed rows, compiled, CPU seconds a million", LIMIT, typed)],
    )


def main() -> None:
    """Entry point."""
    options = parser(__doc__, rows=524_288, rounds=5).parse_args()
    contract = catalogue.load().contract(DATASET)
    gates = {}
    for word in ("on", "off"):
        with path(word):
            gates[word] = compile_gate(contract, profile="demo")
    found: dict[str, dict[str, list[float]]] = {}
    for case in cases(options.rows):
        found[case.name] = {word: [] for word in gates}
        for number in range(options.rounds + 1):
            for word, gate in gates.items():
                used = once(gate, case)
                if number:  # the first round warms up
                    found[case.name][word].append(used)
    publish(options, section(found, options.rows))


if __name__ == "__main__":
    main()
