"""How soon an agency answers a challenge: `schemas/service_levels.yaml` is the one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from onecard.base.frozen import Frozen
from onecard.base.kept import Kept
from onecard.errors import unknown
from schemas.models.problem import InvalidFile, Problem
from schemas.models.strict_yaml import parse
from schemas.models.values import Name, build

FILE = Path(__file__).parents[1] / "service_levels.yaml"

ChallengeKind = Literal["record", "finding"]
Days = Annotated[int, Field(ge=1, le=60)]


class Levels(Frozen):
    """Working days for each kind of challenge."""

    record: Days
    finding: Days


class OwnLevels(Frozen):
    """What an agency has otherwise; None: as everybody."""

    record: Days | None = None
    finding: Days | None = None


_AS_EVERYBODY = OwnLevels()


class ServiceLevels(Frozen):
    """The whole file."""

    working_days: Levels
    agencies: Mapping[Name, OwnLevels] = {}

    def days(self, agency: str, kind: ChallengeKind) -> int:
        """Working days that the agency has to answer."""
        own = self.agencies.get(agency, _AS_EVERYBODY)
        found = own.record if kind == "record" else own.finding
        usual = self.working_days
        return found or (usual.record if kind == "record" else usual.finding)


@Kept
def load(file: Path = FILE) -> ServiceLevels:
    """Read the file.

    Raises:
        InvalidFile: with file, line, field, rule and the valid choices.
    """
    document = parse(file)
    return build(ServiceLevels, document.data, document)


def check(file: Path, agencies: Mapping[str, object]) -> Iterator[Problem]:
    """All problems of the file; a folder without one uses the package's own."""
    if not file.exists():
        return
    try:
        document = parse(file)
        found = build(ServiceLevels, document.data, document)
    except InvalidFile as error:
        yield from error.problems
        return
    for name in found.agencies:
        if name not in agencies:
            message = unknown("agency", name, agencies)
            yield document.problem(f"agencies.{name}", "service_level.unknown_agency", message)
