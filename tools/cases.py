"""Writes docs/cases.md: each wrong value that was seen, and the tests that hold what is right.

A test says so by `@pytest.mark.case("order-1", "what it shows")`; the list is `tests/cases.yaml`.
`python tools/cases.py` writes; `--check` exits 1 when a case has no test, a test names a case that
there is not, or the file is stale.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache

import yaml
from marks import ROOT, Proof, proofs, write_or_check

TARGET = ROOT / "docs" / "cases.md"
HEAD = """# Wrong values, and the tests that keep them right

Made by `tools/cases.py` from `tests/cases.yaml` and the tests' `case` marks; do not edit here.
Each was seen in a run that said it was well. Each is one of its kind: the tests beside it (file
without `tests/` and `test_`) hold what is right.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A wrong value: what was tried or seen, and what is right."""

    tried: str
    right: str


@cache
def kinds() -> dict[str, dict[str, Case]]:
    """The cases by kind and id."""
    found = yaml.safe_load((ROOT / "tests" / "cases.yaml").read_text(encoding="utf-8"))
    return {
        kind: {number: Case(**said) for number, said in cases.items()}
        for kind, cases in found.items()
    }


def problems(found: list[Proof]) -> list[str]:
    """Cases without a test, and tests of cases that there are not."""
    known = {number: case for cases in kinds().values() for number, case in cases.items()}
    there = {proof.id for proof in found}
    untested = [
        f"{n}: no test holds it ({case.tried[:60]})" for n, case in known.items() if n not in there
    ]
    odd = [f"{p.file}::{p.test}: no case {p.id}" for p in found if p.id not in known]
    return untested + odd


def page(found: list[Proof]) -> str:
    """The document."""
    lines = [HEAD]
    for kind, cases in kinds().items():
        lines.append(f"\n## {kind}\n\n| case | tried or seen | right | test |\n|---|---|---|---|\n")
        for number, case in cases.items():
            tests = [f"{p.place} {p.outcome}" for p in found if p.id == number]
            tested = "<br>".join(tests) or "none yet"
            lines.append(f"| {number} | {case.tried} | {case.right} | {tested} |\n")
    return "".join(lines)


def main() -> int:
    """Write the file, or with --check name what is wrong with it."""
    found = proofs("case")
    return write_or_check(TARGET, page(found), problems(found))


if __name__ == "__main__":
    sys.exit(main())
