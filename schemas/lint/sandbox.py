"""What can be wrong with the persons of the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from onecard.errors import unknown
from schemas.models import sandbox
from schemas.models.catalogue import Catalogue
from schemas.models.problem import InvalidFile, Problem
from schemas.models.sandbox import SandboxPeople, SandboxPerson
from schemas.models.strict_yaml import Document, parse
from schemas.models.values import build


def check(file: Path, catalogue: Catalogue) -> Iterator[Problem]:
    """All problems of the file; a folder without one has an empty sandbox.

    Args:
        file: to be checked.
        catalogue: contracts and agreements, all of which could be read.
    """
    if not file.exists():
        return
    try:
        document = parse(file)
        found = build(SandboxPeople, document.data, document)
    except InvalidFile as error:
        yield from error.problems
        return
    for i, person in enumerate(found.people):
        yield from _person(document, f"people.{i}", person, catalogue)


def _person(
    document: Document, at: str, person: SandboxPerson, catalogue: Catalogue
) -> Iterator[Problem]:
    asked = [name for name, a in catalogue.agreements.items() if a.asked]
    for agreement in person.outside:
        if agreement not in asked:
            message = unknown("agreement that is asked under", agreement, asked)
            yield document.problem(f"{at}.outside", "sandbox.unknown_agreement", message)
    for dataset, row in person.rows.items():
        here = f"{at}.rows.{dataset}"
        contract = catalogue.contracts.get(dataset)
        if contract is None:
            message = unknown("dataset", dataset, catalogue.contracts)
            yield document.problem(here, "sandbox.unknown_dataset", message)
            continue
        for name, text in row.items():
            if name not in contract.names:
                message = f"{dataset}: " + unknown("field", name, contract.names)
                yield document.problem(f"{here}.{name}", "sandbox.unknown_field", message)
                continue
            try:
                sandbox.typed(contract.field(name), text)
            except ValueError as error:
                yield document.problem(f"{here}.{name}", "sandbox.value", str(error))
