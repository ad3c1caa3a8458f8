"""Reads what the consumers really hold in their inboxes: rows that came, without those dropped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from sqlalchemy import MetaData, Table, create_engine, inspect, select

from demo import receivers

DELETES, SEALED = ".deletes.", ".sealed"
"""In the name of a file of keys of rows to drop, and of one that is sealed (docs/receiving.md)."""
ENDINGS = tuple(kind + end for kind in (".csv", ".parquet") for end in ("", SEALED))
ROWS_PART, DELETES_PART = 1, 2
"""Numbers of the files as parts of a sealed delivery."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What came at once: keys of rows to drop, and then rows."""

    dropped: pl.DataFrame
    rows: pl.DataFrame


def holding(sendings: Iterable[Sending], key: Sequence[str]) -> pl.DataFrame:
    """Of each key the row that came last, unless it was dropped since.

    Args:
        sendings: in the order in which they came.
        key: columns of the agreement's key.
    """
    rows, gone = [], []
    for number, sending in enumerate(sendings):
        if len(sending.rows):
            rows.append(sending.rows.with_columns(_at=pl.lit(2 * number + 1)))
        if len(sending.dropped):
            gone.append(sending.dropped.select(key).with_columns(_gone=pl.lit(2 * number)))
    if not rows:
        return pl.DataFrame()
    held = pl.concat(rows).unique(list(key), keep="last", maintain_order=True)
    if not gone:
        return held.drop("_at")
    last = pl.concat(gone).group_by(list(key)).max()
    marked = held.join(last, on=list(key), how="left", nulls_equal=True, maintain_order="left")
    there = pl.col("_gone").is_null() | (pl.col("_gone") < pl.col("_at"))
    return marked.filter(there).drop("_at", "_gone")


def http_sendings(
    folder: Path, agreement: str = "*", keys: Path | None = None
) -> dict[str, list[Sending]]:
    """Every stored batch of an HTTP inbox, by agreement, in the order in which they came.

    Args:
        folder: of the inbox.
        agreement: this one only; default: all.
        keys: folder of the consumer's keys, where something is sealed for it.
    """
    found: dict[str, list[Sending]] = {}
    for file in sorted(folder.glob(f"{agreement}.batches.jsonl")):
        bodies = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        name = file.name.removesuffix(".batches.jsonl")
        found[name] = [
            Sending(
                pl.DataFrame(body.get("deleted", []), infer_schema_length=None),
                pl.DataFrame(body["rows"], infer_schema_length=None),
            )
            for body in receivers.messages(bodies, folder / f"{name}.manifests.jsonl", keys)
        ]
    return found


def http(folder: Path, agreement: str = "*") -> dict[str, pl.DataFrame]:
    """Rows of every stored batch of an HTTP inbox, in the order in which they came."""
    return {
        name: pl.concat([s.rows for s in sendings if len(s.rows)] or [pl.DataFrame()])
        for name, sendings in http_sendings(folder, agreement).items()
    }


def file_sendings(
    folder: Path, agreement: str = "*", keys: Path | None = None
) -> dict[str, list[Sending]]:
    """Every complete file of a file inbox (`<agreement>/<delivery>.csv|parquet`), by agreement.

    Args:
        folder: of the inbox.
        agreement: this one only; default: all.
        keys: folder of the consumer's keys, where something is sealed for it.

    Raises:
        ValueError: a file is not what its manifest says, or has none.
    """
    found: dict[str, list[Sending]] = {}
    for file in sorted(folder.glob(f"{agreement}/*"), key=lambda f: (f.stat().st_mtime_ns, f.name)):
        if not file.name.endswith(ENDINGS) or DELETES in file.name:
            continue
        note = json.loads(Path(f"{file}.manifest.json").read_text(encoding="utf-8"))
        rows, gone = (
            _frame(file, _plain(note, ROWS_PART, _content(file, note), keys)),
            pl.DataFrame(),
        )
        told = note.get("deletes", {})
        if told.get("rows"):
            other = file.with_name(told["file"])
            gone = _frame(other, _plain(note, DELETES_PART, _content(other, told), keys))
        found.setdefault(file.parent.name, []).append(Sending(gone, rows))
    return found


def files(folder: Path, agreement: str = "*") -> dict[str, pl.DataFrame]:
    """Rows of every complete file of a file inbox, as `file_sendings` gives them."""
    return {
        name: pl.concat([s.rows for s in sendings])
        for name, sendings in file_sendings(folder, agreement).items()
    }


def _content(file: Path, told: Mapping[str, Any]) -> bytes:
    """The bytes of a file that has the digest that was told."""
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != told["sha256"]:
        msg = f"{file.name} is not what its manifest says"
        raise ValueError(msg)
    return content


def _plain(note: Mapping[str, Any], part: int, content: bytes, keys: Path | None) -> bytes:
    """What a file holds for whom it was sealed, if it was."""
    if "sealing" not in note:
        return content
    if keys is None:
        msg = f"{note['agreement']} is sealed, and no key opens it"
        raise ValueError(msg)
    return receivers.opened(note, part, content, keys)


def _frame(file: Path, content: bytes) -> pl.DataFrame:
    if file.name.removesuffix(SEALED).endswith(".parquet"):
        return pl.read_parquet(content)
    return pl.read_csv(content.decode("gb18030").encode(), infer_schema=False)


def tables(
    url: str, schema: str | None, prefix: str, agreements: list[str]
) -> dict[str, pl.DataFrame]:
    """Rows of an inbox of tables, one table an agreement."""
    engine = create_engine(url)
    there = inspect(engine).get_table_names(schema=schema)
    found: dict[str, pl.DataFrame] = {}
    with engine.connect() as connection:
        for agreement in agreements:
            name = prefix + agreement.replace("-", "_")
            if name in there:
                table = Table(name, MetaData(), schema=schema, autoload_with=engine)
                rows = [dict(row) for row in connection.execute(select(table)).mappings()]
                found[agreement] = pl.DataFrame(rows, infer_schema_length=None)
    engine.dispose()
    return found
