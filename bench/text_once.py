"""`python -m bench.text_once WAY SOURCE`: one way of reading, in a process of its own.

WAY is a reader and a format, as `polars csv` or `gate jsonl`; SOURCE a folder or a port. Everything
is imported and used once before it is measured. Prints seconds, CPU seconds, peak memory in MB and
rows as JSON.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.json as pajson
import pyarrow.parquet as pq
import requests

import connectors
from bench.measure import meter
from bench.text_files import PAGE
from demo.hot import DATASET
from onecard.base.connections import Connection
from onecard.base.prefetch import prefetch
from onecard.collect import drift_policy
from onecard.ports.source import Chunk, ReadRequest
from quality.rows.gate import compile_gate
from schemas.models import catalogue

NOW = datetime(2026, 11, 24, tzinfo=UTC)
FORMATS: dict[str, dict[str, Any]] = {
    "csv": {"kind": "csv", "encoding": "gb18030"},
    "jsonl": {"kind": "jsonl"},
    "parquet": {"kind": "parquet"},
}
PAGES: dict[str, Any] = {
    "path": "/cards",
    "records": "data.rows",
    "paginator": {
        "kind": "keyset",
        "cursor_param": "after",
        "next": "data.next",
        "size_param": "limit",
        "size": PAGE,
    },
}


def alone(read: Callable[[Path], int], folder: Path) -> int:
    """Rows of all files of a folder, read by somebody else's reader."""
    return sum(read(file) for file in sorted(folder.iterdir()))


def _decoded(file: Path) -> bytes:
    return file.read_bytes().decode("gb18030").encode()


def _bodies(port: str) -> Iterator[bytes]:
    """Bodies of all pages."""
    with requests.Session() as session:
        session.trust_env = False
        url, after = f"http://127.0.0.1:{port}/cards", "0"
        while True:
            body = session.get(url, params={"after": after, "limit": str(PAGE)}, timeout=30).content
            yield body
            found = re.search(rb'"next":"(\d+)"}}$', body)
            if found is None:
                return
            after = found[1].decode()


def _pages(parse: Callable[[bytes], int], port: str) -> int:
    return sum(map(parse, _bodies(port)))


def _polars_page(body: bytes) -> int:
    rows = pl.read_json(body).select(pl.col("data").struct.field("rows")).explode("rows")
    return rows.unnest("rows").height


def _pyarrow_page(body: bytes) -> int:
    return len(pajson.read_json(pa.BufferReader(body)).column("data").combine_chunks().field(0)[0])


def _stdlib_page(body: bytes) -> int:
    return pl.DataFrame(json.loads(body)["data"]["rows"]).height


ALONE: dict[str, Callable[[Any], int]] = {
    "polars csv": partial(alone, lambda f: pl.read_csv(_decoded(f)).height),
    "polars as text csv": partial(
        alone, lambda f: pl.read_csv(_decoded(f), infer_schema=False).height
    ),
    "pyarrow csv": partial(alone, lambda f: pacsv.read_csv(pa.BufferReader(_decoded(f))).num_rows),
    "polars jsonl": partial(alone, lambda f: pl.read_ndjson(f).height),
    "pyarrow jsonl": partial(alone, lambda f: pajson.read_json(f).num_rows),
    "polars parquet": partial(alone, lambda f: pl.read_parquet(f).height),
    "pyarrow parquet": partial(alone, lambda f: pq.read_table(f).num_rows),
    "requests and polars pages": partial(_pages, _polars_page),
    "requests and pyarrow pages": partial(_pages, _pyarrow_page),
    "requests, json, polars pages": partial(_pages, _stdlib_page),
}
"""Readers of others, by format."""


def reading(kind: str, source: Path | str) -> Iterator[Chunk]:
    """The hub's own reading of a folder or a port."""
    contract = catalogue.load().contract(DATASET)
    if kind == "pages":
        system = Connection(id="api", conn_type="http", host="127.0.0.1", port=int(str(source)))
        connector, options = connectors.connector("rest"), PAGES
    else:
        system = Connection(id="files", conn_type="fs", extra={"path": str(Path(source).parent)})
        options = {"directory": kind, "pattern": "*", "format": FORMATS[kind]}
        connector = connectors.connector("files")
    request = ReadRequest(
        dataset=contract.id,
        columns=drift_policy.columns(contract),
        options=connector.source_options.model_validate(options),
        key=contract.key,
    )
    yield from connector.read(system, request)


def reader(kind: str, source: Path | str) -> int:
    """Rows that the hub reads."""
    return sum(chunk.batch.num_rows for chunk in reading(kind, source))


def gate(kind: str, source: Path | str) -> int:
    """Rows that the hub reads and that pass the gate."""
    return passed(reading(kind, source))


def passed(chunks: Iterator[Chunk]) -> int:
    """Rows that pass the gate; one thread reads ahead, as in a collect."""
    judge, good = compile_gate(catalogue.load().contract(DATASET), profile="demo"), 0
    for chunk in prefetch(chunks, "the files"):
        good += len(judge.check(chunk, NOW).good)
    return good


def way(name: str) -> Callable[[Any], int]:
    """What is measured under a name."""
    first, _, kind = name.partition(" ")
    ours = {"reader": reader, "gate": gate}.get(first)
    return partial(ours, kind) if ours else ALONE[name]


def peak_megabytes() -> float:
    """Of this process since it started."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Entry point."""
    name, source, first = sys.argv[1:4]
    measured(way(name), *(Path(text) if "/" in text else text for text in (first, source)))


def measured(run: Callable[[Any], int], first: Path | str, source: Path | str) -> None:
    """Run once on a little, then measure, print, and end the process."""
    run(first)
    with meter() as used:
        rows = run(source)
    found = {"seconds": used.seconds, "client": used.client, "megabytes": peak_megabytes()}
    print(json.dumps({**found, "rows": rows}), flush=True)
    os._exit(0)  # a reader's own threads, some of which do not survive the end of Python


if __name__ == "__main__":
    main()
