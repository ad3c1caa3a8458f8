"""Uploads that an agency brings: what one is, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

UploadState = Literal["open", "refused", "waiting", "published", "expired"]
"""Still coming; not taken as a whole; whole and not collected yet; in the registry; too old."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What a caller says of an upload with each of its parts.

    Attributes:
        dataset: its id.
        upload: a UUID that the caller has made, in its canonical form.
        length: bytes of the whole.
        digest: SHA-256 of the whole, hexadecimal.
    """

    dataset: str
    upload: str
    length: int
    digest: str


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as it is on record.

    Attributes:
        caller: the agency that brings it.
        number: its place in the order of collecting; None: it has none yet.
        outcome: what the gate says of it, without any value of a row; None: nothing yet.
        transfer: the collect that has published it.
        opened_at: when its first part came.
        ended_at: when it was refused, published, or was too old.
    """

    dataset: str
    upload: str
    caller: str
    digest: str
    length: int
    state: UploadState
    number: int | None
    outcome: Mapping[str, Any] | None
    transfer: int | None
    opened_at: datetime
    ended_at: datetime | None

    def is_of(self, declared: Declared) -> bool:
        """Whether the same bytes are declared."""
        return (self.digest, self.length) == (declared.digest, declared.length)


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """How much a caller may bring.

    Attributes:
        waiting_bytes: of all uploads of the dataset that are not published yet.
        a_day: uploads of the caller that begin within 24 hours.
    """

    waiting_bytes: int
    a_day: int
