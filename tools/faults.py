"""Writes docs/faults.md: each fault, and the tests that provoke it and say what comes of it.

A test says so by `@pytest.mark.fault("F07", "what happened, in ten words")`. The files are parsed,
not imported. `python tools/faults.py` writes; `--check` exits 1 when a fault has no test, a test
names a fault that there is not, or the file is stale.
"""

from __future__ import annotations

import sys

from marks import ROOT, Proof, proofs, write_or_check

TARGET = ROOT / "docs" / "faults.md"
PARTS: dict[str, dict[str, str]] = {
    "Crash": {
        "F01": "SIGKILL before and after each write: stage, publish, delivery, receipt, audit.",
        "F02": "Disk full or an I/O error on a write.",
        "F03": "Commit done, acknowledgement lost.",
        "F04": "The same task runs twice at once.",
        "F05": "Kill during a full refresh.",
        "F06": "The audit store is down.",
    },
    "Network and source": {
        "F07": "Reset, stall, or a body cut short in mid-page.",
        "F08": "429 and 503 with Retry-After; 401 and 403.",
        "F09": "HTTP 200 with an HTML page or an error body.",
        "F10": "A row inserted or deleted between pages.",
        "F11": "A page repeated, or a cursor loop.",
        "F12": "A full page without a next cursor, or an empty page that is not the last.",
        "F13": "A file still growing, without its manifest, or unlike it.",
        "F14": "A file replaced under the same name.",
        "F15": "The source is suddenly empty, or has halved.",
    },
    "Watermark and clock": {
        "F16": "Rows with the same time at the boundary of two readings.",
        "F17": "A transaction open during the reading commits later, with an older time.",
        "F18": "NULL in the cursor column.",
        "F19": "A row dated in the future.",
        "F20": "Cursors of different precision (microseconds, seconds, DATE).",
        "F21": "Hard delete at the source.",
        "F22": "Unordered stream, killed midway.",
        "F23": "The hub's clock is 10 minutes off.",
        "F24": "Local times that are ambiguous or never were (DST in 1986-1991).",
    },
    "Bad rows and hostile values": {
        "F25": "An unterminated quote in a CSV.",
        "F26": "A BOM in the header; U+2028 and NEL inside a field.",
        "F27": "UTF-8 declared as GB18030; rare names.",
        "F28": "Full-width digits, a trailing newline, inner spaces in an ID number.",
        "F29": "An ID number that went through a float or a spreadsheet.",
        "F30": "NUL, lone surrogates, NaN, duplicate JSON keys, huge integers, deep nesting.",
        "F31": "Money with excess scale, or as a float.",
        "F32": "Drift: a column added, dropped, renamed, widened, made nullable; a new code.",
        "F33": "A zip or Parquet bomb, a nested zip, `../`, an absolute name, a symlink.",
    },
    "Privacy, tampering, concurrency": {
        "F34": "Canary ID numbers seeded in the input.",
        "F35": "Purpose not granted, agreement expired or missing, key missing, policy unreadable.",
        "F36": "The same person delivered to two consumers.",
        "F37": "Cells smaller than k, also by the difference of two tables.",
        "F38": "Audit entries edited, deleted, reordered, inserted or truncated.",
        "F39": "A delivered manifest replayed, or its consumer changed.",
        "F40": "Quarantine replayed twice at once.",
        "F41": "A spreadsheet formula or HTML in a field of an export or report.",
        "F42": "YAML with duplicate keys, aliases, `no` and `0123` surprises.",
    },
    "Live lane": {
        "F43": "SIGKILL at every named point of the lane, and at random times under load.",
        "F44": "One of two processes is cut off from the database, or sleeps, in mid-transfer.",
        "F45": "A consumer is dead for an hour, or hangs.",
        "F46": "A wake-up is lost, forged, replayed, or one of a thousand a second.",
        "F47": "The hub's database is restarted, or crashes, while the lane works.",
        "F48": "The clock of the hub, of a source or of a caller is ten minutes off.",
        "F49": (
            "A replacement: the old carrier is blocked everywhere before the new one is enabled"
            " anywhere; a consumer that is dead meanwhile."
        ),
        "F50": "A source repeats, reorders or skips a sequence number.",
        "F51": "An agreement is stopped or suspended in a burst.",
        "F52": "All processes of the lane are dead.",
    },
}
TAIL = """
## Exports (F41)

Who receives a value decides what is done to it.

- **Deliveries** (tables, HTTP, CSV, Parquet) and `--json` go to programs: every value exactly as it
  was agreed, whatever it begins with; a consumer who opens a CSV in a spreadsheet must import it
  as text.
- **Workbooks** (problem lists, `quality/reports/workbook.py`) go to people: text cells only, an
  apostrophe before a beginning that spreadsheets take for a formula, no control characters.
- **Reports and portal pages** go to people: every text is escaped.
"""
FAULTS = {number: said for part in PARTS.values() for number, said in part.items()}
HEAD = """# Faults that the hub survives

Made by `tools/faults.py` from the tests' `fault` marks; do not edit here. Each fault, the tests
that provoke it (file without `tests/` and `test_`), and what comes of it.
"""


def problems(found: list[Proof]) -> list[str]:
    """Faults without a test, and tests of faults that there are not."""
    there = {proof.id for proof in found}
    untested = [
        f"{n}: no test provokes it ({said})" for n, said in FAULTS.items() if n not in there
    ]
    odd = [f"{p.file}::{p.test}: no fault {p.id}" for p in found if p.id not in FAULTS]
    return untested + odd


def page(found: list[Proof]) -> str:
    """The document."""
    lines = [HEAD]
    for part, faults in PARTS.items():
        lines.append(
            f"\n## {part}\n\n| fault | what goes wrong | test | outcome |\n|---|---|---|---|\n"
        )
        for number, said in faults.items():
            rows = [p for p in found if p.id == number]
            if not rows:
                lines.append(f"| {number} | {said} | none yet | |\n")
            for i, proof in enumerate(rows):
                first = (number, said) if i == 0 else ("", "")
                lines.append(f"| {first[0]} | {first[1]} | {proof.place} | {proof.outcome} |\n")
    return "".join([*lines, TAIL])


def main() -> int:
    """Write the file, or with --check name what is wrong with it."""
    found = proofs("fault")
    return write_or_check(TARGET, page(found), problems(found))


if __name__ == "__main__":
    sys.exit(main())
