"""Batches of any size, gathered into chunks of the size that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa

from onecard.ports.source import Chunk

OBJECT_ROWS = 8_192
"""Rows that stand in memory as Python objects at one time, some kilobytes each."""

Part = tuple[pa.RecordBatch, Mapping[int, str]]
"""Rows, and the rules that damaged ones among them break."""


def regrouped(parts: Iterable[Part], origin: str, size: int) -> Iterator[Chunk]:
    """Chunks of `size` rows, the last one smaller; their rows are numbered from 1.

    Args:
        parts: batches of one schema, each with its damaged rows by offset.
        origin: table, file or page that they came from.
        size: rows of a chunk.
    """
    held: list[pa.RecordBatch] = []
    damaged: dict[int, str] = {}
    rows, first = 0, 1
    for batch, spoilt in parts:
        damaged |= {rows + place: rule for place, rule in spoilt.items()}
        held.append(batch)
        rows += batch.num_rows
        whole = rows - rows % size
        if not whole:
            continue
        table = pa.Table.from_batches(held)
        for start in range(0, whole, size):
            yield from _chunks(table.slice(start, size), origin, first, _from(damaged, start))
            first += size
        held, rows = table.slice(whole).to_batches(), rows - whole
        damaged = _from(damaged, whole)
    if rows:
        yield from _chunks(pa.Table.from_batches(held), origin, first, damaged)


def _chunks(
    table: pa.Table, origin: str, first: int, damaged: Mapping[int, str]
) -> Iterator[Chunk]:
    """One chunk; more only where a column holds more than 2 GiB."""
    done = 0
    for batch in table.combine_chunks().to_batches():
        here = {p: r for p, r in _from(damaged, done).items() if p < batch.num_rows}
        yield Chunk(batch, origin, first + done, here)
        done += batch.num_rows


def _from(damaged: Mapping[int, str], start: int) -> dict[int, str]:
    return {place - start: rule for place, rule in damaged.items() if place >= start}
