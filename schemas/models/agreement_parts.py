"""The parts of a sharing agreement: basis, fields, scope, statistics, consent, delivery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field as Attribute
from pydantic import StringConstraints, model_validator

from onecard.base.frozen import Frozen
from schemas.models.values import DatasetId, Name

Path_ = Annotated[str, StringConstraints(pattern=r"^([a-z][a-z0-9_]*\.)?[a-z][a-z0-9_]*$")]
"""A field of the agreement's dataset, or `<join alias>.<field>`."""

Ordered = Annotated[str, StringConstraints(pattern=r"^-?[a-z][a-z0-9_]*$")]
"""A field by which rows are ordered; `-name` is descending."""

OrderedPath = Annotated[str, StringConstraints(pattern=r"^-?([a-z][a-z0-9_]*\.)?[a-z][a-z0-9_]*$")]
"""A path by which rows are ordered; `-name` and `-alias.name` are descending."""

Treatment = Literal["as_is", "mask", "token", "year", "month", "day", "hour", "county", "yuan"]

EXACT: tuple[Treatment, ...] = ("as_is", "token")
"""Treatments that keep different values different."""


class Basis(Frozen):
    """Lawful basis: the item of PIPL article 13(1), and the statute that grants the power."""

    item: Literal["13-1-1", "13-1-2", "13-1-3", "13-1-7", "none"]
    statute: str = Attribute(min_length=2)
    article: str = Attribute(min_length=2)
    note: str = ""


class Join(Frozen):
    """Another dataset that fields or scope are taken from.

    Attributes:
        alias: how fields name it.
        match: field of the agreement's dataset (or of an earlier alias) → field of the joined one.
        on_change: `deliver` sends a row again when a joined value that leaves has changed; `ignore`
            leaves the consumer with the value that it has. Whether a row is in scope follows the
            joined row either way.
        first_by: of several joined rows that the scope's filters on this alias admit, the first in
            this order counts; `-name` is descending, NULL last, and the joined key ends the order.
            Without it the match must cover the joined dataset's key.
    """

    alias: Name
    dataset: DatasetId
    match: Mapping[Path_, Name] = Attribute(min_length=1)
    on_change: Literal["deliver", "ignore"] = "deliver"
    first_by: tuple[Ordered, ...] = ()


class Filter(Frozen):
    """One condition of the row scope; exactly one test. A NULL meets only `null: true`."""

    field: Path_
    in_: tuple[str, ...] | None = Attribute(default=None, alias="in")
    not_in: tuple[str, ...] | None = None
    null: bool | None = None
    min_age: int | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Filter:
        if sum(t is not None for t in (self.in_, self.not_in, self.null, self.min_age)) != 1:
            msg = "agreement.filter: give exactly one of in, not_in, null, min_age"
            raise ValueError(msg)
        return self


class Exists(Frozen):
    """A semi-join of the row scope: only residents whom the consumer serves."""

    dataset: DatasetId
    match: Mapping[Path_, Name] = Attribute(min_length=1)
    where: tuple[Filter, ...] = ()


class When(Frozen):
    """A condition whose answer leaves instead of values: yes when all its tests hold, else no.

    Everybody in scope gets an answer. A test that meets NULL does not hold.

    Attributes:
        answers: what leaves for yes and for no (`[是, 否]`).
    """

    filters: tuple[Filter, ...] = ()
    exists: tuple[Exists, ...] = ()
    answers: tuple[str, str] = ("1", "0")

    @model_validator(mode="after")
    def _tested(self) -> When:
        if not self.filters and not self.exists:
            msg = "agreement.when: give at least one of filters, exists"
            raise ValueError(msg)
        if self.answers[0] == self.answers[1] or not all(self.answers):
            msg = "agreement.when: answers are two texts that differ, of yes and of no"
            raise ValueError(msg)
        return self


class SharedField(Frozen):
    """One column that leaves: its name for the consumer, where it comes from, its treatment.

    `value` gives a constant instead of a source (a published code, never personal data), `when` the
    answer yes or no to a condition.
    """

    name: Name
    from_: Path_ | None = Attribute(default=None, alias="from")
    value: str | None = None
    when: When | None = None
    treatment: Treatment = "as_is"

    @model_validator(mode="after")
    def _one_origin(self) -> SharedField:
        if sum(g is not None for g in (self.from_, self.value, self.when)) > 1:
            msg = "agreement.field_origin: give only one of from, value, when"
            raise ValueError(msg)
        if self.when is not None and self.treatment != "as_is":
            msg = "agreement.field_origin: an answer yes or no leaves as_is"
            raise ValueError(msg)
        return self

    @property
    def origin(self) -> str | None:
        """Path of the source field; None for a constant, or an answer."""
        given = self.value is not None or self.when is not None
        return None if given else (self.from_ or self.name)


class Scope(Frozen):
    """Which rows may leave: all `filters` and all `exists` must hold. Empty means all rows."""

    title: str
    filters: tuple[Filter, ...] = ()
    exists: tuple[Exists, ...] = ()


class Statistics(Frozen):
    """How rows become counts: fields other than `count` are the groups.

    Attributes:
        count: name of the shared field that holds the count.
        contributor: who a row belongs to; one contributor must not dominate a group (PR-12).
        distinct: count distinct values of this field, else rows.
        minimum: groups smaller than this do not leave (PR-12).
        margins: sets of group fields whose totals are known elsewhere; a group that could be
            computed from such a total is suppressed as well.
    """

    count: Name
    contributor: Path_
    distinct: Path_ | None = None
    minimum: int = Attribute(ge=3)
    margins: tuple[tuple[Name, ...], ...] = ()


class Delivery(Frozen):
    """How the consumer receives: connector, connection and the connector's own options.

    Attributes:
        deletes: `rows` tells the consumer of rows that were deleted at their source, by their keys;
            without it such rows are no longer sent, and nothing is said of them (ADR 0015).
        sealed: what leaves is sealed for the consumer's public key (ADR 0055); without a key of the
            consumer nothing leaves.
    """

    connector: str
    connection: Name
    options: Mapping[str, Any] = Attribute(default_factory=dict)
    deletes: Literal["rows"] | None = None
    sealed: bool = False


class Validity(Frozen):
    """First and last day on which the agreement is in force."""

    first: date = Attribute(alias="from")
    last: date = Attribute(alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> Validity:
        if self.last < self.first:
            msg = "agreement.validity: `to` lies before `from`"
            raise ValueError(msg)
        return self


class Consent(Frozen):
    """Where separate consents stand that are checked row by row (PIPL articles 14, 29, 31).

    The dataset has one row per consent with the fields consent_id, person_id18, agreement,
    consent_kind (`GUARDIAN_KIND`: by a guardian) and withdrawn_at.
    """

    dataset: DatasetId


GUARDIAN_KIND = "2"
"""Code of a guardian's consent in the code list `consent_kind`."""


class Credit(Frozen):
    """A flow into credit services (order 249, article 14).

    Attributes:
        domain: one of the four that article 14 names.
        automated_decision: whether the consumer decides by it automatically (PIPL article 24).
        explanation: who explains such a decision to the person.
    """

    domain: Literal["inclusive_finance", "public_transport", "culture_tourism", "resident_health"]
    automated_decision: bool = False
    explanation: str = ""
