"""Checks of one agreement against the contracts it reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from onecard.errors import unknown
from schemas.models import agreement_keys, codes
from schemas.models.agreement import Agreement, AgreementFile
from schemas.models.agreement_parts import Exists, Filter, Join, SharedField
from schemas.models.asking import COMPARED
from schemas.models.catalogue import Catalogue
from schemas.models.contract import Contract, Field
from schemas.models.problem import Problem
from schemas.models.strict_yaml import Document

FITTING = {
    "year": ("date", "timestamp"),
    "month": ("date", "timestamp"),
    "day": ("date", "timestamp"),
    "hour": ("timestamp",),
}
"""Treatments and the types of field that they fit."""


def check(file: AgreementFile, catalogue: Catalogue, broken: frozenset[str]) -> Iterator[Problem]:
    """All problems of one agreement; a dataset whose own file is `broken` is left out.

    Args:
        file: the agreement and its document.
        catalogue: all contracts and registers that could be read.
        broken: datasets whose contracts could not be read: they are not called unknown.
    """
    agreement, document = file.agreement, file.document
    if agreement.purpose not in codes.codes("purpose"):
        message = unknown("purpose", agreement.purpose, codes.codes("purpose"))
        yield document.problem("purpose", "agreement.unknown_purpose", message)
    if agreement.consumer not in catalogue.agencies:
        message = unknown("consumer", agreement.consumer, catalogue.agencies)
        yield document.problem("consumer", "agreement.unknown_consumer", message)
    absent = [d for d in agreement.datasets if d not in catalogue.contracts]
    for dataset in set(absent) - broken:
        message = unknown("dataset", dataset, catalogue.contracts)
        yield document.problem(_place(agreement, dataset), "agreement.unknown_dataset", message)
    if absent:
        return
    if agreement.served and catalogue.contracts[agreement.dataset].share_type == "3":
        message = f"{agreement.dataset} has share type 3 (不予共享)"
        yield document.problem("dataset", "agreement.not_shared", message)
    yield from _Paths(agreement, document, catalogue.contracts).check()


def shared_targets(files: Iterable[AgreementFile]) -> Iterator[Problem]:
    """Agreements that deliver into the same place."""
    seen: dict[str, str] = {}
    for file in files:
        delivery = file.agreement.delivery
        if delivery is None or delivery.connector == "files":
            continue  # files lie in a folder of their agreement's name
        target = f"{delivery.connection} {sorted(map(str, delivery.options.items()))}"
        if target in seen:
            message = f"delivers into the same place as {seen[target]}"
            yield file.document.problem("delivery", "agreement.duplicate_target", message)
        seen.setdefault(target, file.agreement.id)


def _place(agreement: Agreement, dataset: str) -> str:
    if dataset == agreement.dataset:
        return "dataset"
    for i, join in enumerate(agreement.joins):
        if join.dataset == dataset:
            return f"joins.{i}.dataset"
    if agreement.consent and agreement.consent.dataset == dataset:
        return "consent.dataset"
    exists = [e.dataset for e in agreement.scope.exists]
    if dataset in exists:
        return f"scope.exists.{exists.index(dataset)}.dataset"
    asked = [i for i, f in enumerate(agreement.fields) if f.when]
    return f"fields.{asked[0]}.when"


class _Paths:
    """Follows every path of an agreement to the contract field behind it."""

    def __init__(
        self, agreement: Agreement, document: Document, contracts: Mapping[str, Contract]
    ) -> None:
        self._agreement, self._document, self._contracts = agreement, document, contracts
        self._datasets = {"": agreement.dataset} | {j.alias: j.dataset for j in agreement.joins}

    def check(self) -> Iterator[Problem]:
        """Problems of fields, joins, scope and order."""
        agreement = self._agreement
        counted = agreement.statistics.count if agreement.statistics else None
        for i, shared in enumerate(agreement.fields):
            if shared.origin is not None and shared.name != counted:
                yield from self._shared(shared, f"fields.{i}")
            if shared.when is not None:
                yield from self._tests(shared.when.filters, shared.when.exists, f"fields.{i}.when")
        for i, join in enumerate(agreement.joins):
            yield from self._join(join, f"joins.{i}")
        yield from self._tests(agreement.scope.filters, agreement.scope.exists, "scope")
        if agreement.subject:
            yield from self._subject(agreement.subject)
        for path in agreement.order:
            _, problem = self._field(path, "order")
            yield from [problem] if problem else []
        yield from self._asked_by()
        yield from self._one_row()

    def _asked_by(self) -> Iterator[Problem]:
        """Problems of what a call gives beside the ID number: each field once, each comparable."""
        seen: set[str] = set()
        for i, path in enumerate(self._agreement.asking.by if self._agreement.asking else ()):
            at = f"asking.by.{i}"
            field, problem = self._field(path, at)
            yield from [problem] if problem else []
            name = path.rpartition(".")[2]
            if name in seen:
                message = f"{name} stands twice: a call gives each member once"
                yield self._document.problem(at, "agreement.asking_by", message)
            seen.add(name)
            if field is not None and field.type not in COMPARED:
                message = (
                    f"{field.name} is a {field.type}, which no caller knows to the microsecond;"
                    f" name a field of one of the types: {', '.join(COMPARED)}"
                )
                yield self._document.problem(at, "agreement.asking_by", message)

    def _tests(
        self, filters: tuple[Filter, ...], semi_joins: tuple[Exists, ...], at: str
    ) -> Iterator[Problem]:
        """Problems of filters and semi-joins below one place."""
        for i, found in enumerate(filters):
            field, problem = self._field(found.field, f"{at}.filters.{i}")
            yield from [problem] if problem else self._filter(found, field, f"{at}.filters.{i}")
        for i, exists in enumerate(semi_joins):
            here = f"{at}.exists.{i}"
            yield from self._match(exists.match, exists.dataset, f"{here}.match")
            for j, where in enumerate(exists.where):
                field, problem = self._named(exists.dataset, where.field, f"{here}.where.{j}")
                yield from [problem] if problem else self._filter(where, field, f"{here}.where.{j}")

    def _join(self, join: Join, at: str) -> Iterator[Problem]:
        """Problems of a join: what it names, and whether a row meets one row at most."""
        yield from self._match(join.match, join.dataset, f"{at}.match")
        for name in join.first_by:
            _, problem = self._named(join.dataset, name.removeprefix("-"), f"{at}.first_by")
            yield from [problem] if problem else []
        key = self._contracts[join.dataset].key
        if not join.first_by and not set(key) <= set(join.match.values()):
            message = (
                f"a row can meet several rows of {join.dataset}, whose key is {', '.join(key)}:"
                " match the whole key, or say by first_by which row counts"
                " (first_by: [-field, …], the first of those that the scope admits)"
            )
            yield self._document.problem(at, "agreement.join_not_unique", message)

    def _one_row(self) -> Iterator[Problem]:
        """Problems of `first_by`, and whether there is one row of each key."""
        agreement = self._agreement
        for path in agreement.first_by:
            _, problem = self._field(path.removeprefix("-"), "first_by")
            yield from [problem] if problem else []
        if not agreement.delivered or agreement.statistics or agreement.first_by:
            return
        known = agreement_keys.exact(agreement)
        if not agreement_keys.determines(known, agreement, self._contracts):
            key = self._contracts[agreement.dataset].key
            message = (
                f"{agreement.id}: rows of {agreement.dataset}, whose key is {', '.join(key)}, can"
                f" share the agreement's key {', '.join(agreement.key)}: say by first_by which row"
                " counts (first_by: [-field, …], the first of those in scope; `-` is descending),"
                " or let the key hold the dataset's, as_is or as a token"
            )
            yield self._document.problem("key", "agreement.key_not_unique", message)

    def _subject(self, path: str) -> Iterator[Problem]:
        field, problem = self._field(path, "subject")
        if problem:
            yield problem
        elif field is not None and field.semantic != "id_number":
            message = f"{field.name} is no ID number"
            yield self._document.problem("subject", "agreement.subject", message)

    def _shared(self, shared: SharedField, at: str) -> Iterator[Problem]:
        field, problem = self._field(str(shared.origin), at)
        if problem or field is None:
            yield from [problem] if problem else []
            return
        complaint = _unfit(shared, field)
        if complaint:
            yield self._document.problem(at, "agreement.treatment", f"{shared.name}: {complaint}")
        if self._agreement.statistics and field.pii == "DI":
            message = f"{shared.name} is a direct identifier; statistics hold none"
            yield self._document.problem(at, "agreement.statistics_identifier", message)

    def _filter(self, found: Filter, field: Field | None, at: str) -> Iterator[Problem]:
        if field is None:
            return
        for value in [*(found.in_ or ()), *(found.not_in or ())] if field.codes else ():
            if value not in field.allowed:
                message = unknown("code", value, field.allowed)
                yield self._document.problem(at, "agreement.unknown_code", message)
        if found.min_age is not None and field.semantic != "id_number":
            message = f"min_age is read from an ID number; {field.name} is none"
            yield self._document.problem(at, "agreement.filter", message)

    def _match(self, match: Mapping[str, str], dataset: str, at: str) -> Iterator[Problem]:
        for path, column in match.items():
            _, problem = self._field(path, at)
            _, other = self._named(dataset, column, at)
            yield from [p for p in (problem, other) if p]

    def _field(self, path: str, at: str) -> tuple[Field | None, Problem | None]:
        alias, _, name = path.rpartition(".")
        if alias not in self._datasets:
            message = unknown("alias", alias, [a for a in self._datasets if a])
            return None, self._document.problem(at, "agreement.unknown_alias", message)
        return self._named(self._datasets[alias], name, at)

    def _named(self, dataset: str, name: str, at: str) -> tuple[Field | None, Problem | None]:
        contract = self._contracts[dataset]
        if name in contract.names:
            return contract.field(name), None
        message = f"{dataset}: " + unknown("field", name, contract.names)
        return None, self._document.problem(at, "agreement.unknown_field", message)


def _unfit(shared: SharedField, field: Field) -> str:
    """Why a treatment does not fit a field, or an empty text."""
    kind, treatment = field.semantic_type, shared.treatment
    if treatment == "mask" and kind.mask is None:
        return f"semantic type {field.semantic} has no mask"
    if treatment == "token" and not kind.token:
        return "only ID numbers become tokens"
    if treatment in FITTING and field.type not in FITTING[treatment]:
        return f"{treatment} needs a {' or '.join(FITTING[treatment])}, not a {field.type}"
    if treatment == "county" and field.semantic not in ("division", "street"):
        return "county needs a division or street code"
    if treatment == "yuan" and field.semantic != "fen":
        return "yuan needs an amount in fen"
    return ""
