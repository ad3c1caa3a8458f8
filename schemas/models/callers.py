"""Systems that may call the query and verify service: `schemas/callers.yaml` is the one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from onecard.base import workdays
from onecard.base.frozen import Frozen
from onecard.base.kept import Kept
from onecard.base.platform_signature import SignatureForm
from onecard.base.times import ZONE
from onecard.errors import unknown
from schemas.models.problem import InvalidFile, Problem
from schemas.models.strict_yaml import parse
from schemas.models.values import Name, build

FILE = Path(__file__).parents[1] / "callers.yaml"

CallerProfile = Literal["production", "sandbox"]

Sid = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,30}$")]


ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class OfficeHours(Frozen):
    """When the people who use a system work, at +08:00; of one day, not past midnight.

    Attributes:
        days: `workdays` by the State Council's calendar, or `every_day`.
        from_: they begin, as 08:30.
        to: they end; the minute that it names is outside.
    """

    days: Literal["workdays", "every_day"]
    from_: ClockTime = Field(alias="from")
    to: ClockTime

    @model_validator(mode="after")
    def _ordered(self) -> OfficeHours:
        if self.to <= self.from_:
            msg = "caller.hours: `to` is not after `from`; who works day and night has no `hours`"
            raise ValueError(msg)
        return self

    def spans(self, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """Office hours of all days that a span touches.

        Args:
            start: of the span, aware.
            end: of the span, aware.

        Returns:
            Beginnings, and ends that are no more part of them.
        """
        found, day, last = [], start.astimezone(ZONE).date(), end.astimezone(ZONE).date()
        while day <= last:
            if self.days == "every_day" or workdays.is_workday(day):
                found.append((_at(day, self.from_), _at(day, self.to)))
            day += timedelta(days=1)
        return found


def _at(day: date, clock: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), ZONE)


class CallerSystem(SignatureForm):
    """One system.

    Attributes:
        agency: to whom it belongs; it asks under the agreements of this consumer.
        residents: it asks what became of residents' data, for residents it has authenticated; it
            asks under no agreement.
        hours: when its operators work; None: day and night.
        profile: a system of `sandbox` asks for the persons of `sandbox.yaml`, who are nobody, and
            never for a resident; one of `production` never for those.
    """

    agency: Name
    title: str
    title_en: str
    residents: bool = False
    hours: OfficeHours | None = None
    profile: CallerProfile = "production"

    @property
    def sandbox(self) -> bool:
        """Whether it asks for nobody who lives."""
        return self.profile == "sandbox"

    def asks_for(self, consumer: str) -> bool:
        """Whether it asks for residents under the agreements of a consumer.

        Args:
            consumer: an agency.
        """
        return self.agency == consumer and not self.residents and not self.sandbox

    @model_validator(mode="after")
    def _one_kind(self) -> CallerSystem:
        if self.residents and self.sandbox:
            msg = "caller.sandbox: no resident is told of by way of the sandbox; drop `residents`"
            raise ValueError(msg)
        return self


class CallerSystems(Frozen):
    """The whole file."""

    callers: Mapping[Sid, CallerSystem]


@Kept
def load(file: Path = FILE) -> CallerSystems:
    """Read the file.

    Raises:
        InvalidFile: with file, line, field, rule and the valid choices.
    """
    document = parse(file)
    return build(CallerSystems, document.data, document)


def check(file: Path, agencies: Mapping[str, object]) -> Iterator[Problem]:
    """All problems of the file; a folder without one has no callers.

    Args:
        file: to be checked.
        agencies: that there are.
    """
    if not file.exists():
        return
    try:
        document = parse(file)
        found = build(CallerSystems, document.data, document)
    except InvalidFile as error:
        yield from error.problems
        return
    for sid, system in found.callers.items():
        if system.agency not in agencies:
            message = unknown("agency", system.agency, agencies)
            yield document.problem(f"callers.{sid}.agency", "caller.unknown_agency", message)
