"""The residents: the same people in every agency, each a function of (seed, index)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from demo.chance import Chance, Index, constant, digits, id_check, luhn_digit, text
from onecard.base.personal import UNASSIGNED_DIVISION

BLOCK = 65_536
DIVISION = UNASSIGNED_DIVISION
"""No synthetic number can be a real person's."""

FIRST_BIRTH, LAST_BIRTH = date(1936, 1, 1), date(2024, 12, 31)
_COHORTS = (
    (1936, 5), (1950, 9), (1962, 12), (1976, 11), (1986, 12), (2000, 10), (2013, 12), (2019, 9),
)  # fmt: skip
"""The pyramid: births a day, relative, from that year on. At most 12, so that 13 million fit."""
_SPREAD = 7919
"""Neighbours in index are years apart in age."""


def _slots() -> tuple[Index, Index, Index]:
    """The pyramid's slots: day of birth of each, rank on that day, and slots of that day."""
    days = np.arange(np.datetime64(FIRST_BIRTH), np.datetime64(LAST_BIRTH) + 1)
    year = days.astype("datetime64[Y]").astype(np.int64) + 1970
    births = np.zeros(len(days), np.int64)
    for first, number in _COHORTS:
        births[year >= first] = number
    day = np.repeat(np.arange(len(days)), births)
    rank = np.arange(len(day)) - np.repeat(np.cumsum(births) - births, births)
    return day, rank, births[day]


_SLOT_DAY, _SLOT_RANK, _SLOT_BIRTHS = _slots()
CAPACITY = 500 // 12 * len(_SLOT_DAY)
"""Residents for whom the three serial digits of an ID number suffice (odd men, even women)."""

BANKS = ["102", "103", "104", "105", "301", "403"]
_SURNAMES = list("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕")
_SURNAMES += ["欧阳", "司马", "上官", "𠮷", "买买提·", "阿依古丽·"]
_GIVEN = list("伟芳娜敏静秀英丽强磊军洋勇艳杰娟涛明超霞平刚桂兰建华文玉志国春海燕玲")
_GIVEN += ["子涵", "梓轩", "雨泽", "浩然", "思源", "一诺", "𣇉", "㛃"]
_MOBILE_HEADS = [139, 138, 137, 150, 151, 182, 188, 199, 176, 133]


@dataclass(frozen=True)
class People:
    """A block of residents and what the agencies know of them alike.

    Attributes:
        frame: person_id18, person_name, sex, birth_date, age and the card's attributes, one row
            each; `has_card` and the like are boolean columns.
    """

    chance: Chance
    frame: pl.DataFrame


@lru_cache(maxsize=6)
def block(seed: int, start: int, count: int, today: date) -> People:
    """Residents start to start + count - 1."""
    return residents(seed, np.arange(start, start + count, dtype=np.int64), today)


def residents(seed: int, index: Index, today: date) -> People:
    """Any residents, by their numbers."""
    count = len(index)
    if count and int(index.max()) >= CAPACITY:
        msg = f"a city has at most {CAPACITY:,} residents"
        raise ValueError(msg)
    chance = Chance(seed, index)
    slot, cycle = (index * _SPREAD + seed) % len(_SLOT_DAY), index // len(_SLOT_DAY)
    days = np.datetime64(FIRST_BIRTH) + _SLOT_DAY[slot].astype("timedelta64[D]")
    sex_bit = chance.below("sex", 2)
    serial = (cycle * _SLOT_BIRTHS[slot] + _SLOT_RANK[slot]) * 2 + sex_bit
    head = np.hstack([constant(DIVISION, count), digits(_yyyymmdd(days), 8), digits(serial, 3)])
    age = ((np.datetime64(today) - days).astype(np.int64) / 365.2425).astype(np.int64)
    frame = pl.DataFrame(
        {
            "index": index,
            "person_id18": text(head, id_check(head)),
            "person_name": chance.pick("surname", _SURNAMES) + chance.pick("given", _GIVEN),
            "sex": pl.Series(np.where(sex_bit == 1, "1", "2")),
            "birth_date": pl.Series(days),
            "age": age,
            "has_card": chance.share("card", 0.95),
        }
    ).with_columns(**_card(chance))
    return People(chance, frame)


def _card(chance: Chance) -> dict[str, pl.Series]:
    count = len(chance.index)
    fin = np.select([chance.share("fin0", 0.08), chance.share("fin1", 0.10)], ["0", "1"], "2")
    bank = chance.pick("bank", BANKS)
    bank_digits = np.array([int(b) for b in BANKS])[chance.below("bank", len(BANKS))]
    head = np.hstack([constant("62", count), digits(bank_digits, 3), digits(chance.index, 13)])
    account, opened = text(head, luhn_digit(head)), pl.Series(fin != "0")
    mobile = text(
        digits(np.array(_MOBILE_HEADS)[chance.below("mh", 10)], 3),
        digits(chance.below("mobile", 10**8), 8),
    )
    nothing = pl.Series([None], dtype=pl.String)
    return {
        "card_no": text(constant("A", count), digits(chance.index, 8)),
        "mobile": mobile.zip_with(pl.Series(chance.share("has_mobile", 0.85)), nothing),
        "fin_status": pl.Series(fin),
        "bank_code": bank.zip_with(opened, nothing),
        "bank_account": account.zip_with(opened, nothing),
        "transit_account_no": text(constant("4100", count), digits(chance.index, 13)).zip_with(
            pl.Series(chance.share("transit", 0.9)), nothing
        ),
    }


def dates(first: date, offsets: Index) -> pl.Series:
    """Dates `offsets` days after the first."""
    return pl.Series(np.datetime64(first) + offsets.astype("timedelta64[D]"))


def _yyyymmdd(days: npt.NDArray[np.datetime64]) -> Index:
    year = days.astype("datetime64[Y]").astype(np.int64) + 1970
    month = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    found: Index = year * 10_000 + month * 100 + day
    return found
