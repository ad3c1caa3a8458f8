"""Checks a connector's options against the connector's own model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from pydantic import BaseModel

from schemas.models.problem import InvalidFile, Problem
from schemas.models.strict_yaml import Document
from schemas.models.values import build


class OptionModels(Protocol):
    """What lint needs to know of a connector."""

    source_options: Any
    sink_options: Any


def options_problems(
    document: Document, at: str, model: type[BaseModel], options: dict[str, Any]
) -> Iterator[Problem]:
    """Problems of one options block.

    Args:
        document: the file they stand in.
        at: their path in the file.
        model: of the connector's options.
        options: as the file has them.
    """
    try:
        build(model, options, document, at)
    except InvalidFile as error:
        yield from error.problems
