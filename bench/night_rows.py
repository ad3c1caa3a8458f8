"""The rows of one night of a city of 13 million, for a city of any size: by number, not by share.

Each agency's rows are those of the demo's day 1, of residents who are spread evenly over the city,
so many of each dataset as `NIGHT` says. Which residents there are besides them changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from demo.calendar import DAY_ZERO, Day
from demo.people import BLOCK, People, block, residents
from demo.world import DAILY, LIFE_CYCLE, TURN, World

if TYPE_CHECKING:
    from demo.chance import Index

CITY = 13_000_000
"""Residents of the city whose nights these are."""

NIGHT = {
    "hrss/card_master": 5_000,
    "hrss/card_status_event": 6_500,
    "hrss/ecard_binding": 6_000,
    "health/health_visit": 300_000,
    "medical_insurance/med_settlement": 375_000,
    "education/edu_enrolment": 2_000,
    "education/campus_payment": 100_000,
    "transport/transit_ride": 600_000,
    "transport/transit_concession": 3_000,
    "housing_fund/hf_account": 4_000,
    "housing_fund/hf_contribution": 70_000,
    "housing_fund/hf_withdrawal": 7_000,
    "hrss/pension_status": 3_000,
    "hrss/employment_status": 6_000,
    "hrss/subsidy_payment": 30_000,
    "health/death_notice": 175,
    "hrss/consent_record": 3_000,
}
"""Rows of one night: new, or changed. Of rides the eighth that is paid by the card; of consents as
many as concessions."""

LIVES, NEWCOMERS = 6_800, 270
"""Residents to whose card something happens on a night, and those who are born."""
_LIFE = ("hrss/card_master", "hrss/card_status_event", "health/death_notice")
_KINDS = 5
"""What happens to a card is one of five things, in turn."""
_FEWEST = 20


@dataclass(frozen=True)
class _Round(Day):
    """Day 1 again, with ids and chances of its own."""

    @property
    def date(self) -> date:
        """The night's."""
        return Day(1).date


@dataclass(frozen=True, slots=True)
class _Changing(World):
    """A city in which only some residents are looked at.

    Attributes:
        chosen: their numbers.
        born: so many newcomers a day.
    """

    chosen: tuple[int, ...] = ()
    born: int = 0

    def _blocks(self, day: Day) -> Iterator[People]:
        yield residents(self.seed, np.array(self.chosen, np.int64), day.date)

    def _newcomers(self, day: Day) -> People:
        return block(self.seed, self.persons, self.born, day.date)


def wanted(dataset: str, share: float) -> int:
    """So many rows of a dataset stand in a night that is a share of the city's."""
    return max(_FEWEST, round(NIGHT[dataset] * share))


def rows(world: World, dataset: str, share: float) -> Iterator[pl.DataFrame]:
    """The night's rows of a dataset.

    Args:
        world: the city.
        dataset: `<agency>/<dataset>`.
        share: of the city's night: 1 is `NIGHT`.
    """
    if dataset in DAILY:
        yield from _happenings(world, dataset, wanted(dataset, share))
    else:
        yield _changes(world, dataset, share)


def _happenings(world: World, dataset: str, left: int) -> Iterator[pl.DataFrame]:
    """What happens on the day, in rounds: a resident has at most one row in each."""
    number = 0
    while left:
        number += 1
        day, first = _Round(number), block(world.seed, 0, min(BLOCK, world.persons), DAY_ZERO)
        rate = len(DAILY[dataset](first, day)) / len(first.frame)
        step = max(1, int(0.9 * rate * world.persons / left))
        for some in _spread(world.persons, step):
            found = DAILY[dataset](residents(world.seed, some, day.date), day).head(left)
            left -= len(found)
            yield found
            if not left:
                return


def _spread(persons: int, step: int) -> Iterator[Index]:
    """Every so many-th resident, in blocks."""
    index = np.arange(0, persons, step, dtype=np.int64)
    for start in range(0, len(index), BLOCK):
        yield index[start : start + BLOCK]


def _changes(world: World, dataset: str, share: float) -> pl.DataFrame:
    """Records of the stock that change, and newcomers' records."""
    number, most = Day(1), wanted(dataset, share)
    lives = _thinned(
        np.arange(1, world.persons, LIFE_CYCLE), max(_FEWEST, round(LIVES * share)), _KINDS
    )
    turns = np.arange(1, world.persons, TURN)
    if dataset == "hrss/card_master":
        turns = _thinned(turns, max(_FEWEST, round(NEWCOMERS * share)))
    chosen = lives if dataset in _LIFE[1:] else np.union1d(lives, turns)
    born = max(4, round(NEWCOMERS * share))
    city = _Changing(world.seed, world.persons, tuple(chosen.tolist()), born)
    (found,) = city.rows(dataset, number.number)
    place = pl.Series(np.linspace(0, len(found) - 1, min(most, len(found))).astype(np.int64))
    return found[place]


def _thinned(index: Index, most: int, together: int = 1) -> Index:
    """About so many of them, spread evenly, neighbours kept together."""
    groups = len(index) // together
    chosen = np.linspace(0, groups - 1, min(most // together, groups)).astype(np.int64)
    found: Index = index[(chosen[:, None] * together + np.arange(together)).ravel()]
    return found
