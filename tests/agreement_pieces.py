"""A text that says everything that the model of agreements can say, and every change of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from datetime import date
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from schemas.models.agreement import Agreement
from schemas.models.values import Duration

Content = dict[str, Any]
PLAIN: Mapping[type, object] = {
    str: "text",
    bool: True,
    int: 7,
    date: "2026-01-01",
    Duration: "P30D",
}


def everything() -> Content:
    """Each field of each model of the text, from the models' own annotations."""
    found: Content = example(Agreement)
    return found


def example(annotation: Any) -> Any:
    """A value that is not the default."""
    origin, given = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return example(given[0])
    if origin in (Union, UnionType):
        return example(next(a for a in given if a is not type(None)))
    if origin is Literal:
        return given[-1]
    if origin is tuple:
        return [example(given[0])] * (1 if given[-1] is Ellipsis else len(given))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        inner = {"option": "x"} if given[1] is Any else example(given[1])
        return {example(given[0]): inner}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {i.alias or n: _not_default(i) for n, i in annotation.model_fields.items()}
    return PLAIN[annotation]


def _not_default(info: FieldInfo) -> Any:
    found = example(info.annotation)
    return (not found) if found is info.default else found


def models(model: type[BaseModel] = Agreement) -> Iterator[type[BaseModel]]:
    """The model of agreements, and every model inside it."""
    found, waiting = set(), [model]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            yield one
            waiting += [m for i in one.model_fields.values() for m in inside(i.annotation)]


def inside(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from inside(inner)


def literals(annotation: Any) -> Iterator[Any]:
    """The choices of a field, wherever they stand in its annotation."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
        return
    for inner in get_args(annotation):
        yield from literals(inner)


def changes(content: Content) -> Iterator[tuple[str, Content]]:
    """Every change of one thing: another value, nothing, one item more, items in another order."""
    for place in places(content):
        for name, value in (("other", _other(_at(content, place))), ("none", None)):
            made = copy.deepcopy(content)
            parent = _at(made, place[:-1])
            if value is None and isinstance(parent, dict):
                del parent[place[-1]]
            elif value is not None:
                parent[place[-1]] = value
            else:
                continue
            yield f"{'.'.join(map(str, place))} {name}", made


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything inside; what is a list of plain values is one thing."""
    if place:
        yield place
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from places(inner, (*place, name))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for number, item in enumerate(value):
            yield from places(item, (*place, number))


def _at(content: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        content = content[step]
    return content


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, dict):
        return {**copy.deepcopy(value), "unheard_of": "x"}
    more = copy.deepcopy(value[-1])
    if isinstance(more, dict):
        first = next(name for name, inner in more.items() if isinstance(inner, str))
        return [{**more, first: "zz"}, *copy.deepcopy(value)]
    return [*copy.deepcopy(value), _other(more)]
