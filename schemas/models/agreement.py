"""A sharing agreement: what one consumer may have of one dataset, and on which basis.

The YAML file is the text of the agreement. Whether it was approved, suspended or stopped is
recorded in the ledger (`onecard.store.agreement_lives`), never here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field as Attribute
from pydantic import StringConstraints, model_validator

from onecard.base.call_bounds import BOUNDS_MS
from onecard.base.frozen import Frozen
from schemas.models.agreement_parts import (
    EXACT,
    Basis,
    Consent,
    Credit,
    Delivery,
    Exists,
    Filter,
    Join,
    OrderedPath,
    Path_,
    Scope,
    SharedField,
    Statistics,
    Validity,
)
from schemas.models.asking import Asking
from schemas.models.promise import Promise
from schemas.models.strict_yaml import Document, parse
from schemas.models.values import DatasetId, Duration, Name, Version, build

AgreementId = Annotated[str, StringConstraints(pattern=r"^f\d{2}(-[a-z0-9_]+)+$")]
RegisterId = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,3}(-[0-9A-Z]+)+$")]
"""Id of an entry in `schemas/registers.yaml`."""

Mode = Literal["event", "batch", "statistics", "query", "verify"]
DELIVERED: tuple[Mode, ...] = ("event", "batch", "statistics")
"""Rows are sent; in the other modes one person is asked for at a time."""


class Agreement(Frozen):
    """What one consumer may have of one dataset.

    Attributes:
        served: false for a query or verify flow that is only declared.
        subject: path of the ID number of the person whom a row is about; statistics have none.
        responsible: the official who answers for the flow (order 249, article 18).
        project: entry of the published list of applications (article 7).
        assessment: impact assessment (PIPL article 55), needed for sensitive information.
        child_rules: rules for children under 14 (PIPL article 31); without them such rows stay.
        notice: notice to residents that covers this flow (PIPL article 17).
        entrustment: contract with an entrusted party (PIPL article 21).
        grade: recorded grade of identifiability of a token flow (GB/T 42460).
        key: shared fields by which the consumer tells its rows apart; each key has one row.
        first_by: of several rows in scope with one key, the first in this order counts and the
            others do not leave; `-name` is descending, NULL last, and the dataset's key ends the
            order. Without it the key must determine the dataset's.
        after_death: `stop` keeps back rows of the deceased and of cancelled cards (PR-29);
            `deliver` is for flows that must tell of death or cancellation.
        approvers: how many people of the providing agency must approve a text (ADR 0058). A text
            that asks for fewer than the approved one is approved by as many as that one asks for.
        unusual_factor: a delivery with so many times the usual rows is held for a person.
        freshness: how fresh what leaves is; in the modes query and verify how soon an answer comes.
        asking: how persons are asked for, in the modes query and verify; of several rows of a
            person the first by `first_by` counts.
    """

    id: AgreementId
    version: Version
    title: str
    dataset: DatasetId
    consumer: Name
    purpose: Annotated[str, StringConstraints(pattern=r"^A7-\d{2}$")]
    mode: Mode
    served: bool = True
    basis: Basis
    responsible: str = Attribute(min_length=2)
    subject: Path_ | None = None
    project: RegisterId | None = None
    assessment: RegisterId | None = None
    child_rules: RegisterId | None = None
    notice: RegisterId | None = None
    entrustment: RegisterId | None = None
    grade: RegisterId | None = None
    consent: Consent | None = None
    credit: Credit | None = None
    after_death: Literal["stop", "deliver"] = "stop"
    approvers: Literal[1, 2] = 1
    unusual_factor: int = Attribute(default=10, ge=2)
    fields: tuple[SharedField, ...] = Attribute(min_length=1)
    key: tuple[Name, ...] = Attribute(min_length=1)
    first_by: tuple[OrderedPath, ...] = ()
    joins: tuple[Join, ...] = ()
    scope: Scope
    order: tuple[Path_, ...] = ()
    statistics: Statistics | None = None
    validity: Validity
    retention: Duration
    freshness: str
    delivery: Delivery | None = None
    asking: Asking | None = None

    @property
    def delivered(self) -> bool:
        """Whether rows are delivered under it."""
        return self.served and self.mode in DELIVERED

    @property
    def asked(self) -> bool:
        """Whether single persons are asked for under it."""
        return self.served and self.mode not in DELIVERED

    @property
    def promise(self) -> Promise | None:
        """How soon it answers; None: nobody is asked for under it."""
        return Promise.of(self.freshness) if self.asked else None

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that may leave, in order."""
        return tuple(f.name for f in self.fields)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Every dataset that a delivery reads."""
        others = [j.dataset for j in self.joins] + [e.dataset for e in self.semi_joins]
        others += [self.consent.dataset] if self.consent else []
        return tuple(dict.fromkeys([self.dataset, *others]))

    @property
    def semi_joins(self) -> tuple[Exists, ...]:
        """Of the scope and of conditions whose answer leaves."""
        asked = [e for f in self.fields if f.when for e in f.when.exists]
        return (*self.scope.exists, *asked)

    @property
    def tests(self) -> tuple[Filter, ...]:
        """Filters of the scope and of conditions whose answer leaves."""
        asked = [t for f in self.fields if f.when for t in f.when.filters]
        return (*self.scope.filters, *asked)

    @property
    def says_only_yes(self) -> bool:
        """Whether a row says no more than that it is there, or answers yes or no."""
        said = [f for f in self.fields if f.name not in self.key]
        return all(f.origin is None for f in said)

    @property
    def tells_deletes(self) -> bool:
        """Whether the consumer is told of rows that were deleted."""
        return self.delivery is not None and self.delivery.deletes == "rows"

    @property
    def sealed(self) -> bool:
        """Whether what leaves is sealed for the consumer's public key."""
        return self.delivery is not None and self.delivery.sealed

    @property
    def canonical_text(self) -> str:
        """The agreement as one line of JSON, keys sorted."""
        content = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the whole content: whatever changes in it needs approval again."""
        return hashlib.sha256(self.canonical_text.encode()).hexdigest()

    @model_validator(mode="after")
    def _consistent(self) -> Agreement:
        for complaint in _complaints(self):
            raise ValueError(complaint)
        return self


def _complaints(agreement: Agreement) -> list[str]:
    names = agreement.names
    found = [
        f"agreement.duplicate_field: field {n!r} stands twice" for n in names if names.count(n) > 1
    ]
    found += [
        f"agreement.key: key {n!r} is no shared field; known: {', '.join(names)}"
        for n in agreement.key
        if n not in names
    ]
    if (agreement.mode == "statistics") != (agreement.statistics is not None):
        found.append("agreement.statistics: mode statistics and a statistics block go together")
    if agreement.statistics and agreement.statistics.count not in names:
        found.append(f"agreement.statistics: count must be one of: {', '.join(names)}")
    if not agreement.served and agreement.mode in DELIVERED:
        found.append("agreement.not_served: only query and verify flows can be declared alone")
    if agreement.delivered and agreement.delivery is None:
        found.append("agreement.delivery: an agreement in force needs a delivery block")
    found += _asking(agreement)
    if agreement.mode != "statistics" and agreement.basis.item == "none":
        found.append(
            "agreement.basis: personal data needs an item of PIPL article 13(1); "
            "valid choices: 13-1-1, 13-1-2, 13-1-3, 13-1-7"
        )
    if agreement.served and agreement.mode != "statistics" and agreement.subject is None:
        found.append("agreement.subject: name the field that holds the person's ID number")
    if (agreement.basis.item == "13-1-1") != (agreement.consent is not None):
        found.append("agreement.consent: basis 13-1-1 (consent) and a consent block go together")
    if "249" in agreement.basis.statute:
        found.append(
            "agreement.basis: order 249 is a municipal rule and cannot be the lawful "
            "basis (PIPL article 34); name a statute"
        )
    found += [*_deletes(agreement), *_first_by(agreement)]
    aliases = [j.alias for j in agreement.joins]
    used = [f.origin for f in agreement.fields if f.origin]
    used += [x.field for x in agreement.tests]
    used += [agreement.subject] if agreement.subject else []
    used += [path.removeprefix("-") for path in agreement.first_by]
    used += agreement.asking.by if agreement.asking else ()
    found += [
        f"agreement.unknown_alias: {path!r} names no join; known: {', '.join(aliases) or 'none'}"
        for path in used
        if "." in path and path.split(".")[0] not in aliases
    ]
    return found


def _asking(agreement: Agreement) -> Iterator[str]:
    if agreement.mode in DELIVERED:
        if agreement.asking is not None:
            yield "agreement.asking: only query and verify flows have an asking block"
        return
    if agreement.delivery is not None:
        yield "agreement.asking: nothing is delivered where persons are asked for; drop delivery"
    if agreement.served and agreement.asking is None:
        yield "agreement.asking: a query or verify flow in force needs an asking block"
    if agreement.asked and agreement.promise is None:
        yield (
            "agreement.promise: freshness of a query or verify flow says how soon it answers, as"
            f" `p95 800ms`; valid milliseconds: {', '.join(map(str, BOUNDS_MS))}"
        )
    if agreement.mode != "verify":
        return
    for field in agreement.fields:
        if field.treatment != "as_is" or field.origin is None:
            yield (
                f"agreement.asking: {field.name!r} is verified: it comes from a field, as_is; its"
                " value does not leave"
            )


def _deletes(agreement: Agreement) -> Iterator[str]:
    if not agreement.tells_deletes:
        if agreement.delivery and agreement.says_only_yes and not agreement.statistics:
            yield (
                "agreement.deletes: a row says only yes, or yes or no: the consumer would keep it"
                " for ever; write delivery.deletes: rows, so that it is withdrawn"
            )
        return
    if agreement.statistics:
        yield "agreement.deletes: statistics have no rows that could be deleted"
    for field in agreement.fields:
        if field.name in agreement.key and field.treatment not in EXACT:
            yield (
                f"agreement.deletes: key {field.name!r} is {field.treatment}: other rows could"
                f" have the same; valid treatments of a key are then {' and '.join(EXACT)}"
            )


def _first_by(agreement: Agreement) -> Iterator[str]:
    if agreement.first_by and agreement.statistics:
        yield "agreement.first_by: statistics count all rows in scope; leave first_by out"
        return
    for field in agreement.fields if agreement.first_by and agreement.mode in DELIVERED else ():
        if field.name in agreement.key and field.treatment not in EXACT:
            yield (
                f"agreement.first_by: key {field.name!r} is {field.treatment}: other rows could"
                " have the same, and first_by compares before treatment; valid treatments of a"
                f" key are then {' and '.join(EXACT)}"
            )


@dataclass(frozen=True, slots=True)
class AgreementFile:
    """An agreement with the document it came from, for messages about it."""

    agreement: Agreement
    document: Document


def load(file: Path, text: str | None = None) -> AgreementFile:
    """Read one agreement.

    Raises:
        InvalidFile: every problem found, with file, line, field, rule and valid choices.
    """
    document = parse(file, text)
    return AgreementFile(build(Agreement, document.data, document), document)
