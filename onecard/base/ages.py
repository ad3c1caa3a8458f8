"""When a person has completed a year of life: one rule for selections and for the privacy gate.

A year is completed on the birthday (Civil Code, article 1259: "at least" includes the number
itself). Who was born on 29 February completes it on 1 March of a common year: on 28 February the
day of birth has not come again yet, and a child stays protected for the day.
"""

from __future__ import annotations

from datetime import date

LEAP_DAY = (2, 29)


def latest_birth(on: date, years: int) -> date:
    """The latest birth date of somebody who has completed so many years.

    Args:
        on: the day.
        years: completed years of life.
    """
    if (on.month, on.day) == LEAP_DAY and not _leap(on.year - years):
        return date(on.year - years, 2, 28)
    return on.replace(year=on.year - years)


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
