"""Every part of the model of agreements has its words, and what differs reads differently."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest

from onecard.portal import agreement_reading, pages
from onecard.portal.guard import Visit
from onecard.portal.site import Language
from onecard.stewardship import agreement_text
from onecard.stewardship.agreement_weight import Heavy
from schemas.models import catalogue
from tests import agreement_pieces

KNOWN = catalogue.load()
FIELDS = {
    f"{model.__name__}.{info.alias or name}": info
    for model in agreement_pieces.models()
    for name, info in model.model_fields.items()
    if agreement_text.NAMED.get(model) != name
}


@pytest.mark.parametrize("kind", FIELDS)
def test_every_part_of_the_model_has_its_words(kind: str) -> None:
    for language in pages.LANGUAGES:
        say = pages.Words(language)
        assert say.known("text", kind) != kind
        for choice in agreement_pieces.literals(FIELDS[kind].annotation):
            if kind == "Asking.quotas":
                assert say.known("text_quota", str(choice)) != str(choice)
            elif kind != "SharedField.treatment":
                assert say.known(f"said_{kind}", str(choice)) != str(choice), choice


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_differs_reads_differently(language: Language) -> None:
    """Two values that differ are never shown by the same words."""
    visit = cast("Visit", SimpleNamespace(language=language, catalogue=KNOWN))
    whole: dict[str, Any] = agreement_pieces.everything()
    for name, changed in agreement_pieces.changes(whole):
        lines = [
            line
            for part in agreement_reading.reading(visit, whole, changed)
            for line in part.lines
            if line.mark != "same"
        ]
        assert lines, name
        assert all(line.old != line.new for line in lines), name
        assert all(line.name for line in lines), name


def test_every_weight_has_its_words() -> None:
    for heavy in get_args(Heavy):
        for language in pages.LANGUAGES:
            assert pages.Words(language)(f"weight_{heavy}", names="", old="", new="")
