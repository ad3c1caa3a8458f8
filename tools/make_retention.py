"""Writes docs/retention.md from `onecard.store.retention`: `[--check]`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from onecard.store.retention import TABLES, YEARS, Age, Retention  # noqa: E402 - the checkout first

TARGET = ROOT / "docs" / "retention.md"
HEAD = f"""# How long the hub keeps what · 保存期限

Made by `tools/make_retention.py` from `onecard/store/retention.py`; do not edit here. A test holds
that every table has a line.

`onecard housekeeping` (the DAG `housekeeping`, daily) drops by age where the last column says so:

- **receipt**: what is older than {YEARS} years, by whole months (Network Data Security Regulation,
  article 12; [ADR 0012](adr/0012-disclosure-references.md)): what was dropped, up to which day, how
  many rows of which table, signed by the hub, as an entry `records.expired` of the audit log.
  `onecard receipts expired` lists them; whoever has the hub's public keys and the exported log can
  check one without the hub ([audit-format.md](audit-format.md)).
- **yes**: what is needed for a short while only; nobody gets a receipt of it.

Elsewhere something else ends the rows, or nothing does. What a consumer keeps is its agreement's
`retention`, after which it owes a receipt of erasure (PR-17, `onecard receipts erased`); what a
source keeps is its agency's.

| table | of persons | ends | by housekeeping |
|---|---|---|---|
"""


def by_age(age: Age | None) -> str:
    """What the last column says."""
    if age is None:
        return "—"
    return "receipt" if age.kept is None else "yes"


def line(entry: Retention) -> str:
    """The line of one table."""
    return f"| `{entry.name}` | {entry.holds} | {entry.ends} | {by_age(entry.age)} |"


def page() -> str:
    """The document."""
    return HEAD + "\n".join(map(line, TABLES)) + "\n"


def main() -> int:
    """Write the page, or with --check say whether it is as it is to be."""
    wanted = page()
    if "--check" in sys.argv:
        return int(TARGET.read_text(encoding="utf-8") != wanted)
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
