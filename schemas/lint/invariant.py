"""Checks of an invariant that need the fields of both datasets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from onecard.errors import unknown
from schemas.lint.condition import condition_problems
from schemas.models.catalogue import Catalogue
from schemas.models.condition import Condition
from schemas.models.contract import Contract
from schemas.models.dataset_checks import AtMostOne, Invariant, Matches, Paired
from schemas.models.odcs import ContractFile
from schemas.models.problem import Problem
from schemas.models.strict_yaml import Document


def check(
    file: ContractFile, at: str, invariant: Invariant, catalogue: Catalogue
) -> Iterator[Problem]:
    """All problems of one invariant: datasets, fields, types and codes that do not exist.

    Args:
        file: the contract.
        at: path of the invariant in the file.
        invariant: the check.
        catalogue: all contracts that could be read.
    """
    contract, document = file.contract, file.document
    if isinstance(invariant, Paired):
        yield from _fields(document, contract, (invariant.field, *invariant.per), at)
        if invariant.field in contract.names:
            both = Condition(field=invariant.field, in_=(invariant.first, invariant.second))
            yield from condition_problems(contract, document, both, at)
        return
    if isinstance(invariant, AtMostOne):
        yield from _fields(document, contract, invariant.per, at)
        yield from _conditions(document, contract, invariant.where, f"{at}.where")
        return
    other = catalogue.contracts.get(invariant.dataset)
    if other is None:
        if not _has_file(document, invariant.dataset):
            message = unknown("dataset", invariant.dataset, catalogue.contracts)
            yield document.problem(f"{at}.dataset", "rule.unknown_dataset", message)
        return
    sides = _Sides(contract, other)
    yield from _pairs(document, sides, invariant.by, f"{at}.by")
    if isinstance(invariant, Matches):
        yield from _pairs(document, sides, invariant.same, f"{at}.same")
        return
    yield from _conditions(document, contract, invariant.where, f"{at}.where")
    yield from _conditions(document, other, invariant.there, f"{at}.there")


def _has_file(document: Document, dataset: str) -> bool:
    """Whether the dataset has a file, which was then complained of by itself."""
    return (document.file.parents[1] / f"{dataset}.odcs.yaml").is_file()


def _fields(
    document: Document, contract: Contract, names: tuple[str, ...], at: str
) -> Iterator[Problem]:
    for name in names:
        if name not in contract.names:
            message = unknown(f"field of {contract.id}", name, contract.names)
            yield document.problem(at, "rule.unknown_field", message)


@dataclass(frozen=True, slots=True)
class _Sides:
    """The contract of an invariant, and the one that it refers to."""

    mine: Contract
    theirs: Contract


def _pairs(
    document: Document, sides: _Sides, pairs: Mapping[str, str], at: str
) -> Iterator[Problem]:
    mine, theirs = sides.mine, sides.theirs
    for left, right in pairs.items():
        wrong = [
            *_fields(document, mine, (left,), at),
            *_fields(document, theirs, (right,), at),
        ]
        yield from wrong
        if wrong:
            continue
        kinds = mine.field(left).type, theirs.field(right).type
        if kinds[0] != kinds[1]:
            message = f"{left} is a {kinds[0]}, {right} of {theirs.id} a {kinds[1]}"
            yield document.problem(at, "rule.type", message)


def _conditions(
    document: Document, contract: Contract, conditions: tuple[Condition, ...], at: str
) -> Iterator[Problem]:
    for i, condition in enumerate(conditions):
        wrong = list(_fields(document, contract, (condition.field,), f"{at}.{i}"))
        yield from wrong or condition_problems(contract, document, condition, f"{at}.{i}")
