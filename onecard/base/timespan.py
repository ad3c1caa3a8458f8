"""ISO 8601: durations, as contracts and agreements write them (`P3D`, `PT10M`), and instants."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from onecard.errors import ConfigError

ZONE = ZoneInfo("Asia/Shanghai")
"""In which the hub reckons days and writes times."""

_PATTERN = re.compile(r"^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$")


def duration(text: str) -> timedelta:
    """Read days, hours, minutes and seconds.

    Raises:
        ValueError: not such a duration.
    """
    match = _PATTERN.match(text)
    if match is None:
        msg = f"not an ISO 8601 duration: {text!r}"
        raise ValueError(msg)
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


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
