"""How soon consumers must know of an event: `schemas/reaction.yaml` is the one place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import core_schema

from onecard.base.frozen import Frozen
from onecard.base.kept import Kept
from onecard.base.times import ZONE
from onecard.base.timespan import duration
from schemas.models.agreement import Agreement
from schemas.models.contract import Contract
from schemas.models.strict_yaml import parse
from schemas.models.values import DatasetId, Name, build

FILE = Path(__file__).parents[1] / "reaction.yaml"
_DAYS = re.compile(r"T\+(\d{1,2})")


class Limit(str):
    """A limit as its author wrote it: an ISO 8601 duration (`PT60S`), or `T+1`, read once.

    Attributes:
        span: of a duration; None of `T+n`.
        days: of `T+n`: the limit is over when the n-th day after the event's is, in Beijing.
    """

    __slots__ = ("days", "span")
    span: timedelta | None
    days: int

    def __new__(cls, text: str) -> Self:
        """Read the text.

        Raises:
            ValueError: it is neither, or a duration of nothing.
        """
        made = super().__new__(cls, text)
        found = _DAYS.fullmatch(text)
        made.days, made.span = (int(found[1]), None) if found else (0, _span(text))
        return made

    def latest(self, now: datetime) -> datetime:
        """An event before this moment is late now."""
        if self.span is not None:
            return now - self.span
        midnight = now.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=self.days)

    @property
    def shown(self) -> str:
        """For people, in tables of seconds: `60`, or `T+1`."""
        return str(self) if self.span is None else f"{int(self.span.total_seconds()):,}"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: object, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """A text, then a `Limit`."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


class Kind(Frozen):
    """A kind of event.

    Attributes:
        when: codes by field of the contract, all of which must hold; empty: every event.
    """

    title: str
    title_en: str
    when: Mapping[Name, tuple[str, ...]] = {}


class Events(Frozen):
    """What is measured of one dataset.

    Attributes:
        since: the field from which the seconds count.
        kinds: the first that fits counts.
    """

    since: Name
    kinds: Mapping[Name, Kind] = Field(min_length=1)

    @property
    def fields(self) -> frozenset[str]:
        """All fields of the contract that it needs."""
        return frozenset({self.since, *(n for kind in self.kinds.values() for n in kind.when)})


@dataclass(frozen=True, slots=True)
class Expectation:
    """What one agreement's consumer must know, and how soon.

    Attributes:
        events: of the agreement's dataset.
        limits: by kind; a kind without one is measured only.
    """

    events: Events
    limits: Mapping[str, Limit]


class Reaction(Frozen):
    """The whole file."""

    datasets: Mapping[DatasetId, Events]
    limits: Mapping[Name, Mapping[Name, Limit]]
    others: Mapping[Name, Limit]

    def expected(self, agreement: Agreement, contract: Contract) -> Expectation | None:
        """What is measured of an agreement.

        Args:
            agreement: whose consumer is to know.
            contract: of its dataset.

        Returns:
            None: nothing of that dataset is, or it has not the fields, which `onecard lint` tells.
        """
        events = self.datasets.get(agreement.dataset)
        if events is None or agreement.statistics or not events.fields <= set(contract.names):
            return None
        if events.since not in moments(contract):
            return None  # a time that is NULL would count as no time at all
        limits = self.limits.get(agreement.consumer, self.others)
        return Expectation(events, {k: limits[k] for k in events.kinds if k in limits})

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """All kinds by name, in the order of the file."""
        return {name: k for events in self.datasets.values() for name, k in events.kinds.items()}


def moments(contract: Contract) -> list[str]:
    """Fields from which seconds can count: an instant that no row is without."""
    return [f.name for f in contract.fields if f.type == "timestamp" and f.required]


NOTHING = Reaction(datasets={}, limits={}, others={})
"""Of a catalogue whose file is broken."""


def _span(text: str) -> timedelta:
    msg = f"not a limit: {text!r}; write PT60S (a duration) or T+1 (the end of the next day)"
    try:
        found = duration(text)
    except (OverflowError, ValueError):
        raise ValueError(msg) from None
    if not found:
        raise ValueError(msg)
    return found


@Kept
def load(file: Path = FILE) -> Reaction:
    """Read the file.

    Raises:
        InvalidFile: with file, line, field, rule and the valid choices.
    """
    document = parse(file)
    return build(Reaction, document.data, document)
