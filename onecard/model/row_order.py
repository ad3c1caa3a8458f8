"""The words for what is found when rows of one key are put in the contract's order."""

from __future__ import annotations

from onecard.model.holds import OPTIONS

TIE = "order.tie"
"""Rows of one key with other content, and the order tells none of them newer."""
OLDER = "order.older"
"""Rows older than the published one of their key; they do not replace it."""
RETURNED = "order.returned"
"""Older rows whose key is published as deleted: the source has them again."""

GAP = "order.gap"
"""Carriers whose events skip a number that their source does not give when it is asked either."""


def accepting(dataset: str, ref: str = "REF") -> str:
    """The command by which a person lets an older row replace what is published.

    Args:
        dataset: its id.
        ref: reference of the row, as a reconciliation shows it.
    """
    return f"onecard reconcile {dataset} --accept-older {ref} {OPTIONS}"
