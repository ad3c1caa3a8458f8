"""One defect of a YAML file, in words that let its author mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from onecard.errors import ConfigError


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A defect: where it stands, which rule it breaks, and what would be valid.

    Attributes:
        file: the YAML file.
        line: line number from 1, or 0 when the whole file is meant.
        field: dotted path inside the file, e.g. `schema.0.properties.3.customProperties`.
        rule: short stable id of the broken rule, e.g. `yaml.duplicate_key`.
        message: what is wrong and what the valid choices are.
    """

    file: Path
    line: int
    field: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field or '(file)'}: {self.rule}: {self.message}"


class InvalidFile(ConfigError):
    """A YAML file has problems; `problems` lists all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))
