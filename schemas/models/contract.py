"""A dataset's contract, as the hub works with it; `odcs` beside it reads its file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field as Attribute
from pydantic import model_validator

from onecard.base.frozen import Frozen
from schemas.models import codes as code_lists
from schemas.models.carrier import Carrier
from schemas.models.drift_policy import Drift
from schemas.models.partition import Partition
from schemas.models.rules import Expectation, Rule
from schemas.models.semantic import Level, Pii, SemanticType, semantic_type
from schemas.models.text_form import TextForm
from schemas.models.values import DatasetId, Duration, Name, Version

LogicalType = Literal["string", "date", "timestamp", "integer", "number"]
FileOrder = Literal["manifest_time", "file_name", "arrival"]
"""By what files or uploads follow each other; inside one, its rows do."""
FILE_ORDERS: Mapping[str, tuple[FileOrder, ...]] = {
    "files": ("manifest_time", "file_name"),
    "push": ("arrival",),
}
"""Kind of system → by what its files can follow each other."""


class Field(Frozen):
    """One field of a dataset.

    Attributes:
        name: the hub's name, as in the catalogue of data elements.
        native: the name in the agency's own system.
        type: ODCS logical type; `number` is a decimal of `precision` and `scale`.
        format: how a text source writes a date or timestamp (strftime); default ISO 8601.
        codes: names of the code lists, one of which must hold the value.
        spi: category of sensitive personal information (PIPL article 28), if any.
        text: how its source writes its values as text, where it differs from `Source.text`.
    """

    name: Name
    title: str
    native: str
    type: LogicalType
    semantic: str
    level: Level
    pii: Pii
    required: bool = False
    key_position: int | None = None
    max_length: int | None = None
    precision: int | None = None
    scale: int | None = None
    format: str | None = None
    codes: tuple[str, ...] = ()
    spi: Literal["BIO", "REL", "SPC", "MED", "FIN", "LOC"] | None = None
    text: TextForm | None = None

    @property
    def semantic_type(self) -> SemanticType:
        """The field's semantic type."""
        return semantic_type(self.semantic)

    @property
    def allowed(self) -> tuple[str, ...]:
        """All codes of the field's code lists; empty when it has none."""
        return tuple(c for name in self.codes for c in code_lists.codes(name))


class Source(Frozen):
    """Where the dataset is read.

    Attributes:
        connector: a registered kind (`sql`, `rest`, `files`, `soap`).
        connection: id of the Airflow connection.
        cursor: field by which the source is read incrementally; None: read whole every time
            (files: only new files are read).
        overlap: how far behind the watermark reading starts again (late commits).
        lag: the watermark never moves past now minus this.
        text: how it writes values as text; a field may differ.
        options: the connector's own settings, validated by its model.
        partition: how several workers share one reading; None: it is read by one.
    """

    connector: str
    connection: Name
    cursor: Name | None = None
    overlap: Duration = Duration("PT10M")
    lag: Duration = Duration("PT0S")
    text: TextForm = TextForm()
    options: Mapping[str, Any] = Attribute(default_factory=dict)
    partition: Partition | None = None


class Contract(Frozen):
    """Everything the hub knows about one dataset.

    Attributes:
        sequence: field that orders versions of one row; a lower one never overwrites a higher.
        order: what decides between rows of one key where sequence and cursor do not: fields, in
            this order; or the order of the files; or `unique`: the source holds each key once.
        status: ODCS's words; `proposed` is written by a program and read by nobody yet: it is never
            collected. A `draft` is, and counts for nothing (docs/adding-an-agency.md).
        share_type: 1 unconditional, 2 conditional, 3 not shared (政务数据共享条例).
        lane: `nightly`, or `event` for the near-real-time lane.
        freshness: how old the newest published row may be before the report says late.
        drift: what the source's changes lead to.
        carrier: of which cards its rows tell, in which order; None: of none.
    """

    id: DatasetId
    version: Version
    title: str
    description: str
    status: Literal["proposed", "draft", "active", "deprecated", "retired"]
    fields: tuple[Field, ...]
    source: Source
    freshness: Duration
    lane: Literal["nightly", "event"] = "nightly"
    share_type: Literal["1", "2", "3"] = "2"
    sequence: Name | None = None
    order: tuple[Name, ...] | FileOrder | Literal["unique"] | None = None
    drift: Drift = Drift()
    carrier: Carrier | None = None
    rules: tuple[Rule, ...] = ()
    expectations: tuple[Expectation, ...] = ()

    @property
    def agency(self) -> str:
        """The providing agency."""
        return self.id.split("/")[0]

    @property
    def proposed(self) -> bool:
        """Whether no person has looked at it yet: it is not collected."""
        return self.status == "proposed"

    @property
    def table(self) -> str:
        """Name of the registry table."""
        return self.id.replace("/", "__")

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the key fields, in order."""
        keyed = [f for f in self.fields if f.key_position is not None]
        return tuple(f.name for f in sorted(keyed, key=lambda f: f.key_position or 0))

    @property
    def optional_fields(self) -> frozenset[str]:
        """Fields whose absence from the source costs all rows, but not the transfer."""
        if self.drift.missing == "fail":
            return frozenset()
        return frozenset(self.names) - {*self.key, *self.ordering}

    @property
    def ordering(self) -> tuple[str, ...]:
        """Fields that order the rows of one key, the first that differs decides; higher is newer.

        Sequence, then cursor, then the fields of `order`. NULL is older than any value.
        """
        more = self.order if isinstance(self.order, tuple) else ()
        named = (self.sequence, self.source.cursor, *more)
        return tuple(dict.fromkeys(name for name in named if name))

    @property
    def stated_file_order(self) -> FileOrder | None:
        """By what the contract says that files follow each other."""
        return self.order if self.order in ("manifest_time", "file_name", "arrival") else None

    @property
    def file_order(self) -> FileOrder | None:
        """By what files follow each other, or None where the rows' own fields order them."""
        return self.stated_file_order or (None if self.ordering else "file_name")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all fields, in order."""
        return tuple(f.name for f in self.fields)

    def text_form(self, field: Field) -> TextForm:
        """How the source writes a field's values as text."""
        return self.source.text.under(field.text)

    def field(self, name: str) -> Field:
        """The field of that name (KeyError otherwise)."""
        for found in self.fields:
            if found.name == name:
                return found
        raise KeyError(name)

    @model_validator(mode="after")
    def _consistent(self) -> Contract:
        for complaint in _complaints(self):
            raise ValueError(complaint)
        return self


def _complaints(contract: Contract) -> list[str]:
    """What a model alone cannot see: names that must agree inside one contract."""
    names = contract.names
    known = f"known fields: {', '.join(names)}"
    found = [
        f"contract.duplicate_field: field {n!r} stands twice"
        for n in sorted({n for n in names if names.count(n) > 1})
    ]
    natives = [f.native for f in contract.fields]
    found += [
        f"contract.duplicate_native: physicalName {n!r} stands twice"
        for n in sorted({n for n in natives if natives.count(n) > 1})
    ]
    if not contract.key:
        found.append("contract.no_key: no property has primaryKey: true")
    found += [
        f"contract.nullable_key: key field {n!r} must be required"
        for n in contract.key
        if not contract.field(n).required
    ]
    more = contract.order if isinstance(contract.order, tuple) else ()
    roles = [("cursor", contract.source.cursor), ("sequence", contract.sequence)]
    for role, name in (*roles, *(("order", name) for name in more), *_carrier(contract)):
        if name is not None and name not in names:
            found.append(f"contract.unknown_field: {role} {name!r} is no field; {known}")
    for rule in contract.rules:
        found += [
            f"rule.unknown_field: rule {rule.name!r} names {n!r}; {known}"
            for n in rule.check.fields
            if n not in names
        ]
    for expectation in contract.expectations:
        named: str | None = getattr(expectation.check, "field", None)
        if named is not None and named not in names:
            found.append(f"rule.unknown_field: {expectation.name!r} names {named!r}; {known}")
    titled = [r.name for r in contract.rules] + [e.name for e in contract.expectations]
    found += [
        f"rule.duplicate_name: rule {n!r} stands twice"
        for n in sorted({n for n in titled if titled.count(n) > 1})
    ]
    return found


def _carrier(contract: Contract) -> list[tuple[str, str]]:
    """Fields that the carrier block names."""
    found = contract.carrier
    if found is None:
        return []
    names = (found.field, found.sequence, found.blocked.field, found.successor)
    return [("carrier", name) for name in names]
