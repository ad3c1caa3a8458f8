"""Checks a connector's options against the connector's own model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel

from onecard.errors import ConfigError
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


@runtime_checkable
class NamingFiles(Protocol):
    """A kind whose sources may name files beside the contracts, which their options must fit."""

    def misfits(self, options: BaseModel, folder: Path) -> Iterator[tuple[str, str, str]]:
        """Dotted place below the options, rule and message of each thing that does not fit.

        Args:
            options: of a source, validated.
            folder: of the contracts.

        Raises:
            ConfigError: what reads these files is not installed.
        """
        ...


Misfits = Callable[[BaseModel], Iterator[tuple[str, str, str]]]


def options_problems(
    document: Document,
    at: str,
    model: type[BaseModel],
    options: dict[str, Any],
    misfits: Misfits | None = None,
) -> Iterator[Problem]:
    """Problems of one options block.

    Args:
        document: the file they stand in.
        at: their path in the file.
        model: of the connector's options.
        options: as the file has them.
        misfits: what in valid options does not fit a file beside the contracts.
    """
    try:
        found = build(model, options, document, at)
    except InvalidFile as error:
        yield from error.problems
        return
    if isinstance(found, Asking):
        for place, rule, message in found.asks():
            yield document.problem(f"{at}.{place}", rule, message)
    if misfits is None:
        return
    try:
        for place, rule, message in misfits(found):
            yield document.problem(f"{at}.{place}", rule, message)
    except ConfigError as error:  # what reads the file is not installed
        yield document.problem(at, "connector.extra", str(error))
