"""Which approval of an agreement counts, and who else must approve: of its events alone.

Where an agreement asks for two people, the first one's approval is an event of its own
(`endorsed`), by which nothing leaves; that of another person, of the same text, is the approval
(`approved`). A text that asks for fewer people than the one approved before is approved by as many
as that one asked for: who changes a text cannot let himself off (ADR 0058).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onecard.base.blanks import BLANKS
from onecard.errors import PolicyError
from onecard.model.agreements import AgreementEvent
from schemas.models.agreement import Agreement

_UNSEEN = dict.fromkeys(map(ord, BLANKS))


class SamePerson(PolicyError):
    """Who gave the first approval would give the second one as well."""


class ApprovalChanged(PolicyError):
    """The first approval is not the one that was seen: given, withdrawn or used up meanwhile."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What an agreement's events come to.

    Attributes:
        approval: the newest approval that counts.
        newest: that approval, or a suspension after it.
        first: an approval by the first of two people, which waits for another person's.
    """

    approval: AgreementEvent | None = None
    newest: AgreementEvent | None = None
    first: AgreementEvent | None = None

    def waiting(self, fingerprint: str) -> AgreementEvent | None:
        """The first approval, where it is one of this very text."""
        first = self.first
        return first if first is not None and first.fingerprint == fingerprint else None

    def approvers(self, agreement: Agreement) -> int:
        """How many people must approve the agreement's present text."""
        return max(agreement.approvers, _approvers(self.approval))


def standing(events: Sequence[AgreementEvent]) -> Standing:
    """What the events of one agreement come to.

    Args:
        events: all of them, the newest first.
    """
    found = Standing()
    for event in reversed(events):
        if event.event == "endorsed":
            found = Standing(found.approval, found.newest, event)
        elif event.event == "withdrawn":
            found = Standing(found.approval, found.newest)
        elif event.event == "suspended":
            found = Standing(found.approval, event)
        elif _counts(event, found):
            found = Standing(event, event)
    return found


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's: width, case and what is not seen make no other one."""
    return _folded(one) == _folded(other)


def _counts(event: AgreementEvent, before: Standing) -> bool:
    """Whether an approval is one: the rule is held again where it is read, and not only kept."""
    needed = max(_asked(event.content), _approvers(before.approval))
    first = before.waiting(event.fingerprint)
    return needed < 2 or (first is not None and not same_person(first.actor, event.actor))


def _approvers(approval: AgreementEvent | None) -> int:
    return 1 if approval is None else _asked(approval.content)


def _asked(content: Mapping[str, Any]) -> int:
    """How many people a text asks for; one of before there were two says nothing of it."""
    return int(content.get("approvers", 1))


def _folded(name: str) -> str:
    seen = name.translate(_UNSEEN)
    seen = "".join(c for c in seen if unicodedata.category(c) not in ("Cc", "Cf"))
    return "".join(unicodedata.normalize("NFKC", seen).casefold().split())
