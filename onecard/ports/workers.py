"""The port of those who read the partitions of one transfer at once."""

from __future__ import annotations

from typing import Protocol


class Workers(Protocol):
    """Several that read partitions: threads, or whatever else."""

    def read(self, dataset: str, transfer: int, parts: int, snapshot: str) -> None:
        """Have the partitions read; returns when none of the workers works any more.

        A worker that fails leaves its partition unread, which the ledger shows.

        Args:
            dataset: its id.
            transfer: that is open.
            parts: how many partitions there are.
            snapshot: name of the state of the source that is held for them; empty: none.
        """
        ...
