"""An agreement's text in words, alone or beside another one, and what weighs in a change of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onecard.base.timespan import duration
from onecard.portal.guard import Visit
from onecard.portal.pages import Words
from onecard.stewardship import agreement_text, agreement_weight
from onecard.stewardship.agreement_text import Difference, Mark, Piece, Step
from onecard.stewardship.agreement_weight import Heavy, Weight
from onecard.stewardship.agreement_words import TREATMENTS
from schemas.models import codes

Content = Mapping[str, Any]
DATASETS = ("Agreement.dataset", "Join.dataset", "Consent.dataset")
"""Parts of the model that name a dataset."""
BETWEEN = " · "


@dataclass(frozen=True, slots=True)
class TextLine:
    """One thing that the text says; empty where a text does not say it.

    Attributes:
        name: what it is about.
    """

    name: str
    old: str
    new: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class TextPart:
    """A part of the text under its title; `changed` of its lines differ."""

    name: str
    title: str
    lines: Sequence[TextLine]
    changed: int


def reading(visit: Visit, old: Content, new: Content) -> list[TextPart]:
    """Two texts side by side, part by part; with one text twice it is that text.

    Args:
        visit: names language and catalogue.
        old: content of the older text.
        new: content of the newer one.
    """
    reader = _Reader(visit, (new, old))
    return [
        TextPart(
            part.name,
            reader.title(part.name),
            [reader.line(part.name, difference) for difference in part.differences],
            part.changed,
        )
        for part in agreement_text.compare(old, new)
    ]


def weighing(visit: Visit, old: Content | None, new: Content) -> list[str]:
    """What weighs in a change, a sentence each.

    Args:
        visit: names language and catalogue.
        old: content of the text approved before; None: there was none.
        new: content of the text that would be approved.
    """
    reader = _Reader(visit, (new, old or {}))
    return [reader.weight(weight) for weight in agreement_weight.weights(old, new)]


class _Reader:
    """Says pieces of texts in a language, with the titles that the catalogue has."""

    def __init__(self, visit: Visit, texts: Sequence[Content]) -> None:
        self._visit, self._say = visit, Words(visit.language)
        self._titles = dict(self._field_titles(texts)) if visit.language == "zh" else {}

    def _field_titles(self, texts: Sequence[Content]) -> Iterator[tuple[str, str]]:
        """Titles of shared fields that come from the agreement's dataset, or from a join."""
        contracts = self._visit.catalogue.contracts
        for text in texts:
            joined = {j.get("alias"): j.get("dataset") for j in text.get("joins", ())}
            for field in text.get("fields", ()):
                shared = str(field.get("name", ""))
                alias, _, name = str(field.get("from", shared)).rpartition(".")
                dataset = joined.get(alias) if alias else text.get("dataset")
                contract = contracts.get(str(dataset))
                if contract is not None and name in contract.names:
                    yield shared, contract.field(name).title

    def title(self, part: str) -> str:
        """Of a part of the text."""
        if part == agreement_text.GENERAL:
            return self._say("text_general")
        return self._word(Step(part, f"Agreement.{part}"))

    def line(self, part: str, difference: Difference) -> TextLine:
        """One thing that the text says, before and now."""
        piece = difference.piece
        steps = piece.place if part == agreement_text.GENERAL else piece.place[1:]
        names = [self._word(step, above) for above, step in _with_above(piece.place, steps)]
        if piece.order:
            names.append(self._say("text_order"))
        old, new = (self._value(p) if p else "" for p in (difference.old, difference.new))
        return TextLine(BETWEEN.join(names), old, new, difference.mark)

    def weight(self, weight: Weight) -> str:
        """One change that weighs."""
        named = self._say("list_comma").join(
            self._weighed(weight.heavy, name) for name in weight.names
        )
        old, new = (self._side(weight.heavy, side) for side in (weight.old, weight.new))
        return self._say(f"weight_{weight.heavy}", names=named, old=old, new=new)

    def _side(self, heavy: Heavy, text: str) -> str:
        if heavy == "weaker":
            return self._treatment(text) or text
        return (self._span(text) or text) if heavy == "retention" else text

    def _weighed(self, heavy: Heavy, name: str) -> str:
        if heavy in ("new_field", "weaker", "elsewhere"):
            return self._field(name)
        if heavy == "quotas":
            return self._say.known("text_quota", name)
        model, _, inner = name.rpartition(".")
        return self._word(Step(inner, f"{model.title() or 'Agreement'}.{inner}"))

    def _word(self, step: Step, above: str = "") -> str:
        """What a step is called; an unknown name is its own word."""
        if step.kind:
            return self._say.known("text", step.kind)
        if above == "Asking.quotas":
            return self._say.known("text_quota", step.name)
        return self._field(step.name) if above == "Agreement.fields" else step.name

    def _field(self, name: str) -> str:
        title = self._titles.get(name)
        return f"{title}（{name}）" if title else name

    def _value(self, piece: Piece) -> str:
        value, kind = piece.value, piece.kind
        if not kind:  # the model leaves it open: as JSON has it, so that "1" is not 1
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, bool):
            return self._say("yes" if value else "no")
        if isinstance(value, list):
            return self._say("list_comma").join(map(_item, value)) or self._say("empty_text")
        text = str(value)
        meaning = self._meaning(kind, text)
        return f"{meaning}（{text}）" if meaning else text or self._say("empty_text")

    def _meaning(self, kind: str, text: str) -> str:
        """What a code, an id or a span is called; empty where the text says it itself."""
        if kind == "Agreement.consumer":
            agency = self._visit.catalogue.agencies.get(text)
            return self._say.agency(agency) if agency else ""
        if kind in DATASETS and self._visit.language == "zh":
            contract = self._visit.catalogue.contracts.get(text)
            return contract.title if contract else ""
        if kind == "Agreement.purpose" and self._visit.language == "zh":
            return codes.labels("purpose").get(text, "")
        if kind == "Agreement.retention":
            return self._span(text)
        if kind == "SharedField.treatment":
            return self._treatment(text)
        word = self._say.known(f"said_{kind}", text)
        return "" if word == text else word

    def _treatment(self, text: str) -> str:
        """What a treatment is called; empty where the text says it itself, or it is none of now."""
        word = self._say.treatment(text) if text in TREATMENTS else text
        return "" if word == text else word

    def _span(self, text: str) -> str:
        """Whole days in words; another span as it is written."""
        try:
            found = duration(text)
        except ValueError:
            return ""
        whole = found.days and not found.seconds
        return self._say("days", n=found.days) if whole else ""


def _with_above(place: Sequence[Step], steps: Sequence[Step]) -> Iterator[tuple[str, Step]]:
    """Steps with the kind of the one above each."""
    before = len(place) - len(steps)
    for number, step in enumerate(steps, before):
        yield (place[number - 1].kind if number else ""), step


def _item(value: object) -> str:
    """An item of a list; one that could be taken for two is quoted."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    plain = text.strip() == text != "" and not set(text) & set('，、,"')
    return text if plain else json.dumps(text, ensure_ascii=False)
