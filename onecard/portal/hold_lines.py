"""What waits, or has waited, for a person, as an engineer reads it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from onecard.model.holds import Hold
from onecard.portal.site import Language
from onecard.store import findings, hold_facts, holds, releases, transfer_lookup
from onecard.store.database import Connection
from onecard.store.hold_facts import EndedReconciliation, EndedTransfer, HeldCounts
from onecard.store.releases import Release
from quality.reports import holding
from quality.reports.holding import HeldLine
from schemas.models.agreement import Agreement
from schemas.models.catalogue import Catalogue

_KEY = re.compile(r"(collect|deliver|reconcile)-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class HeldThing:
    """One thing that waits for a person, or has waited.

    Attributes:
        key: its name in addresses, that of `Hold.key`.
        hold: as it waits now; None: it waits no more.
        releases: which findings of a transfer a person has vouched for.
        transfer: how it stands; None of a reconciliation.
        reconciled: what ended a reconciliation; None: nothing yet.
    """

    key: str
    subject: str
    hold: Hold | None
    releases: Sequence[Release] = ()
    transfer: EndedTransfer | None = None
    reconciled: EndedReconciliation | None = None

    @property
    def kind(self) -> str:
        """`collect`, `deliver` or `reconcile`."""
        return self.key.partition("-")[0]

    @property
    def seen(self) -> str:
        """What a person vouches for, in few signs: another one when it is no more the same."""
        hold = self.hold
        if hold is None:
            return ""
        number = "" if hold.fast else hold.number
        said = f"{hold.kind} {hold.subject} {number} {sorted(hold.findings)} {hold.rows}"
        return hashlib.sha256(f"{said} {hold.released}".encode()).hexdigest()[:16]

    @property
    def ready(self) -> bool:
        """Whether a person can release it now: a delivery once, a collect until it is done."""
        hold = self.hold
        return (
            hold is not None and hold.releasable and not (hold.released and hold.kind == "deliver")
        )


@dataclass(frozen=True, slots=True)
class HoldLine:
    """A hold with its words and numbers.

    Attributes:
        receivers: agreements whose consumers wait for it.
        busy: somebody is releasing it at this moment.
    """

    hold: Hold
    words: HeldLine
    counts: HeldCounts
    receivers: Sequence[Agreement]
    busy: bool


def listed(connection: Connection, known: Catalogue, language: Language) -> list[HoldLine]:
    """Everything that waits, in the order in which it began to.

    Args:
        connection: of the hub's database.
        known: contracts and agreements.
        language: of the words.
    """
    return [line(connection, known, hold, language) for hold in holds.holds(connection, known)]


def line(connection: Connection, known: Catalogue, hold: Hold, language: Language) -> HoldLine:
    """One hold.

    Args:
        connection: of the hub's database, in no transaction.
        known: contracts and agreements.
        hold: what waits.
        language: of the words.
    """
    (words,) = holding.lines([hold], known, language)
    own = known.agreements.get(hold.subject)
    return HoldLine(
        hold,
        words,
        hold_facts.counts(connection, hold),
        (own,) if own else known.receiving(hold.subject),
        hold_facts.under_way(connection, hold),
    )


def find(connection: Connection, known: Catalogue, key: str) -> HeldThing | None:
    """The thing of that key; None: it neither waits nor has waited.

    Of the event lane, where newer transfers take over every minute, an older one's key leads to
    what is held of the same dataset now.

    Args:
        connection: of the hub's database.
        known: contracts and agreements.
        key: as an address writes it.
    """
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    kind, number = match[1], int(match[2])
    waiting = [h for h in holds.holds(connection, known) if h.kind == kind]
    hold = next((h for h in waiting if h.number == number), None)
    if kind == "reconcile":
        return _reconciliation(connection, key, number, hold)
    state = transfer_lookup.by_name(connection, str(number))
    if state is None or state.direction != kind:
        return None
    given = releases.of(connection, number)
    if hold is None and not given:
        hold = next((h for h in waiting if h.fast and h.subject == state.subject), None)
    was_held = state.status == "held" or findings.failed(connection, number)
    if not (hold or given or was_held):
        return None
    return HeldThing(key, state.subject, hold, given, hold_facts.ended_transfer(connection, number))


def _reconciliation(
    connection: Connection, key: str, number: int, hold: Hold | None
) -> HeldThing | None:
    subject = hold_facts.held_reconciliation(connection, number)
    if not subject:
        return None
    ended = None if hold else hold_facts.ended_reconciliation(connection, number)
    return HeldThing(key, subject, hold, reconciled=ended)
