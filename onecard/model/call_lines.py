"""Figures of calls beside what the catalogue says: a line for each agreement and system."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from onecard.model.call_figures import AnsweredCalls, RefusedCalls
from schemas.models.agreement import Agreement
from schemas.models.callers import CallerSystem
from schemas.models.catalogue import Catalogue
from schemas.models.problem import InvalidFile


@dataclass(frozen=True, slots=True)
class CallLine:
    """Calls of one system under one agreement.

    Attributes:
        agreement: None: its file is gone, or residents looked up their own data.
        answered: how they were answered.
        refusals: of the others.
    """

    agreement: Agreement | None
    answered: AnsweredCalls
    refusals: tuple[RefusedCalls, ...]

    @property
    def name(self) -> str:
        """Id of the agreement; empty: residents' look-ups."""
        return self.answered.agreement

    @property
    def caller(self) -> str:
        """Sid of the system."""
        return self.answered.caller

    @property
    def refused(self) -> int:
        """How many were refused."""
        return sum(r.calls for r in self.refusals)

    @property
    def called(self) -> bool:
        """Whether there was any call."""
        return bool(self.answered.calls or self.refusals)

    @property
    def in_time(self) -> int | None:
        """How many answers came as soon as the agreement promises; None: it promises nothing."""
        promise = self.agreement.promise if self.agreement else None
        return None if promise is None else self.answered.within(promise.within_ms)

    @property
    def kept(self) -> bool:
        """Whether the agreement's promise was kept, or none was made."""
        promise = self.agreement.promise if self.agreement else None
        answered = self.answered
        return promise is None or promise.kept(answered.within(promise.within_ms), answered.calls)


def systems(known: Catalogue) -> Mapping[str, CallerSystem]:
    """Systems that may call, by sid; none while their file is broken: then nobody is answered.

    Args:
        known: the catalogue.
    """
    try:
        return known.callers
    except InvalidFile:
        return {}


def call_lines(
    known: Catalogue, answered: Iterable[AnsweredCalls], refused: Iterable[RefusedCalls]
) -> list[CallLine]:
    """A line for each agreement and each system that may ask under it, or has tried to.

    Those of no agreement come last: residents' look-ups. Refusals of whom nobody knows, or under
    no agreement, are in no line but of systems that look up for residents.

    Args:
        known: agreements, and the systems that may call.
        answered: calls.
        refused: calls.
    """
    there = {(a.agreement, a.caller): a for a in answered}
    not_so: dict[tuple[str, str], list[RefusedCalls]] = {}
    for line in refused:
        not_so.setdefault((line.agreement, line.caller), []).append(line)
    tried = {name for name in not_so if name[0]}
    names = {*_may(known), *there, *tried}
    return [
        CallLine(
            known.agreements.get(agreement),
            there.get((agreement, caller), AnsweredCalls(agreement, caller, 0, 0, {})),
            tuple(not_so.get((agreement, caller), ())),
        )
        for agreement, caller in sorted(names, key=lambda name: (not name[0], name))
    ]


def _may(known: Catalogue) -> Iterator[tuple[str, str]]:
    """Agreements and systems that may ask under them; without one: systems of residents."""
    for sid, system in systems(known).items():
        if system.residents:
            yield "", sid
            continue
        for agreement in known.agreements.values():
            if agreement.asked and system.asks_for(agreement.consumer):
                yield agreement.id, sid
