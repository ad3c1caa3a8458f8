"""Checks a connector's options against the connector's own model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from schemas.models.problem import InvalidFile, Problem
from schemas.models.strict_yaml import Document
from schemas.models.values import build


class OptionModels(Protocol):
    """What lint needs to know of a connector."""

    source_options: Any
    sink_options: Any


@runtime_checkable
class Asking(Protocol):
    """Options that can be run as they are, and of which lint asks more."""

    def asks(self) -> Iterator[tuple[str, str, str]]:
        """Dotted place below the options, rule and message of each thing that is missing."""
        ...


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
        found = build(model, options, document, at)
    except InvalidFile as error:
        yield from error.problems
        return
    if isinstance(found, Asking):
        for place, rule, message in found.asks():
            yield document.problem(f"{at}.{place}", rule, message)
