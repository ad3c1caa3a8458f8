"""What needs a person, by agency: the worst first, and what is not on board yet last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from onecard.cli import output
from onecard.operations.attention import Issue
from schemas.models.catalogue import Catalogue

RANK: dict[str, int] = {
    kind: n
    for n, kind in enumerate(
        (
            *("held", "failing", "lane", "unblocked", "misuse", "slow", "late", "volume"),
            *("gap", "overdue", "unapproved", "expiring"),
        )
    )
}
"""Kinds of issues, the worst first."""
HEADS = ("what", "subject", "since", "found", "who", "what to do")


def groups(issues: Iterable[Issue]) -> list[tuple[str, list[Issue]]]:
    """Issues by agency, the agency with the worst first; within it the worst first.

    Args:
        issues: in any order.
    """
    by: dict[tuple[bool, str], list[Issue]] = {}
    for issue in issues:
        by.setdefault((issue.onboarding, issue.agency), []).append(issue)
    for found in by.values():
        found.sort(key=lambda issue: (RANK[issue.kind], issue.subject))
    placed = sorted(by.items(), key=lambda item: (item[0][0], _weight(item[1]), item[0][1]))
    return [(agency, found) for (_, agency), found in placed]


def _weight(issues: list[Issue]) -> tuple[int, int]:
    """Rank of the worst, then how many of it."""
    worst = min(RANK[issue.kind] for issue in issues)
    return worst, -sum(RANK[issue.kind] == worst for issue in issues)


def show(
    issues: Iterable[Issue], known: Catalogue, row: Callable[[Issue], tuple[str, ...]]
) -> None:
    """Print a table for each agency.

    Args:
        issues: what needs a person.
        known: agencies and their titles.
        row: an issue's cells.
    """
    for agency, found in groups(issues):
        counts = Counter(issue.kind for issue in found)
        listed = ", ".join(f"{counts[k]} {k}" for k in sorted(counts, key=RANK.__getitem__))
        there = known.agencies.get(agency)
        title = f"{agency} {there.title}" if there else agency
        new = ", not on board yet" if found[0].onboarding else ""
        output.table(
            f"{title} needs a person{new}: {listed}", HEADS, [row(issue) for issue in found]
        )
