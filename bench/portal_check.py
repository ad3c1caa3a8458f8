"""The portal's self-check of a large file, beside `onecard check` of the same file."""

from __future__ import annotations

import http.client
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from bench.measure import run
from bench.portal_server import PORTAL
from demo.hot import DATASET, cards
from schemas.models import catalogue

ROWS = 200_000
PAGE = f"{PORTAL}/{DATASET.partition('/')[0]}/self_check"
PIECE = 1 << 20
_BOUNDARY = "onecard-bench-7d1f0c"
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Checks:
    """Seconds of each check: the form's answer, and the whole command with its start."""

    rows: int
    portal: list[float] = field(default_factory=list)
    command: list[float] = field(default_factory=list)


def write(file: Path, rows: int) -> None:
    """Cards as their office would send them: CSV in UTF-8 under its own names of columns.

    Args:
        file: is made anew.
        rows: in all.
    """
    contract = catalogue.load().contract(DATASET)
    native = {f.name: f.native for f in contract.fields}
    frame = pl.concat(part.select(contract.names).rename(native) for part in cards(rows, seed=1))
    times = [name for name, kind in frame.schema.items() if kind == pl.Datetime]
    text = frame.with_columns(pl.col(times).dt.to_string("%Y-%m-%dT%H:%M:%S%:z"))
    text.write_csv(file, line_terminator="\r\n")


def compared(port: int, environment: Mapping[str, str], file: Path, rounds: int) -> Checks:
    """Check the file both ways, one after the other, so that a slow minute hits both.

    Args:
        port: of the portal.
        environment: of the hub.
        file: that `write` made.
        rounds: how many times.

    Raises:
        RuntimeError: one of them did not find all rows right.
    """
    with file.open("rb") as lines:
        rows = sum(1 for _ in lines) - 1
    found = Checks(rows)
    command = [str(Path(sys.executable).with_name("onecard")), "check", DATASET, str(file)]
    for turn in range(rounds + 1):
        began = time.perf_counter()
        _sent(port, file, rows)
        seconds = time.perf_counter() - began
        if turn:  # the first one fills the gate of its process
            found.portal.append(seconds)
            found.command.append(run(command, environment=environment).seconds)
    return found


def _sent(port: int, file: Path, rows: int) -> None:
    """The form with the file, as a browser sends it; the page must say that all rows are right."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", PAGE)
    token = _TOKEN.search(connection.getresponse().read().decode())
    head, end = _around(token[1] if token else "", file.name)
    length = len(head) + file.stat().st_size + len(end)
    headers = {
        "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
        "Content-Length": str(length),
    }
    connection.request("POST", PAGE, body=_pieces(head, file, end), headers=headers)
    answer = connection.getresponse()
    page = answer.read().decode()
    connection.close()
    if answer.status != 200 or page.count(f"{rows:,}") < 2:  # read, and accepted
        msg = f"the self-check answers HTTP {answer.status}, and not that all rows are right"
        raise RuntimeError(msg)


def _around(token: str, name: str) -> tuple[bytes, bytes]:
    """What stands before and after the file's bytes."""
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in (("csrf", token), ("dataset", DATASET))
    ]
    parts.append(
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    )
    return "".join(parts).encode(), f"\r\n--{_BOUNDARY}--\r\n".encode()


def _pieces(head: bytes, file: Path, end: bytes) -> Iterator[bytes]:
    yield head
    with file.open("rb") as lines:
        while piece := lines.read(PIECE):
            yield piece
    yield end
