"""What OpenLineage demands of an event, as JSON Schema.

The frame of an event is written out here (specification 2-0-2). Facets come from the client's
classes, which are generated from the specification's own schemas: the version that a facet's
`_schemaURL` names is the version that it is checked against.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types
import typing
import uuid
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import attr
from jsonschema import Draft202012Validator, FormatChecker
from openlineage.client import generated
from openlineage.client.generated import base

PLAIN = {str: "string", int: "integer", bool: "boolean", float: "number"}
ENDS = ("COMPLETE", "ABORT", "FAIL")
FORMATS = FormatChecker(formats=())
NAMES = {
    "schema": "SchemaDatasetFacet",
    "columnLineage": "ColumnLineageDatasetFacet",
    "errorMessage": "ErrorMessageRunFacet",
    "jobType": "JobTypeJobFacet",
    "outputStatistics": "OutputStatisticsOutputDatasetFacet",
    "tags": "TagsRunFacet",
}
"""Keys that the specification gives to the facets in use; the client itself adds `tags`."""


@FORMATS.checks("date-time", ValueError)
def _instant(value: object) -> bool:
    return "T" in str(value) and datetime.fromisoformat(str(value)).tzinfo is not None


@FORMATS.checks("uri", ValueError)
def _uri(value: object) -> bool:
    """RFC 3986; a URN also as RFC 8141 has it: a namespace and something in it."""
    text = str(value)
    parts = urlsplit(text)
    if not parts.scheme or not (parts.netloc or parts.path) or not text.isascii() or " " in text:
        return False
    return parts.scheme != "urn" or all(parts.path.partition(":"))


@FORMATS.checks("uuid", ValueError)
def _uuid(value: object) -> bool:
    return str(uuid.UUID(str(value))) == value


NAMED = {
    "namespace": {"type": "string", "minLength": 1},
    "name": {"type": "string", "minLength": 1},
}


def _dataset(more: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["namespace", "name"],
        "properties": {**NAMED, "facets": {"type": "object"}, more: {"type": "object"}},
        "additionalProperties": False,
    }


URI = {"type": "string", "format": "uri"}
RUN_EVENT = {
    "type": "object",
    "required": ["eventType", "eventTime", "run", "job", "producer", "schemaURL"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", *ENDS, "OTHER"]},
        "eventTime": {"type": "string", "format": "date-time"},
        "producer": URI,
        "schemaURL": {
            "const": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
        },
        "run": {
            "type": "object",
            "required": ["runId"],
            "properties": {
                "runId": {"type": "string", "format": "uuid"},
                "facets": {"type": "object"},
            },
            "additionalProperties": False,
        },
        "job": {
            "type": "object",
            "required": ["namespace", "name"],
            "properties": {**NAMED, "facets": {"type": "object"}},
            "additionalProperties": False,
        },
        "inputs": {"type": "array", "items": _dataset("inputFacets")},
        "outputs": {"type": "array", "items": _dataset("outputFacets")},
    },
    "additionalProperties": False,
}


def problems(event: dict[str, Any]) -> list[str]:
    """Everything that is not as the specification demands."""
    found = [
        _said(e) for e in Draft202012Validator(RUN_EVENT, format_checker=FORMATS).iter_errors(event)
    ]
    if found:
        return found
    for key, facet, kind in _each_facet(event):
        cls = _classes().get(str(facet.get("_schemaURL")))
        if cls is None or not issubclass(cls, kind) or NAMES.get(key) != cls.__name__:
            found.append(f"{key}: no {kind.__name__} of that version")
            continue
        checker = Draft202012Validator(_schema(cls), format_checker=FORMATS)
        found += [f"{key}: {_said(e)}" for e in checker.iter_errors(facet)]
        if key == "columnLineage":
            found += _transformations(facet)
    return found


def _said(error: Any) -> str:
    return f"{'.'.join(map(str, error.absolute_path))}: {error.validator}"


def _transformations(facet: dict[str, Any]) -> Iterator[str]:
    """The one closed list of the specification that its schema gives in words only."""
    for name, column in facet["fields"].items():
        for field in column["inputFields"]:
            for done in field.get("transformations", ()):
                if done["type"] not in ("DIRECT", "INDIRECT"):
                    yield f"columnLineage: {name}: type"


def _each_facet(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], type]]:
    places: list[tuple[dict[str, Any], type]] = [
        (event["run"].get("facets", {}), base.RunFacet),
        (event["job"].get("facets", {}), base.JobFacet),
    ]
    for side, own, kind in (
        ("inputs", "inputFacets", base.InputDatasetFacet),
        ("outputs", "outputFacets", base.OutputDatasetFacet),
    ):
        for dataset in event.get(side, ()):
            places.append((dataset.get("facets", {}), base.DatasetFacet))
            places.append((dataset.get(own, {}), kind))
    for facets, kind in places:
        for key, facet in facets.items():
            yield key, facet, kind


@cache
def _classes() -> dict[str, type]:
    """Facet classes by the URL of their schema's version."""
    found: dict[str, type] = {}
    for module in pkgutil.iter_modules(generated.__path__):
        loaded = importlib.import_module(f"{generated.__name__}.{module.name}")
        for cls in vars(loaded).values():
            if inspect.isclass(cls) and issubclass(cls, base.BaseFacet):
                found[cls._get_schema()] = cls
    return found


@cache
def _schema(cls: type) -> dict[str, Any]:
    """A generated class as JSON Schema: what has no default is required; nothing is null."""
    made: dict[str, Any] = {}
    return {**_reference(cls, made), "$defs": made}


def _reference(cls: Any, made: dict[str, Any]) -> dict[str, Any]:
    """A reference to a class, which is described in `made` (classes may hold themselves)."""
    if cls.__name__ not in made:
        made[cls.__name__] = {}
        hints = typing.get_type_hints(cls)
        always = ("_producer", "_schemaURL") if issubclass(cls, base.BaseFacet) else ()
        fields = attr.fields(cls)
        made[cls.__name__] = {
            "type": "object",
            "properties": {
                f.name: URI if f.name in always else _of(hints[f.name], made) for f in fields
            },
            "required": [*always, *(f.name for f in fields if f.default is attr.NOTHING)],
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _of(hint: Any, made: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        (kept,) = [a for a in arguments if a is not type(None)]
        return _of(kept, made)
    if origin is list:
        return {"type": "array", "items": _of(arguments[0], made)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(arguments[1], made)}
    return {"type": PLAIN[hint]} if hint in PLAIN else _reference(hint, made)
