"""Which issues have one cause, and who receives what they concern.

A source or an inbox that is away, a silent lane, a dataset that fails: what follows from it is
grouped with it. Told are facts of the catalogue and the issues themselves; nothing is guessed from
the wording of a message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from onecard.operations.attention import LANE, Issue
from schemas.models.agreement import Agreement
from schemas.models.catalogue import Catalogue

STOPPING = ("failing", "held")
"""Kinds that keep a dataset from coming, or an agreement from being served."""


class Causes:
    """The causes of what is wrong at one moment."""

    def __init__(self, known: Catalogue, present: Iterable[Issue]) -> None:
        """Look at everything that is wrong.

        Args:
            known: which dataset comes over which connection, and who receives it.
            present: all issues of the moment.
        """
        self._known = known
        found = list(present)
        self._stopped = {i.subject for i in found if i.kind in STOPPING}
        self._silent_lane = any(i.kind == "lane" for i in found)
        failing = [self._connection(i.subject) for i in found if i.kind == "failing"]
        self._away = {name for name, times in Counter(failing).items() if name and times > 1}

    def of(self, issue: Issue) -> str:
        """The cause of an issue in words, the same for all that share it.

        A connection over which several subjects fail; else a dataset or agreement that fails or is
        held; else the subject itself.
        """
        subject = issue.subject.removeprefix("reconciliation ")
        connection = self._connection(subject)
        if subject in self._stopped and connection in self._away:
            return connection
        agreement = self._known.agreements.get(subject)
        if agreement is not None and issue.kind == "slow" and subject not in self._stopped:
            return self._of_slow(agreement)
        return subject

    def _of_slow(self, agreement: Agreement) -> str:
        """An agreement is slow when the lane is silent, or one of its datasets does not come."""
        if self._silent_lane and agreement.mode == "event":
            return LANE
        for dataset in agreement.datasets:
            if dataset in self._stopped:
                connection = self._connection(dataset)
                return connection if connection in self._away else dataset
        return agreement.id

    def _connection(self, subject: str) -> str:
        """`source <connection>` of a dataset, `inbox <connection>` of an agreement; else empty."""
        contract = self._known.contracts.get(subject)
        if contract is not None:
            return f"source {contract.source.connection}"
        agreement = self._known.agreements.get(subject)
        if agreement is None or agreement.delivery is None:
            return ""
        return f"inbox {agreement.delivery.connection}"


def receiving(known: Catalogue, issue: Issue) -> tuple[Agreement, ...]:
    """The agreements whose deliveries or answers an issue concerns, in order of id.

    Args:
        known: contracts and agreements.
        issue: about a dataset, an agreement, a reconciliation or the live lane; else nothing.
    """
    subject = issue.subject.removeprefix("reconciliation ")
    own = known.agreements.get(subject)
    if own is not None:
        return (own,)
    if subject == LANE:
        every = (a for _, a in sorted(known.agreements.items()))
        return tuple(a for a in every if a.delivered and a.mode == "event")
    return known.receiving(subject) if subject in known.contracts else ()


def receivers_text(known: Catalogue, agreements: Sequence[Agreement]) -> str:
    """Who receives under some agreements, each once, with the agreements' ids."""
    by: dict[str, list[str]] = {}
    for agreement in agreements:
        by.setdefault(agreement.consumer, []).append(agreement.id)
    named = ((known.agencies[consumer].short, ids) for consumer, ids in sorted(by.items()))
    return "、".join(f"{short} ({', '.join(ids)})" for short, ids in named)
