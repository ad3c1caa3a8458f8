"""Where an agreement stands: its approvals, suspensions and stops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

State = Literal["not_served", "draft", "approved", "in_force", "suspended", "expired"]
LifeEvent = Literal["approved", "suspended", "endorsed", "withdrawn"]
"""`endorsed`: approved by the first of two people (`onecard.model.approvals`)."""

ALL = "*"
"""Scope of a stop that holds for every consumer."""


@dataclass(frozen=True, slots=True)
class AgreementEvent:
    """One line of an agreement's life.

    Attributes:
        content: the agreement's text at that time, as `Agreement.canonical_text` gives it.
    """

    id: int
    event: LifeEvent
    version: str
    fingerprint: str
    actor: str
    document: str
    content: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Life:
    """Where an agreement stands today.

    Attributes:
        approval: the newest approval, whether or not the text has changed since.
        changed: the text is not the one that was approved.
        stopped: reason of a stop that holds for its consumer, or None.
        first: an approval of this text by the first of two people; it waits for the second.
        approvers: how many people must approve this text.
    """

    state: State
    approval: AgreementEvent | None = None
    changed: bool = False
    stopped: str | None = None
    first: AgreementEvent | None = None
    approvers: int = 1

    @property
    def open(self) -> bool:
        """Whether rows may leave."""
        return self.state == "in_force" and self.stopped is None
