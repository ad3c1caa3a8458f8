"""An agreement's text piece by piece, and two texts side by side.

The pieces come from the model (`schemas.models.agreement`): a part that it gets is among them at
once. What an older text says that the model does not know any more is a piece by its raw name.
Nothing is left out but what is absent: a change of any piece is a difference.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from schemas.models.agreement import Agreement
from schemas.models.agreement_parts import Exists, Filter, Join, SharedField

GENERAL = "general"
"""The part of what stands at the top of the text by itself."""
NAMED: Mapping[type[BaseModel], str] = {
    SharedField: "name",
    Join: "alias",
    Filter: "field",
    Exists: "dataset",
}
"""What tells items of a list apart, so that one more moves none of the others; it stands in the way
down to each of their pieces."""
Mark = Literal["same", "changed", "added", "removed"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step down into the text.

    Attributes:
        name: as the text writes it, or what tells an item of a list apart.
        kind: `<model>.<name>` of a part of the model; empty for an item or an unknown name.
    """

    name: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing that a text says.

    Attributes:
        place: the way down to it.
        value: as JSON has it; never None.
        order: it says in which order the items of a list follow each other.
    """

    place: tuple[Step, ...]
    value: Any
    order: bool = False

    @property
    def key(self) -> tuple[str, ...]:
        """What stands for its place in another text."""
        return (*(step.name for step in self.place), *(["order"] if self.order else []))

    @property
    def kind(self) -> str:
        """`<model>.<name>` of the part of the model that it is; empty where there is none."""
        return self.place[-1].kind

    @property
    def part(self) -> str:
        """The part of the text that it belongs to."""
        first, *more = self.place
        return first.name if more or self.order else GENERAL


@dataclass(frozen=True, slots=True)
class Difference:
    """One piece in two texts; None where a text does not have it."""

    old: Piece | None
    new: Piece | None

    @property
    def piece(self) -> Piece:
        """The piece, of whichever text has it."""
        found = self.new or self.old
        assert found is not None  # noqa: S101 - made of at least one
        return found

    @property
    def mark(self) -> Mark:
        """What became of it."""
        if self.old is None or self.new is None:
            return "added" if self.old is None else "removed"
        return "same" if _same(self.old.value, self.new.value) else "changed"


@dataclass(frozen=True, slots=True)
class ComparedPart:
    """A part of the text, piece by piece; `name` is a name of the model, or `GENERAL`."""

    name: str
    differences: Sequence[Difference]

    @property
    def changed(self) -> int:
        """How many of its pieces differ."""
        return sum(d.mark != "same" for d in self.differences)


def pieces(content: Mapping[str, Any]) -> list[Piece]:
    """Everything that a text says, in the order of the model.

    Args:
        content: as `Agreement.canonical_text` gives it; what it leaves out is as by default.
    """
    return list(_model(Agreement, content, ()))


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[ComparedPart]:
    """Two texts part by part, the general part first; `compare(text, text)` is one text.

    Args:
        old: content of the older text.
        new: content of the newer one.
    """
    before, after = _by_part(pieces(old)), _by_part(pieces(new))
    return [
        ComparedPart(name, _side_by_side(before.get(name, []), after.get(name, [])))
        for name in dict.fromkeys((GENERAL, *_ordered(before, after)))
    ]


def _ordered(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Names of parts as the model orders them; what it does not know comes last."""
    known = [info.alias or name for name, info in Agreement.model_fields.items()]
    there = [*after, *before]
    return [name for name in known if name in there] + [n for n in there if n not in known]


def _by_part(found: Sequence[Piece]) -> dict[str, list[Piece]]:
    by: dict[str, list[Piece]] = {}
    for part, some in groupby(found, key=lambda piece: piece.part):
        by.setdefault(part, []).extend(some)
    return by


def _side_by_side(old: Sequence[Piece], new: Sequence[Piece]) -> list[Difference]:
    """In the order of the new text; what it has no more stands where it stood."""
    before, after = {p.key: p for p in old}, {p.key: p for p in new}
    order = list(after)
    place = 0
    for key in before:
        if key in after:
            place = order.index(key) + 1
        else:
            order.insert(place, key)
            place += 1
    return [Difference(before.get(key), after.get(key)) for key in order]


def _same(one: object, other: object) -> bool:
    """As JSON: `1`, `"1"` and `true` are three values."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _model(
    model: type[BaseModel],
    content: Mapping[str, Any],
    place: tuple[Step, ...],
    named: str = "",
) -> Iterator[Piece]:
    known = {named} if named else set()
    for name, info in model.model_fields.items():
        alias = info.alias or name
        if alias == named:
            continue
        known.add(alias)
        default = _default(info)
        value = content.get(alias, default)
        if value is None or (value == default and value in ("", [], {})):
            continue
        step = Step(alias, f"{model.__name__}.{alias}")
        yield from _value(info.annotation, value, (*place, step))
    for name in sorted(content.keys() - known):
        yield from _raw(content[name], (*place, Step(name)))


def _default(info: FieldInfo) -> Any:  # noqa: ANN401 - a value of JSON
    found = info.get_default(call_default_factory=True)
    return None if found is PydanticUndefined else to_jsonable_python(found, by_alias=True)


def _value(annotation: Any, value: Any, place: tuple[Step, ...]) -> Iterator[Piece]:  # noqa: ANN401
    """A value by what the model says that it is; what is something else goes by itself."""
    model, form = _inner(annotation)
    if model is not None and form == "one" and isinstance(value, Mapping):
        yield from _model(model, value, place)
    elif model is not None and form == "list" and _is_list_of_mappings(value):
        yield from _items(model, value, place)
    elif form == "mapping" and isinstance(value, Mapping):
        for name, inner in value.items():
            deeper = (*place, Step(str(name)))
            if model is not None and isinstance(inner, Mapping):
                yield from _model(model, inner, deeper)
            else:
                yield from _raw(inner, deeper)
    else:
        yield Piece(place, value)


def _items(
    model: type[BaseModel], value: Sequence[Mapping[str, Any]], place: tuple[Step, ...]
) -> Iterator[Piece]:
    names, times, named = [], Counter[str](), NAMED.get(model, "")
    for number, item in enumerate(value, 1):
        name = str(item.get(named, number))
        times[name] += 1
        names.append(name if times[name] == 1 else f"{name} ({times[name]})")
    if len(names) > 1:
        yield Piece(place, names, order=True)
    for name, item in zip(names, value, strict=True):
        yield from _model(model, item, (*place, Step(name)), named)


def _raw(value: Any, place: tuple[Step, ...]) -> Iterator[Piece]:  # noqa: ANN401 - any JSON
    """What the model leaves open, name by name; empty things are things, too."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _raw(inner, (*place, Step(str(name))))
    elif value is None:
        yield Piece(place, "null")
    else:
        yield Piece(place, value)


def _is_list_of_mappings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, str]:  # noqa: ANN401 - a type
    """The model inside an annotation, and whether there is one, a list or a mapping of it."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        given = [a for a in get_args(annotation) if a is not type(None)]
        return _inner(given[0]) if len(given) == 1 else (None, "value")
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, "one"
    arguments = get_args(annotation)
    if isinstance(origin, type) and issubclass(origin, tuple) and arguments:
        return _inner(arguments[0])[0], "list"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _inner(arguments[1])[0], "mapping"
    return None, "value"
