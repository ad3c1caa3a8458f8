"""The card master as agencies without a database hand it over: CSV, JSON Lines, Parquet, pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pyarrow as pa

from connectors.common.wire_text import as_text
from demo.hot import DATASET, cards
from schemas.models import catalogue

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe

PAGE = 1_000
"""Rows of a page, as the platform's APIs give them."""
FOLDERS = ("csv", "jsonl", "parquet")


def make(folder: Path, rows: int) -> None:
    """Write the cards in each format, some files each, one file for each block of people.

    Args:
        folder: gets a folder for each format.
        rows: in all.
    """
    contract = catalogue.load().contract(DATASET)
    native = {f.name: f.native for f in contract.fields}
    whole = [f.native for f in contract.fields if f.type == "integer"]
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    for number, cards_ in enumerate(cards(rows, seed=1)):
        frame = cards_.select(contract.names).rename(native)
        frame.write_parquet(folder / "parquet" / f"cards_{number:03}.parquet")
        text = _texts(frame)
        body = text.write_csv(line_terminator="\r\n").encode("gb18030")
        (folder / "csv" / f"cards_{number:03}.csv").write_bytes(body)
        numbers = text.with_columns(pl.col(whole).cast(pl.Int64))
        numbers.write_ndjson(folder / "jsonl" / f"cards_{number:03}.jsonl")


def _texts(frame: pl.DataFrame) -> pl.DataFrame:
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
    columns = {n: as_text(table.column(n).combine_chunks()) for n in table.column_names}
    return pl.DataFrame(pl.from_arrow(pa.table(columns)))


@contextmanager
def pages(folder: Path) -> Iterator[int]:
    """An HTTP API on loopback, in a process of its own, that gives the JSON Lines as pages.

    Args:
        folder: of the JSON Lines.

    Yields:
        Its port.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(folder, theirs), daemon=True)
    process.start()
    try:
        yield int(ours.recv())
    finally:
        process.terminate()
        process.join()


def _serve(folder: Path, pipe: Pipe) -> None:
    server = _Pages(folder)
    pipe.send(server.server_address[1])
    server.serve_forever()


class _Pages(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies = _bodies(folder)


def _bodies(folder: Path) -> list[bytes]:
    """Each page's body; the first ones of all files, one after the other."""
    lines: list[bytes] = []
    found: list[bytes] = []
    for file in sorted(folder.iterdir()):
        lines += file.read_bytes().splitlines()
        while len(lines) > PAGE:
            found.append(b",".join(lines[:PAGE]))
            del lines[:PAGE]
    found.append(b",".join(lines))
    return [_body(rows, n, len(found)) for n, rows in enumerate(found, start=1)]


def _body(rows: bytes, number: int, count: int) -> bytes:
    following = json.dumps(str(number) if number < count else None).encode()
    return b'{"code":"0","data":{"rows":[' + rows + b'],"next":' + following + b"}}"


class _Handler(BaseHTTPRequestHandler):
    server: _Pages
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        body = self.server.bodies[int(query.get("after", ["0"])[0])]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return
