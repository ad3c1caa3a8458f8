"""Carriers: what a dataset's events say of a card, in which order, and what takes its place.

An order of events is kept for each carrier, and on replacement the old carrier is blocked at all
consumers before the new one is enabled at any.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field as Attribute
from pydantic import StringConstraints

from onecard.base.frozen import Frozen
from schemas.models.values import Duration, Name

Parameter = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.\-]*$")]


class Blocked(Frozen):
    """Which events leave a carrier blocked; each other one may enable it."""

    field: Name
    in_: tuple[str, ...] = Attribute(alias="in", min_length=1)


class Carrier(Frozen):
    """How a dataset tells of carriers.

    Attributes:
        field: names the carrier that an event is about.
        sequence: counts the events of one carrier, strictly increasing, without a gap.
        blocked: which events leave the carrier blocked.
        successor: of an event that blocks, the carrier that takes its place.
        wait: so long the events of a new carrier wait, at most, until all who read the dataset have
            confirmed that the old one is blocked; from the first delivery that left them out.
    """

    field: Name
    sequence: Name
    blocked: Blocked
    successor: Name
    wait: Duration
