"""A local copy of a file on its way through the readers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from connectors.files.skipped import Skipped

UNPACKED_LIMIT = 4 * 1024**3
"""Bytes that a file may unpack to where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Text:
    """A local copy of a file and what messages call it.

    Attributes:
        path: of the copy.
        origin: name of the file, as it may be shown.
        skipped: counts its lines that are no rows.
        limit: bytes that it may unpack to, where it is packed.
    """

    path: Path
    origin: str
    skipped: Skipped = field(default_factory=Skipped)
    limit: int = UNPACKED_LIMIT
