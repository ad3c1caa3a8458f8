"""Times outside the hub: always Beijing time, always written with the offset +08:00.

The People's Republic has one legal time, UTC+8. The zone database's `Asia/Shanghai` is the history
of that city's clocks: local mean time (+08:05:43) until 1901, summer time (+09:00) in 1919, in
1940 to 1949 and in 1986 to 1991. It serves only to read clock times
without a zone (`CLOCKS`); what is written has the fixed offset, so that 1900-01-01T00:00:00+08:00
and 1988-07-01T08:00:00+08:00 leave as they came.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import LiteralString

from onecard.errors import ConfigError

ZONE = timezone(timedelta(hours=8))
"""In which the hub reckons days and writes times."""
OFFSET = "+08:00"
"""The same for Arrow, Polars and MariaDB."""
POSIX_ZONE: LiteralString = "Etc/GMT-8"
"""The same for PostgreSQL, where `+08:00` is eight hours *west* of Greenwich (POSIX)."""
CLOCKS = "Asia/Shanghai"
"""By which times without a zone are read from `CLOCKS_SINCE` on; older ones are at +08:00."""
CLOCKS_SINCE = datetime(1950, 1, 1)  # noqa: DTZ001 - a clock time
"""Older ones were written by people and programs that know one offset only: a 1900-01-01 00:00:00
means "unknown", and a day of birth in July 1945 shall not begin an hour before midnight."""


def iso(moment: datetime) -> str:
    """An instant as every JSON of the hub writes it: `2026-11-24T02:00:00+08:00`.

    Fractions of a second are written where there are any, as six digits.

    Args:
        moment: aware.

    Raises:
        ValueError: it has no zone, so that it is no instant.
    """
    return _beijing(moment).isoformat()


def shown(moment: datetime, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """An instant for people, in tables and on pages, without its offset.

    Args:
        moment: aware.
        form: as for `strftime`.

    Raises:
        ValueError: it has no zone, so that it is no instant.
    """
    return _beijing(moment).strftime(form)


def instant(text: str, where: str) -> datetime:
    """Read a moment of an option or a setting, which `where` names.

    Raises:
        ConfigError: it is none, or says no offset.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        msg = f"{where}: write an instant with offset, e.g. 2026-11-24T02:00:00+08:00"
        raise ConfigError(msg)
    return found


def _beijing(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        msg = "a time without a zone is no instant"
        raise ValueError(msg)
    return moment.astimezone(ZONE)
