"""One word for one thing: a name of the list is defined in one module only."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("onecard", "connectors", "quality", "schemas", "dags", "plugins")
ONCE = (
    *("Access", "AuditCheckpoint", "Checkpoint", "Column", "Counts", "Delivery", "Document"),
    *("Entry", "Event", "Field", "Flow", "Frozen", "Grade", "Hold", "Issue", "Key", "KeyDocument"),
    *("Level", "Mask", "Part", "Place", "Problem", "Profile", "Row", "RowKey", "Rule", "Ruling"),
    *("Scheme", "Scope", "Seen", "Sending", "Side", "SignOff", "Signer", "Source", "Stage"),
    *("State", "Ticket", "TooLarge", "Transfer", "Verdict", "canonical", "canonical_json"),
)
"""Words that have meant two things here, or easily could."""

TO_BE_MERGED = frozenset(
    {
        "Access",  # hub: ports.privacy_gate (a register of accesses), portal.access
        "Flow",  # core: observe.lineage; hub: portal.flows
        "Grade",  # quality.reports.scheme, schemas.models.registers
        "Level",  # hub: operations.doctor; schemas.models.semantic
        "Place",  # hub: cli.doctor; core: store.record_refs
        "Problem",  # hub: portal.problems, quality.reports.problems; schemas.models.problem
        "Scheme",  # quality.reports.scheme, schemas.models.registers
        "Scope",  # quality.reports.measures, schemas.models.agreement_parts
        "Seen",  # hub: stewardship.challenges, portal.guard
        "Side",  # hub: reconcile.inbox_stage; ports.comparison
        "Verdict",  # hub: reconcile.stage; crypto.audit_verify
        "canonical",  # core: store.receipts (crypto.audit_format.canonical_json); hub: reconcile
    }
)


def defined(file: Path) -> Iterator[str]:
    """Names of classes, functions and values at the top of a module."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (t.id for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def places() -> dict[str, list[str]]:
    """Where each name is defined."""
    found: dict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            for name in defined(file):
                found[name].append(str(file.relative_to(ROOT)))
    return found


@pytest.fixture(scope="module")
def known() -> dict[str, list[str]]:
    return places()


@pytest.mark.parametrize("name", sorted(set(ONCE) - TO_BE_MERGED))
def test_a_word_means_one_thing(known: dict[str, list[str]], name: str) -> None:
    assert len(known.get(name, [])) <= 1


@pytest.mark.parametrize("name", sorted(TO_BE_MERGED))
def test_what_is_to_be_merged_is_not_yet(known: dict[str, list[str]], name: str) -> None:
    """Whoever merges one takes it off the list."""
    assert len(known[name]) > 1


def test_a_second_definition_is_found(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("class Side: ...\nKey = tuple[str, ...]\nSeen: int = 1\ndef canonical(): ...\n")
    assert list(defined(file)) == ["Side", "Key", "Seen", "canonical"]
