"""`onecard lint`: everything that can be wrong with the YAML, found before it runs.

What the loaders refuse, the official ODCS JSON Schema, and what only shows between files: fields
that an agreement names and its dataset lacks, codes outside their lists, treatments that do not
fit, connectors and their options.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from onecard.errors import unknown
from schemas.lint import (
    agreement,
    carrier,
    order,
    partition,
    reaction,
    registers,
    sandbox,
    sealed,
    versions,
    wakes,
)
from schemas.lint import contract as lint_contract
from schemas.lint.options import NamingFiles, OptionModels, options_problems
from schemas.models import agreement as agreements
from schemas.models import callers, misuse, odcs, semantic, service_levels
from schemas.models.agreement import AgreementFile
from schemas.models.agreement_parts import Delivery
from schemas.models.catalogue import ROOT, Agencies, Agency, Catalogue, expect_id
from schemas.models.contract import Source
from schemas.models.odcs import ContractFile
from schemas.models.problem import InvalidFile, Problem
from schemas.models.strict_yaml import Document, parse
from schemas.models.values import build


def lint(
    root: Path = ROOT,
    *,
    connectors: Mapping[str, OptionModels] | None = None,
    against: Path | None = None,
) -> tuple[Problem, ...]:
    """All problems of the YAML below `root`, in order of file and line.

    Args:
        root: folder with agencies.yaml, contracts/ and agreements/.
        connectors: the registered kinds and their option models; None leaves options unchecked.
        against: an earlier state of the folder, with which contract versions are compared.
    """
    problems: list[Problem] = []
    contracts = list(_each(root, "contracts/*/*.odcs.yaml", _contract, problems))
    found = list(_each(root, "agreements/*.yaml", _agreement, problems))
    agencies, register = _agencies(root, problems)
    catalogue = Catalogue(
        agencies,
        {c.contract.id: c.contract for c in contracts},
        {a.agreement.id: a.agreement for a in found},
    )
    for contract in contracts:
        problems += _official(contract.document)
        problems += lint_contract.check(contract, catalogue)
        source = contract.contract.source
        problems += _connector(contract.document, source, "source", connectors, root)
        if (kind := (connectors or {}).get(source.connector)) is not None:
            problems += order.check(contract, in_order=bool(getattr(kind, "in_order", False)))
        problems += partition.check(contract)
        problems += carrier.check(contract)
    broken = frozenset(f"{p.file.parent.name}/{p.file.name.split('.')[0]}" for p in problems)
    for item in found:
        problems += agreement.check(item, catalogue, broken)
        if item.agreement.delivery:
            delivery = item.agreement.delivery
            problems += _connector(item.document, delivery, "sink", connectors, root)
            problems += sealed.check(item, connectors or {})
    problems += agreement.shared_targets(found)
    semantic.load()
    problems += registers.check(root / "registers.yaml", catalogue)
    files = [*root.glob("contracts/*/*.odcs.yaml"), *root.glob("agreements/*.yaml")]
    # Whose systems and datasets there are is known only when every file could be read.
    if register is not None and len(files) == len(contracts) + len(found):
        problems += _handbacks(catalogue, register, connectors, root)
        problems += wakes.check(catalogue, register)
        problems += sandbox.check(root / "sandbox.yaml", catalogue)
    problems += service_levels.check(root / "service_levels.yaml", agencies)
    problems += reaction.check(root / "reaction.yaml", catalogue)
    problems += callers.check(root / "callers.yaml", agencies)
    problems += misuse.check(root / "misuse.yaml")
    if against is not None:
        problems += versions.check(root, against, catalogue.agreements)
    return tuple(sorted(set(problems)))


def _each(root: Path, pattern: str, load: Any, problems: list[Problem]) -> Iterator[Any]:  # noqa: ANN401
    for file in sorted(root.glob(pattern)):
        try:
            yield load(file)
        except InvalidFile as error:
            problems.extend(error.problems)


def _contract(file: Path) -> ContractFile:
    found = odcs.load(file)
    expect_id(file, found.contract.id, f"{file.parent.name}/{file.name.split('.')[0]}")
    return found


def _agreement(file: Path) -> AgreementFile:
    found = agreements.load(file)
    expect_id(file, found.agreement.id, file.stem)
    return found


def _agencies(root: Path, problems: list[Problem]) -> tuple[Mapping[str, Agency], Document | None]:
    try:
        document = parse(root / "agencies.yaml")
        return build(Agencies, document.data, document).agencies, document
    except InvalidFile as error:
        problems.extend(error.problems)
        return {}, None


def _handbacks(
    catalogue: Catalogue, document: Document, kinds: Mapping[str, OptionModels] | None, root: Path
) -> Iterator[Problem]:
    """Rejected rows go back to systems of their own agency only."""
    for name, agency in catalogue.agencies.items():
        block = agency.handback
        if block is None:
            continue
        own = catalogue.connections_of(name)
        if block.connection not in own:
            message = f"no system of {name}: " + unknown("connection", block.connection, own)
            at = f"agencies.{name}.handback.connection"
            yield document.problem(at, "handback.foreign_connection", message)
        yield from _connector(document, block, f"agencies.{name}.handback", kinds, root)


@cache
def _validator() -> Any:  # noqa: ANN401 - jsonschema has no types for it
    from jsonschema import validators  # noqa: PLC0415 - only where YAML is linted

    schema = json.loads((files("open_data_contract_standard") / "schema.json").read_text("utf-8"))
    return validators.validator_for(schema)(schema)


def _official(document: Document) -> Iterator[Problem]:
    """What the official ODCS JSON Schema says, once for each place."""
    for path, message in _official_errors(json.dumps(document.data)).items():
        yield document.problem(path, "odcs.schema", message[:300])


@cache
def _official_errors(text: str) -> Mapping[str, str]:
    """Message by place of one document; a comparison of two trees asks for most of them twice."""
    return {
        ".".join(str(part) for part in error.absolute_path): str(error.message)
        for error in _validator().iter_errors(json.loads(text))
    }


def _connector(
    document: Document,
    block: Source | Delivery,
    side: str,
    kinds: Mapping[str, OptionModels] | None,
    root: Path,
) -> Iterator[Problem]:
    places = {"source": "servers.0.customProperties.0.value", "sink": "delivery"}
    at = places.get(side, side)
    if kinds is None:
        return
    if block.connector not in kinds:
        message = unknown("connector", block.connector, kinds)
        yield document.problem(f"{at}.connector", "connector.unknown", message)
        return
    kind = kinds[block.connector]
    if side != "source":
        yield from options_problems(document, f"{at}.options", kind.sink_options, {**block.options})
        return
    misfits = partial(kind.misfits, folder=root) if isinstance(kind, NamingFiles) else None
    options = dict(block.options)
    yield from options_problems(document, f"{at}.options", kind.source_options, options, misfits)
