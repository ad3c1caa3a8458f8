"""Names and spans of time in models that are read from YAML, and how errors are reported."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, GetCoreSchemaHandler, StringConstraints, ValidationError
from pydantic_core import core_schema

from onecard.base.timespan import duration
from schemas.models.problem import InvalidFile, Problem
from schemas.models.strict_yaml import Document

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A name that can stand unquoted in SQL, Python and YAML."""

DatasetId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*/[a-z][a-z0-9_]*$")]
"""`<agency>/<dataset>`."""

_DURATION = r"^P(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?$"

Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]


class Duration(str):
    """An ISO 8601 duration of days, hours, minutes and seconds (GB/T 7408), read once.

    It stays the text that its author wrote, so that an agreement's fingerprint and messages do not
    change by reading it (`PT24H` is not `P1D`).

    Attributes:
        span: the same as a `timedelta`.
    """

    __slots__ = ("span",)
    span: timedelta

    def __new__(cls, text: str) -> Self:
        """Read the text.

        Raises:
            ValueError: it is no such duration, or longer than a calendar.
        """
        made = super().__new__(cls, text)
        try:
            made.span = duration(text)
        except OverflowError:
            msg = f"not a duration that can be reckoned with: {text!r}"
            raise ValueError(msg) from None
        return made

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: object, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """A text of that pattern, then a `Duration`."""
        text = core_schema.str_schema(pattern=_DURATION)
        return core_schema.no_info_after_validator_function(cls, text)


Model = TypeVar("Model", bound=BaseModel)


def build(model: type[Model], data: Any, document: Document, at: str = "") -> Model:  # noqa: ANN401
    """Validate `data` (which stands at path `at` of the document) as `model`.

    Args:
        model: a frozen model.
        data: as parsed.
        document: the file, for lines.
        at: path of `data` in the file; empty: all of it.

    Raises:
        InvalidFile: one problem per error, with line, field, rule and the valid choices; the
            offending input is quoted only where the file is ours (YAML holds no row values).
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InvalidFile([_problem(document, at, e) for e in error.errors()]) from None


def _problem(document: Document, at: str, error: Any) -> Problem:  # noqa: ANN401 - ErrorDetails
    parts = [str(part) for part in error["loc"] if _stands(document, at, error, part)]
    path = ".".join([at, *parts] if at else parts)
    message = str(error["msg"]).removeprefix("Value error, ")
    rule = {"extra_forbidden": "model.unknown_key", "missing": "model.missing_key"}.get(
        error["type"], f"model.{error['type']}"
    )
    context = error.get("ctx") or {}
    if error["type"] == "value_error" and ":" in message.split(" ", 1)[0]:
        rule, _, message = message.partition(": ")
    if error["type"] == "literal_error":
        message = f"valid choices: {context.get('expected')}"
    if error["type"] == "union_tag_invalid":
        message = f"valid choices: {context.get('expected_tags')}"
    return document.problem(path, rule, message)


def _stands(document: Document, at: str, error: Any, part: object) -> bool:  # noqa: ANN401
    """Whether a part of pydantic's location stands in the file (union tags do not)."""
    if part == error["loc"][-1]:
        return True
    prefix = f"{at}." if at else ""
    return any(f".{part}." in f".{path}." for path in document.lines if path.startswith(prefix))
