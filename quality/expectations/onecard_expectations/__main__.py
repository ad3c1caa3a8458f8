"""`python -m onecard_expectations SUITE ...`: one suite on a CSV file or a PostgreSQL table."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

from . import forms
from .running import Table, on_frame, on_table, outcomes


def main() -> int:
    """Print a JSON list of outcomes; 0 all passed, 1 some failed, 3 some could not be evaluated."""
    options = _options()
    suite = json.loads(Path(options.suite).read_text(encoding="utf-8"))
    now = options.now or forms.instant(None).isoformat()
    if options.csv:
        frame = pd.read_csv(
            options.csv, dtype=str, keep_default_na=False, na_values=[""], encoding=options.encoding
        )
        frame.index = frame.index + 1
        found = outcomes(on_frame(suite, frame, now))
    else:
        table = Table(options.postgres, options.table, options.schema, options.row)
        found = outcomes(on_table(suite, table, now), options.row)
    json.dump(found, sys.stdout, ensure_ascii=False, indent=1)
    if any(o["error"] for o in found):
        return 3
    return 0 if all(o["success"] for o in found) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="onecard_expectations", description=main.__doc__)
    parser.add_argument("suite", help="suite JSON file")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--csv", help="CSV file with a header of the contract's field names")
    where.add_argument("--postgres", help="SQLAlchemy URL of a PostgreSQL database")
    parser.add_argument("--encoding", default="utf-8", help="of the CSV: utf-8 or gb18030")
    parser.add_argument("--table", help="table of text columns")
    parser.add_argument("--schema", help="its schema")
    parser.add_argument("--row", help="column that numbers the rows; without it they are counted")
    parser.add_argument("--now", help="ISO 8601 instant with offset; default: the clock")
    options = parser.parse_args()
    if options.postgres and not options.table:
        parser.error("--postgres needs --table")
    return options


if __name__ == "__main__":
    raise SystemExit(main())
