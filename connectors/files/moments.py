"""Local times that a file keeps as such, as text in the form of a contract's column."""

from __future__ import annotations

from datetime import datetime, time
from zoneinfo import ZoneInfo

from onecard.base.times import CLOCKS, CLOCKS_SINCE, OFFSET


def written(moment: datetime, kind: str | None, form: str | None) -> str | None:
    """A local time as a column of this type writes it; None where it was twice, or never.

    What the column's form would leave out (the time of a day) is not left out: such a text is none
    of the column's type, and costs its row.

    Args:
        moment: as clocks show it.
        kind: type of the column.
        form: in which its text is written (strftime); None: ISO 8601.
    """
    plain = moment.date().isoformat() if moment.time() == time() else moment.isoformat(" ")
    if kind not in ("date", "timestamp"):
        return plain
    if form is not None:
        said = moment.strftime(form)
        return said if _back(said, form) == moment else moment.isoformat(" ")
    if kind == "date":
        return plain
    if moment < CLOCKS_SINCE:
        return f"{moment.isoformat()}{OFFSET}"
    zone = ZoneInfo(CLOCKS)
    first, second = moment.replace(tzinfo=zone), moment.replace(tzinfo=zone, fold=1)
    return first.isoformat() if first.utcoffset() == second.utcoffset() else None


def _back(said: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(said, form)  # noqa: DTZ007 - a sheet's times have no zone
    except ValueError:
        return None
