"""Reads what the consumers really hold in their inboxes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import polars as pl
from sqlalchemy import MetaData, Table, create_engine, inspect, select


def http(folder: Path) -> dict[str, pl.DataFrame]:
    """Rows of every stored batch of an HTTP inbox, in the order in which they came."""
    found: dict[str, pl.DataFrame] = {}
    for file in sorted(folder.glob("*.batches.jsonl")):
        rows = [
            row
            for line in file.read_text(encoding="utf-8").splitlines()
            for row in json.loads(line)["rows"]
        ]
        found[file.name.removesuffix(".batches.jsonl")] = pl.DataFrame(
            rows, infer_schema_length=None
        )
    return found


def files(folder: Path) -> dict[str, pl.DataFrame]:
    """Rows of every complete file of a file inbox (`<agreement>/<delivery>.csv|parquet`).

    Raises:
        ValueError: a file is not what its manifest says, or has none.
    """
    parts: dict[str, list[pl.DataFrame]] = {}
    for file in sorted(folder.glob("*/*"), key=lambda f: (f.stat().st_mtime_ns, f.name)):
        if file.suffix not in (".csv", ".parquet"):
            continue
        note = json.loads(Path(f"{file}.manifest.json").read_text(encoding="utf-8"))
        if hashlib.sha256(file.read_bytes()).hexdigest() != note["sha256"]:
            msg = f"{file.name} is not what its manifest says"
            raise ValueError(msg)
        text = file.read_bytes().decode("gb18030").encode() if file.suffix == ".csv" else b""
        frame = pl.read_csv(text, infer_schema=False) if text else pl.read_parquet(file)
        parts.setdefault(file.parent.name, []).append(frame)
    return {name: pl.concat(frames) for name, frames in parts.items()}


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
