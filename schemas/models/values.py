"""Names and spans of time in models that are read from YAML, and how errors are reported."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, StringConstraints, ValidationError

from schemas.models.problem import InvalidFile, Problem
from schemas.models.strict_yaml import Document

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A name that can stand unquoted in SQL, Python and YAML."""

DatasetId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*/[a-z][a-z0-9_]*$")]
"""`<agency>/<dataset>`."""

DURATION = r"^P(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?$"
Duration = Annotated[str, StringConstraints(pattern=DURATION)]
"""An ISO 8601 duration of days, hours, minutes and seconds (GB/T 7408)."""

Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]


Model = TypeVar("Model", bound=BaseModel)


def build(model: type[Model], data: Any, document: Document, at: str = "") -> Model:  # noqa: ANN401
    """Validate `data` (which stands at path `at` of the document) as `model`.

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
