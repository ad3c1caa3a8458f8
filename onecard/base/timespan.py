"""ISO 8601 durations, as contracts and agreements write them (`P3D`, `PT10M`)."""

from __future__ import annotations

import re
from datetime import timedelta

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
