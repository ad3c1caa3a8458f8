"""What can be wrong with `reaction.yaml`: names of datasets, fields, codes, consumers and kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from onecard.errors import unknown
from schemas.models.catalogue import Catalogue
from schemas.models.contract import Contract
from schemas.models.problem import InvalidFile, Problem
from schemas.models.reaction import Events, Kind, Reaction, moments
from schemas.models.strict_yaml import Document, parse
from schemas.models.values import build


def check(file: Path, catalogue: Catalogue) -> Iterator[Problem]:
    """All problems of the file; a folder without one uses the package's own.

    Args:
        file: that may be there.
        catalogue: of what could be read beside it; of a dataset that could not, nothing is said.
    """
    if not file.exists():
        return
    try:
        document = parse(file)
        found = build(Reaction, document.data, document)
    except InvalidFile as error:
        yield from error.problems
        return
    for dataset, events in found.datasets.items():
        contract = catalogue.contracts.get(dataset)
        if contract is not None:
            yield from _events(document, f"datasets.{dataset}", events, contract)
        elif not _broken(file, dataset):
            message = unknown("dataset", dataset, catalogue.contracts)
            yield document.problem(f"datasets.{dataset}", "reaction.unknown_dataset", message)
    counted = Counter(name for events in found.datasets.values() for name in events.kinds)
    for name in sorted(name for name, times in counted.items() if times > 1):
        message = f"{name} is a kind of two datasets: figures tell kinds by their names"
        yield document.problem("datasets", "reaction.repeated_kind", message)
    for consumer, limits in found.limits.items():
        if consumer not in catalogue.agencies:
            message = unknown("agency", consumer, catalogue.agencies)
            yield document.problem(f"limits.{consumer}", "reaction.unknown_agency", message)
        yield from _limits(document, f"limits.{consumer}", limits, found.kinds)
    yield from _limits(document, "others", found.others, found.kinds)


def _events(document: Document, at: str, events: Events, contract: Contract) -> Iterator[Problem]:
    """Fields, their types, and their codes."""
    if events.since not in (times := moments(contract)):
        message = unknown("required field of an instant", events.since, times)
        yield document.problem(f"{at}.since", "reaction.since", f"{contract.id}: {message}")
    for name, kind in events.kinds.items():
        for field, wanted in kind.when.items():
            place = f"{at}.kinds.{name}.when.{field}"
            if field not in contract.names:
                message = f"{contract.id}: {unknown('field', field, contract.names)}"
                yield document.problem(place, "reaction.unknown_field", message)
                continue
            known = contract.field(field).allowed
            for code in (c for c in wanted if known and c not in known):
                message = f"{contract.id}.{field}: {unknown('code', code, known)}"
                yield document.problem(place, "reaction.unknown_code", message)


def _limits(
    document: Document, at: str, limits: Mapping[str, object], kinds: Mapping[str, Kind]
) -> Iterator[Problem]:
    for kind in limits:
        if kind not in kinds:
            message = unknown("kind of event", kind, kinds)
            yield document.problem(f"{at}.{kind}", "reaction.unknown_kind", message)


def _broken(file: Path, dataset: str) -> bool:
    """Whether the dataset's contract is there, and could not be read."""
    agency, _, name = dataset.partition("/")
    return (file.parent / "contracts" / agency / f"{name}.odcs.yaml").exists()
