"""The question what waits is put together once, and anew when a text is another."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from onecard.deliver.waiting import Waits
from onecard.operations import reactions
from schemas.models import catalogue

DAY = date(2026, 11, 24)


NEWEST = 50


def published(waits: Waits) -> dict[str, int]:
    return dict.fromkeys(waits.agreement.datasets, NEWEST)


def asked(waits: Waits, version: int, *, left_out: bool = True) -> bytes:
    had = {waits.agreement.dataset: version}
    question = waits.statement(had, published(waits), left_out=left_out)
    assert question is not None
    return question.as_bytes(None)


def test_a_kept_question_is_that_of_its_texts() -> None:
    known = catalogue.load()
    agreement, expectation = next(
        (a, e) for a, e in reactions.expected(known) if a.scope.filters and len(e.events.kinds) > 1
    )
    first = Waits(agreement, known.contracts, expectation.events, DAY)
    plain = asked(first, 7)
    assert b"> %(" + agreement.id.encode() + b")s" in plain
    assert asked(first, 41) == plain, "the version is no part of the text, which is prepared once"

    wider = agreement.scope.model_copy(update={"filters": ()})
    changed = replace(first, agreement=agreement.model_copy(update={"scope": wider}))
    assert len(asked(changed, 7)) < len(plain)
    assert asked(first, 7) == plain

    one = dict(list(expectation.events.kinds.items())[:1])
    fewer = expectation.events.model_copy(update={"kinds": one})
    assert len(asked(replace(first, events=fewer), 7)) < len(plain)
    assert asked(first, 7) == plain


def test_nothing_is_asked_before_a_delivery_or_without_a_dataset() -> None:
    known = catalogue.load()
    agreement, expectation = next(iter(reactions.expected(known)))
    waits = Waits(agreement, known.contracts, expectation.events, DAY)
    newest = published(waits)
    assert waits.statement({}, newest, left_out=True) is None
    assert waits.statement({agreement.dataset: 1}, {}, left_out=True) is None
    without = {name: c for name, c in known.contracts.items() if name != agreement.dataset}
    gone = replace(waits, contracts=without)
    assert gone.statement({agreement.dataset: 1}, newest, left_out=True) is None


def test_nothing_is_asked_of_who_has_the_newest_version() -> None:
    known = catalogue.load()
    agreement, expectation = next(iter(reactions.expected(known)))
    waits, had = Waits(agreement, known.contracts, expectation.events, DAY), agreement.dataset
    newest = published(waits)
    assert waits.statement({had: NEWEST}, newest, left_out=False) is None
    assert waits.statement({had: NEWEST - 1}, newest, left_out=False) is not None
    assert waits.statement({had: NEWEST}, newest, left_out=True) is not None


def test_carriers_are_looked_for_only_where_some_were_left_out() -> None:
    known = catalogue.load()
    agreement, expectation = next(iter(reactions.expected(known)))
    waits = Waits(agreement, known.contracts, expectation.events, DAY)
    assert b"waiting_carrier" in asked(waits, 7)
    assert b"waiting_carrier" not in asked(waits, 7, left_out=False)
    assert b"waiting_carrier" in asked(waits, 7)
