"""Who may see what: maps users and groups of Airflow to agencies; who is not named sees nothing.

The file that ONECARD_PORTAL_USERS names:

    users:
      li.hrss: [hrss]
    groups:
      onecard-health: [health]
      Admin: ["*"]          # engineers: every agency
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from onecard.base.frozen import Frozen
from onecard.errors import ConfigError, unknown
from schemas.models.strict_yaml import parse
from schemas.models.values import build

ENGINEER = "*"
"""Stands for every agency."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is logged in, as Airflow says it."""

    name: str
    groups: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who may use the portal.

    Attributes:
        agencies: whose pages the person may see, in the catalogue's order.
        engineer: sees every agency.
        named: agencies that are the person's own, and not only as one of all.
    """

    name: str
    agencies: tuple[str, ...]
    engineer: bool
    named: tuple[str, ...] = ()


class AccessMap(Frozen):
    """The mapping: agencies (or `*`) by user name and by group or role."""

    users: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)

    def visitor(self, person: Person, known: Iterable[str]) -> Visitor | None:
        """What the person may see; None when nothing."""
        granted = set(self.users.get(person.name, ()))
        for group in person.groups:
            granted.update(self.groups.get(group, ()))
        engineer = ENGINEER in granted
        agencies = tuple(a for a in known if engineer or a in granted)
        named = tuple(a for a in agencies if a in granted)
        return Visitor(person.name, agencies, engineer, named) if agencies else None


def load(file: Path | None, known: Iterable[str]) -> AccessMap:
    """Read the mapping; without a file nobody is mapped.

    Raises:
        InvalidFile: not readable, not strict YAML, or another key.
        ConfigError: names an agency that is not in `agencies.yaml`.
    """
    if file is None:
        return AccessMap()
    document = parse(file)
    found = build(AccessMap, document.data, document)
    agencies = {ENGINEER, *known}
    for part, mapping in (("users", found.users), ("groups", found.groups)):
        for name, granted in mapping.items():
            for agency in granted:
                if agency not in agencies:
                    where = f"{file}: {part}.{name}: "
                    raise ConfigError(where + unknown("agency", agency, agencies))
    return found
