"""A file of a ticket: its kinds, its limits, what is known of it besides its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args

from onecard.errors import PolicyError

AttachedKind = Literal["pdf", "png", "jpg", "xlsx", "csv", "txt"]
KINDS: tuple[AttachedKind, ...] = get_args(AttachedKind)
MEDIA: Mapping[AttachedKind, str] = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "application/octet-stream",
    "txt": "application/octet-stream",
}
"""As what each kind is served; texts by none, as their encoding may be either."""
MOST_BYTES = 5 * 1024**2
"""Bytes of one file."""
MOST_OF_TICKET = 20 * 1024**2
"""Bytes of all files of a ticket."""
KEPT = timedelta(days=90)
"""So long after a ticket was closed its files can be looked at; of a ticket that is opened again
within that time they stay."""
KEPT_UNCLOSED = timedelta(days=180)
"""So long after the answer, or its own coming where that is later, a file of a ticket that nobody
closes can be looked at."""

Unfit = Literal["kind", "active", "damaged", "unpacks", "mixed", "sealed", "full"]
"""Why a file is not taken: none of the kinds; something in it that acts; not whole; unpacks to too
much; two files in one; encrypted; no room left in the ticket."""


class UnfitFile(PolicyError):
    """A file that a ticket does not take; says why by one of `Unfit`, never by what is in it."""

    def __init__(self, says: str, reason: Unfit) -> None:
        super().__init__(says)
        self.reason: Unfit = reason


@dataclass(frozen=True, slots=True)
class NewAttachment:
    """A file that was looked at and found fit.

    Attributes:
        content: its bytes, as they came.
        added_for: the agency of whoever sends it.
    """

    kind: AttachedKind
    content: bytes = field(repr=False)
    added_by: str
    added_for: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Attachment:
    """What is known of a file.

    Attributes:
        number: of the ticket's files, from 1.
        event: of the ticket, with which it came.
        digest: of its bytes, in hexadecimal, keyed: it tells nothing of them once they are gone.
        erased_at: since when its bytes are gone; None: they are there.
    """

    ticket: int
    number: int
    event: int
    kind: AttachedKind
    bytes: int
    digest: str
    suite: str
    added_by: str
    added_for: str
    added_at: datetime
    erased_at: datetime | None

    @property
    def name(self) -> str:
        """What it is called: the sender's name of it was never kept."""
        return f"ticket-{self.ticket}-{self.number}.{self.kind}"
