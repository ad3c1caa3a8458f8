"""What a delivery is to do, beside sending what is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onecard.deliver.earlier import Earlier
    from onecard.deliver.measuring import Measuring
    from onecard.deliver.treatment import Tokeniser


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a delivery is to do.

    Attributes:
        removing: withdraw what is in scope no more.
        every: send what the consumer has as well.
        alone: rows that are sent beside what is due, and nothing else (a replay).
        released: dataset keys for which a person vouches.
        old_tokens: of the tokens that the consumer has, where they are of an earlier key.
        lapsed: id of the last delivery whose retention is over; 0: none.
        last: id of the last confirmed delivery.
        earlier: whose rows left before there was a record; None: there is one, or none left.
        measuring: of the events that leave; None: nothing is measured.
    """

    removing: bool = False
    every: bool = False
    alone: bool = False
    released: frozenset[str] = frozenset()
    old_tokens: Tokeniser | None = None
    lapsed: int = 0
    last: int = 0
    earlier: Earlier | None = None
    measuring: Measuring | None = None
