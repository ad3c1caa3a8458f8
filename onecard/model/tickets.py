"""What a ticket is: its states, its fields, its events, and which free text it takes."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import date, datetime
from typing import Any, Literal, get_args

from onecard.base import personal
from onecard.base.workdays import Clock
from onecard.errors import ConfigError, PolicyError, UsageError
from schemas.models.service_levels import ChallengeKind

Status = Literal["open", "acknowledged", "answered", "closed"]
AnswerOutcome = Literal["corrected", "confirmed", "rejected"]
EventKind = Literal[
    "opened", "acknowledged", "handed_over", "commented", "answered", "seen", "closed", "reopened"
]

KINDS: tuple[str, ...] = get_args(ChallengeKind)
STATUSES: tuple[str, ...] = get_args(Status)
WAITING: tuple[Status, ...] = ("open", "acknowledged")
"""Of a ticket that waits for its answer."""
OUTCOMES: tuple[str, ...] = get_args(AnswerOutcome)

LONGEST_TEXT = 2_000
"""Characters of a statement, an answer or a reason."""


REFERENCE = 12
"""Characters of a record's reference that people read."""


class UnknownTicket(UsageError):
    """There is no ticket of that id."""


class WrongState(ConfigError):
    """The ticket is not in a state that allows this step."""


class TicketChanged(WrongState):
    """Somebody else has acted on the ticket since it was read: it is to be read again."""


class RefusedText(PolicyError):
    """A free text is empty, too long, or holds personal data; the message does not repeat it."""


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A challenge that is about to be opened.

    Attributes:
        agency: the provider, which must answer.
        opened_for: the agency whose challenge it is.
        opened_by: who acts.
        kind: `record` (with `record_ref`) or `finding` (with `rule`).
        record_ref: digest of dataset and key values (`onecard.store.record_refs`), never a value.
        key_epoch: epoch of the quarantine key that made `record_ref`.
        suite: algorithms that made `record_ref`.
        baseline: numbers of now, which the next collects are compared with.
        due_on: the last day to answer on.
        clock: `weekdays` when a year's holidays were not known.
        shown_key: as `Ticket.shown_key`.
    """

    agency: str
    opened_for: str
    opened_by: str
    kind: ChallengeKind
    dataset: str
    statement: str = attribute(repr=False)
    opened_at: datetime
    due_on: date
    clock: Clock = "holidays"
    field: str = ""
    rule: str = ""
    record_ref: bytes | None = None
    key_epoch: str = ""
    suite: str = ""
    baseline: Mapping[str, Any] = attribute(default_factory=dict)
    shown_key: str = ""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as it stands.

    Attributes:
        seen: the newest transfer that saw the correction since it was opened (again), if any.
        owner: who works on it in the providing agency, or empty.
        shown_key: the record's key under the masks of its semantic types; empty where it has none.
        version: of its newest event; who acts names the one that was read.
    """

    id: int
    agency: str
    opened_for: str
    opened_by: str
    kind: ChallengeKind
    dataset: str
    field: str
    rule: str
    record_ref: bytes | None
    key_epoch: str
    suite: str
    baseline: Mapping[str, Any]
    statement: str = attribute(repr=False)
    opened_at: datetime
    due_on: date
    clock: Clock
    status: Status
    outcome: AnswerOutcome | Literal[""]
    answer: str = attribute(repr=False)
    answered_at: datetime | None
    closed_at: datetime | None
    evidence: Mapping[str, Any]
    seen: int | None
    owner: str
    shown_key: str
    version: int

    @property
    def reference(self) -> str:
        """By which its record is spoken of: the beginning of its digest; empty for a finding."""
        return self.record_ref.hex()[:REFERENCE] if self.record_ref is not None else ""

    @property
    def waits(self) -> bool:
        """Whether it waits for its answer."""
        return self.status in WAITING

    def overdue(self, on: date) -> bool:
        """Whether the answer is late on that day: the due day itself is still in time."""
        return self.waits and on > self.due_on


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agency answers: one of `OUTCOMES`, and why."""

    outcome: str
    text: str = attribute(repr=False)


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts on a ticket, when, and which version of it was read.

    Attributes:
        version: of the ticket, as the person has read it; None: whichever is there.
    """

    actor: str
    at: datetime
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a ticket; `transfer` is given for `seen` only."""

    at: datetime
    event: EventKind
    actor: str
    text: str = attribute(default="", repr=False)
    transfer: int | None = None
    detail: Mapping[str, Any] = attribute(default_factory=dict)


def clean(name: str, text: str) -> str:
    """A free text without spaces around it, fit to be kept.

    Args:
        name: what it is, for the message: `statement`, `answer`, `reason`.
        text: as a person wrote it.

    Raises:
        RefusedText: empty, too long, control characters, or personal data in it; the message
            names the kind of data and does not repeat the text.
    """
    found = text.strip()
    if not found:
        msg = f"{name}: it is empty; say what is wrong, in words, without personal data"
        raise RefusedText(msg)
    if len(found) > LONGEST_TEXT:
        msg = f"{name}: {len(found)} characters; at most {LONGEST_TEXT}"
        raise RefusedText(msg)
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in found):
        msg = f"{name}: a control character stands in it; only text, tabs and line ends may"
        raise RefusedText(msg)
    kinds = sorted({hit.kind for hit in personal.find(found)})
    if kinds:
        msg = f"{name}: it holds personal data ({', '.join(kinds)}); name the rule, not the person"
        raise RefusedText(msg)
    return found
