"""What the registry says of persons, after scope, treatment and gate; as in a delivery.

Persons that are asked for together are looked up by one statement and pass the gate as one batch,
so that its rules cost a call little. A rule that blocks the batch blocks the row that broke it and
no other: the persons are then looked at one by one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from onecard.base.times import iso
from onecard.model import gate_inputs
from onecard.ports.privacy_gate import Batch, PrivacyBlock, PrivacyGate
from onecard.serve.case import ANSWERED, EMPTY, Case
from onecard.serve.compare import compared
from onecard.serve.compiled import SEQUENCE, Compiled
from onecard.store import persons
from onecard.store.database import Connection
from onecard.store.persons import AskedRows

if TYPE_CHECKING:
    import polars as pl

    from onecard.deliver.treatment import Tokeniser

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """A look at some persons under one agreement.

    Attributes:
        compiled: the agreement.
        gate: makes an open privacy gate for these cases.
        tokeniser: the consumer's.
    """

    compiled: Compiled
    gate: Callable[[Sequence[Case]], PrivacyGate]
    tokeniser: Tokeniser

    def ask(self, connection: Connection, cases: Sequence[Case]) -> AskedRows:
        """Ask for the rows of the cases' persons, by one statement.

        Args:
            connection: in a transaction that sees one state of the registry.
            cases: that are open, all under this agreement.
        """
        numbers = [case.asked.id_number for case in cases]
        return persons.ask_rows(connection, self.compiled.statement, numbers)

    def judge(self, asked: AskedRows, cases: Sequence[Case]) -> None:
        """Give each case its result.

        Args:
            asked: what was asked for the cases, answered by now.
            cases: the same.

        Raises:
            PrivacyBlock: a rule about the agreement blocks: nobody is answered.
        """
        found = _frame(asked.read())
        places = found[gate_inputs.ASKED_PLACE].to_list()
        gate = self.gate(cases)
        try:
            results = self._results(gate, found, [cases[place - 1] for place in places])
        except PrivacyBlock as block:
            if len(places) == 1:
                log.warning("%s: a person's row is kept back by %s", self._id, block.rule)
                results = [EMPTY]
            else:
                results = [
                    self._alone(found[i : i + 1], cases[p - 1]) for i, p in enumerate(places)
                ]
        said = dict(zip(places, results, strict=True))
        for place, case in enumerate(cases, start=1):
            case.result = said.get(place, EMPTY)

    @property
    def _id(self) -> str:
        return self.compiled.agreement.id

    def _alone(self, row: pl.DataFrame, case: Case) -> Mapping[str, object]:
        try:
            return self._results(self.gate([case]), row, [case])[0]
        except PrivacyBlock as block:
            log.warning("%s: a person's row is kept back by %s", self._id, block.rule)
            return EMPTY

    def _results(
        self, gate: PrivacyGate, found: pl.DataFrame, cases: Sequence[Case]
    ) -> list[Mapping[str, object]]:
        """What is said of each row that was found."""
        from onecard.deliver import treatment  # noqa: PLC0415 - Polars only where rows flow

        if not len(found):
            return []
        agreement, fields = self.compiled.agreement, self.compiled.fields
        treated = treatment.treat(found, agreement, fields, self.tokeniser)
        admitted = gate.check(Batch(found, treated)).rows.to_list()
        verified = agreement.mode == "verify"
        lines = (found.select(agreement.names) if verified else treated).to_dicts()
        own = found.select([c for c in found.columns if c.startswith("_asked_")]).to_dicts()
        return [
            self._result(line, mine, case) if passes and self._is_meant(mine, case) else EMPTY
            for line, mine, case, passes in zip(lines, own, cases, admitted, strict=True)
        ]

    def _is_meant(self, own: Mapping[str, Any], case: Case) -> bool:
        """Whether what the call says of the person beside the ID number is so."""
        return all(
            compared(field, own[Compiled.by_column(name)], case.asked.given[name]) == "match"
            for name, field in self.compiled.given.items()
        )

    def _result(
        self, line: Mapping[str, Any], own: Mapping[str, Any], case: Case
    ) -> Mapping[str, object]:
        if self.compiled.agreement.mode == "verify":
            fields: dict[str, object] = {
                name: compared(self.compiled.fields[name], value, case.asked.values[name])
                for name, value in line.items()
            }
        else:
            fields = {name: as_json(value) for name, value in line.items()}
        return {"fields": fields, "outcome": ANSWERED, "sequence": own.get(SEQUENCE)}


def as_json(value: object) -> str | int | bool | None:
    """A treated value as JSON has it: money and times as text.

    Args:
        value: as the treatment leaves it.

    Raises:
        TypeError: of a type that no treatment leaves.
    """
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    msg = f"no way to tell a {type(value).__name__}"
    raise TypeError(msg)


def _frame(rows: persons.Rows) -> pl.DataFrame:
    """Rows as the treatment and the gate take them."""
    import polars as pl  # noqa: PLC0415 - Polars only where rows flow

    kinds: dict[persons.Kind, Any] = {
        "text": pl.String,
        "date": pl.Date,
        "instant": pl.Datetime("us", "UTC"),
        "integer": pl.Int64,
        "boolean": pl.Boolean,
    }
    schema = {name: kinds[kind] for name, kind in rows.kinds.items()}
    return pl.DataFrame(rows.lines, schema=schema, orient="row")
