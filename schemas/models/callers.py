"""Systems that may call the query and verify service: `schemas/callers.yaml` is the one place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints

from onecard.base.frozen import Frozen
from onecard.base.platform_signature import SignatureForm
from onecard.errors import unknown
from schemas.models.problem import InvalidFile, Problem
from schemas.models.strict_yaml import parse
from schemas.models.values import Name, build

FILE = Path(__file__).parents[1] / "callers.yaml"

Sid = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,30}$")]


class CallerSystem(SignatureForm):
    """One system.

    Attributes:
        agency: to whom it belongs; it asks under the agreements of this consumer.
        residents: it asks what became of residents' data, for residents it has authenticated; it
            asks under no agreement.
    """

    agency: Name
    title: str
    title_en: str
    residents: bool = False

    def asks_for(self, consumer: str) -> bool:
        """Whether it asks under the agreements of a consumer.

        Args:
            consumer: an agency.
        """
        return self.agency == consumer and not self.residents


class CallerSystems(Frozen):
    """The whole file."""

    callers: Mapping[Sid, CallerSystem]


@cache
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
