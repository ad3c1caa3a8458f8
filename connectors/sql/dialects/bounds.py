"""A bound as a literal of SQL, made of digits and ISO signs only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from onecard.model.source_types import SourceType

WHOLE = ("integer", "long", "decimal", "numeric")
"""Families whose values a whole number is compared with."""


def literal(
    kind: SourceType, bounds: Mapping[str, str], number: int | None, moment: datetime
) -> str | None:
    """The bound in a cursor's own type; None where the type has none.

    Args:
        kind: the cursor's type.
        bounds: type → SQL, with `{day}`, `{second}` and `{moment}` of clock times.
        number: of a cursor that counts; None: it is a moment.
        moment: in the zone of the database's clock times.
    """
    if number is not None:
        return str(number) if kind.family in WHOLE else None
    form = bounds.get(kind.name)
    if form is None:
        return None
    clock = moment.astimezone(UTC) if kind.read in ("utc", "iso_utc") else moment
    day, time = clock.date().isoformat(), clock.time()
    second = time.isoformat("seconds")
    return form.format(
        day=day, second=f"{day} {second}", moment=f"{day} {time.isoformat('microseconds')}"
    )
