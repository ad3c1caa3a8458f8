"""The catalogue: every contract and agreement that the hub serves, loaded from YAML.

A broken file takes out its own dataset or agreement and nothing else; its problems stay in
`Catalogue.problems`, and using the missing name raises them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Literal

from pydantic import Field, model_validator

from onecard.base import files
from onecard.base.frozen import Frozen
from onecard.base.platform_signature import SignatureForm
from onecard.errors import UsageError, unknown
from schemas.models import agreement as agreements
from schemas.models import (
    callers,
    codes,
    misuse,
    odcs,
    reaction,
    registers,
    sandbox,
    semantic,
    service_levels,
)
from schemas.models.agreement import Agreement
from schemas.models.agreement_parts import Delivery
from schemas.models.callers import CallerSystem
from schemas.models.contract import Contract
from schemas.models.misuse import Misuse
from schemas.models.problem import InvalidFile, Problem
from schemas.models.reaction import Reaction
from schemas.models.registers import Registers
from schemas.models.sandbox import SandboxPeople
from schemas.models.service_levels import ServiceLevels
from schemas.models.strict_yaml import UNREADABLE, parse
from schemas.models.values import Name, build

ROOT = Path(__file__).parents[1]
NOT_ON_BOARD = ("proposed", "draft")
"""States of a contract in which its dataset is not on board yet."""
BESIDE = (
    callers.load,
    codes.names,
    codes.table,
    codes.codes,
    codes.labels,
    misuse.load,
    reaction.load,
    registers.load,
    sandbox.load,
    semantic.load,
    service_levels.load,
)
"""What a process reads once beside the catalogue, from files whose bytes `digest` looks at."""


class HandBack(Delivery):
    """How an agency gets its own rejected rows back.

    Attributes:
        treatment: `masked` by the semantic types' masks, `sealed` with the agency's own key
            (purpose `handback/<agency>`), or `plain`.
    """

    treatment: Literal["masked", "sealed", "plain"]

    @model_validator(mode="after")
    def _sealed_by_row(self) -> HandBack:
        if self.sealed:
            msg = "handback.sealed: write `treatment: sealed`; each row is sealed by itself"
            raise ValueError(msg)
        return self


class Wake(SignatureForm):
    """How an agency wakes the live lane: what its calls are signed with.

    It may wake its own datasets of lane event, and no other; data never comes that way.

    Attributes:
        connection: id of the Airflow connection that holds its sid (login) and appKey (password);
            used for nothing else.
    """

    connection: Name


class Bring(SignatureForm):
    """How an agency brings what cannot be read at its side: what its calls are signed with.

    It may bring its own datasets whose source is of kind `push`, and no other.

    Attributes:
        connection: id of the Airflow connection that holds its sid (login) and appKey (password);
            used for nothing else.
        uploads_a_day: uploads that may begin within 24 hours.
        stopped: nothing is taken from it until this is false again.
    """

    connection: Name
    uploads_a_day: int = Field(default=1000, ge=1)
    stopped: bool = False


class Agency(Frozen):
    """An organisation that provides or receives data.

    Attributes:
        handback: how it gets its own rejected rows back; None: nothing leaves.
        wake: how it wakes the live lane; None: nobody does in its name.
        bring: how it brings what cannot be read; None: nothing is taken in its name.
        onboarding: it is being connected: what it provides and receives is tried for real, and
            kept out of scores, deadlines, alarms and the outcome of the night.
    """

    title: str
    short: str
    title_en: str
    role: Literal["card_owner", "provider", "bank", "entrusted_operator", "statistics"]
    handback: HandBack | None = None
    wake: Wake | None = None
    bring: Bring | None = None
    onboarding: bool = False


class Agencies(Frozen):
    """The whole of `agencies.yaml`."""

    agencies: Mapping[str, Agency]


@dataclass(frozen=True)
class Catalogue:
    """Contracts by dataset id, agreements by id, agencies by name, and what could not be read."""

    agencies: Mapping[str, Agency]
    contracts: Mapping[str, Contract]
    agreements: Mapping[str, Agreement]
    problems: tuple[Problem, ...] = field(default=())
    root: Path = ROOT

    @property
    def registers(self) -> Registers:
        """What agreements refer to; raises InvalidFile when the file is broken."""
        return registers.load(self.root / "registers.yaml")

    @property
    def service_levels(self) -> ServiceLevels:
        """How soon challenges are answered; raises InvalidFile when the file is broken."""
        file = self.root / "service_levels.yaml"
        return service_levels.load(file if file.exists() else service_levels.FILE)

    @property
    def reaction(self) -> Reaction:
        """How soon consumers must know of an event.

        Where the file is broken, nothing is measured, and its defects stand in `problems`: a lost
        card is told of all the same.
        """
        try:
            return reaction.load(_reaction_file(self.root))
        except InvalidFile:
            return reaction.NOTHING

    @property
    def callers(self) -> Mapping[str, CallerSystem]:
        """Systems that may call, by sid; raises InvalidFile when the file is broken."""
        file = self.root / "callers.yaml"
        return callers.load(file).callers if file.exists() else {}

    @property
    def misuse(self) -> Misuse:
        """What is misuse of single calls; raises InvalidFile when the file is broken."""
        file = self.root / "misuse.yaml"
        return misuse.load(file if file.exists() else misuse.FILE)

    @property
    def sandbox(self) -> SandboxPeople:
        """Persons of the sandbox; raises InvalidFile when the file is broken."""
        file = self.root / "sandbox.yaml"
        return sandbox.load(file) if file.exists() else SandboxPeople()

    def contract(self, dataset: str) -> Contract:
        """The contract of that dataset.

        Raises:
            InvalidFile: its file is broken.
            UsageError: there is no such dataset.
        """
        if dataset in self.contracts:
            return self.contracts[dataset]
        self._raise_broken(f"{dataset}.odcs.yaml")
        raise UsageError(unknown("dataset", dataset, self.contracts))

    def agreement(self, agreement_id: str) -> Agreement:
        """The agreement of that id.

        Raises:
            InvalidFile: its file is broken.
            UsageError: there is no such agreement.
        """
        if agreement_id in self.agreements:
            return self.agreements[agreement_id]
        self._raise_broken(f"agreements/{agreement_id}.yaml")
        raise UsageError(unknown("agreement", agreement_id, self.agreements))

    @property
    def collected(self) -> Mapping[str, Contract]:
        """Contracts by dataset id, without those that are only proposed: nobody reads these."""
        return {d: c for d, c in self.contracts.items() if not c.proposed}

    def datasets_of(self, agency: str) -> tuple[Contract, ...]:
        """The agency's datasets, in order of id."""
        return tuple(c for _, c in sorted(self.contracts.items()) if c.agency == agency)

    def agreements_of(self, consumer: str) -> tuple[Agreement, ...]:
        """The agreements under which the consumer gets deliveries, in order of id."""
        own = (a for _, a in sorted(self.agreements.items()) if a.consumer == consumer)
        return tuple(a for a in own if a.delivered)

    def receiving(self, dataset: str) -> tuple[Agreement, ...]:
        """Agreements on board under which something of a dataset is given, joined or looked at."""
        served = (a for _, a in sorted(self.agreements.items()) if a.served)
        return tuple(a for a in served if dataset in a.datasets and not self.onboarding(a.id))

    def onboarding(self, subject: str) -> bool:
        """Whether an agency, a dataset or an agreement is not on board yet.

        A dataset is not while its contract is `proposed` or a `draft`, or its agency is onboarding;
        an agreement is not while one of its datasets or its consumer is not.

        Args:
            subject: id of a dataset or an agreement, or an agency's name.
        """
        agency = self.agencies.get(subject)
        if agency is not None:
            return agency.onboarding
        contract = self.contracts.get(subject)
        if contract is not None:
            return contract.status in NOT_ON_BOARD or self._agency_onboarding(contract.agency)
        agreement = self.agreements.get(subject)
        if agreement is None:
            return False
        return self._agency_onboarding(agreement.consumer) or any(
            self.onboarding(dataset) for dataset in agreement.datasets
        )

    def _agency_onboarding(self, name: str) -> bool:
        agency = self.agencies.get(name)
        return agency is not None and agency.onboarding

    def connections_of(self, agency: str) -> frozenset[str]:
        """Connections to the agency's own systems: its sources, and where it receives."""
        sources = {c.source.connection for c in self.datasets_of(agency)}
        blocks = (a.delivery for a in self.agreements_of(agency))
        return frozenset(sources | {b.connection for b in blocks if b is not None})

    def wakeable(self, agency: str) -> frozenset[str]:
        """Datasets that the agency may wake: its own of lane event."""
        return frozenset(c.id for c in self._collected_of(agency) if c.lane == "event")

    def bringable(self, agency: str) -> frozenset[str]:
        """Datasets that the agency may bring: its own whose source is of kind `push`."""
        own = self._collected_of(agency)
        return frozenset(c.id for c in own if c.source.connector == "push")

    def _collected_of(self, agency: str) -> tuple[Contract, ...]:
        """The agency's datasets without those that are only proposed: nobody reads these."""
        return tuple(c for c in self.datasets_of(agency) if not c.proposed)

    def _raise_broken(self, ending: str) -> None:
        broken = [p for p in self.problems if p.file.as_posix().endswith(ending)]
        if broken:
            raise InvalidFile(broken)


def load(root: Path = ROOT) -> Catalogue:
    """Read everything below `root`; problems are kept, not raised.

    A process parses the same bytes once: what it has read is given again until any file below
    `root`, or a code list, has other bytes, appears or goes; what was read beside it is then read
    anew too. What was read while somebody wrote, or while a file could not be opened, is not kept.
    """
    state = digest(root)
    if _LATEST.get(root) != state:
        for known in BESIDE:
            known.cache_clear()
        _LATEST[root] = state
    found = _KEPT.get((root, state))
    if found is None:
        found = _read(root)
        whole = all(problem.rule != UNREADABLE for problem in found.problems)
        if whole and digest(root) == state:  # else: of which state is it?
            _keep(root, state, found)
    return replace(  # what a caller does to its maps is its own
        found,
        agencies=dict(found.agencies),
        contracts=dict(found.contracts),
        agreements=dict(found.agreements),
    )


_KEPT: dict[tuple[Path, str], Catalogue] = {}
_MOST_KEPT = 4
_LATEST: dict[Path, str] = {}
"""The bytes below each root when it was last looked at."""
_keeping = Lock()


def _keep(root: Path, state: str, found: Catalogue) -> None:
    with _keeping:
        _KEPT[root, state] = found
        while len(_KEPT) > _MOST_KEPT:
            del _KEPT[next(iter(_KEPT))]


def digest(root: Path) -> str:
    """Names and bytes of every file that a contract or an agreement may come from or refer to.

    The files that are parsed are looked for in the same way as to parse them: `**` does not follow
    a link to a folder, and `*` does.
    """
    seen = hashlib.sha256()
    below = [f for kind in ("*.yaml", "*.csv", "*.json") for f in root.rglob(kind)]
    own = {*below, *_contract_files(root), *_agreement_files(root)}
    for file in sorted({*own, *_package_files()}):
        name = file.relative_to(root) if file.is_relative_to(root) else file
        seen.update(f"{name.as_posix()}\0{files.digest(file)}\n".encode())
    return seen.hexdigest()


def _reaction_file(root: Path) -> Path:
    file = root / "reaction.yaml"
    return file if file.exists() else reaction.FILE


def _package_files() -> list[Path]:
    """What contracts below any root refer to; it stands in the package only."""
    beside = (semantic.FILE, service_levels.FILE, reaction.FILE, misuse.FILE)
    return [*codes.CODES.glob("*.csv"), *beside]


def _contract_files(root: Path) -> list[Path]:
    return sorted((root / "contracts").glob("*/*.odcs.yaml"))


def _agreement_files(root: Path) -> list[Path]:
    return sorted((root / "agreements").glob("*.yaml"))


def _read(root: Path) -> Catalogue:
    problems: list[Problem] = []
    document = parse(root / "agencies.yaml")
    found_contracts: dict[str, Contract] = {}
    for file in _contract_files(root):
        try:
            contract = odcs.load(file).contract
            expect_id(file, contract.id, f"{file.parent.name}/{file.name.split('.')[0]}")
            found_contracts[contract.id] = contract
        except InvalidFile as error:
            problems.extend(error.problems)
    found_agreements: dict[str, Agreement] = {}
    for file in _agreement_files(root):
        try:
            agreement = agreements.load(file).agreement
            expect_id(file, agreement.id, file.stem)
            found_agreements[agreement.id] = agreement
        except InvalidFile as error:
            problems.extend(error.problems)
    try:
        reaction.load(_reaction_file(root))
    except InvalidFile as error:
        problems.extend(error.problems)
    agencies = build(Agencies, document.data, document).agencies
    return Catalogue(agencies, found_contracts, found_agreements, tuple(sorted(problems)), root)


def expect_id(file: Path, found: str, expected: str) -> None:
    """Refuse a file whose id is not what its name says.

    Args:
        file: that the id belongs to.
        found: id in the file.
        expected: id that its place says.
    """
    if found != expected:
        problem = Problem(
            file, 1, "id", "file.name", f"id is {found!r}, the file says {expected!r}"
        )
        raise InvalidFile([problem])
