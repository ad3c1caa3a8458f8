"""Calls about single persons of late: figures and promises, for all faces."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from onecard.model.call_figures import RefusedCalls
from onecard.model.call_lines import CallLine, call_lines
from onecard.operations.reactions import LATELY
from onecard.store import call_figures
from onecard.store.database import Connection
from schemas.models.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of late.

    Attributes:
        lines: of each agreement and system that may ask, residents' look-ups last.
        refused: all that were refused, also of whom nobody knows.
    """

    lines: tuple[CallLine, ...]
    refused: tuple[RefusedCalls, ...]

    @property
    def any(self) -> bool:
        """Whether there was any."""
        return bool(self.refused) or any(line.any for line in self.lines)


def lately(connection: Connection, known: Catalogue, now: datetime) -> Calls:
    """Calls of the last 24 hours, by whole hours.

    Args:
        connection: of the hub's database.
        known: agreements, and the systems that may call.
        now: the hub's time.
    """
    start = (now - LATELY).replace(minute=0, second=0, microsecond=0)
    end = now + timedelta(hours=1)
    answered = call_figures.answered_calls(connection, start, end)
    refused = call_figures.refused_calls(connection, start, end)
    return Calls(tuple(call_lines(known, answered, refused)), tuple(refused))
