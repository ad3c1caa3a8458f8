"""A night's own look at drift: what the gate rejected, against the contract's policy (F32)."""

from __future__ import annotations

from collections.abc import Mapping

from onecard.errors import SchemaMismatch
from onecard.ports.row_gate import Reason
from onecard.ports.source import Column
from schemas.models.contract import Contract
from schemas.models.drift_policy import RULES
from schemas.models.expected import expected


def columns(contract: Contract) -> tuple[Column, ...]:
    """The columns to read, and whether the reading fails without each."""
    optional_fields = contract.optional_fields
    return tuple(
        Column(
            f.name,
            f.native,
            f.required,
            required_to_read=f.name not in optional_fields,
            key=f.key_position is not None,
            type=f.type,
            format=f.format,
            decimal=contract.text_form(f).decimal,
        )
        for f in contract.fields
    )


def enforce(contract: Contract, rejected: Mapping[Reason, int]) -> None:
    """Let the transfer pass, or refuse it as a whole.

    Args:
        contract: with its policy.
        rejected: rows of this transfer by the reason they were rejected for.

    Raises:
        SchemaMismatch: a kind of change was met that the contract says fails the transfer; names
            dataset, fields, kinds and numbers of rows.
    """
    own = {rule.name for rule in contract.rules}
    met = [
        f"{reason.field}: {RULES[reason.rule]} ({number} row(s))" + _form(contract, reason)
        for reason, number in sorted(rejected.items())
        if reason.rule in RULES
        and reason.rule not in own
        and contract.drift.decision(RULES[reason.rule]) == "fail"
    ]
    if met:
        msg = (
            f"{contract.id}: the source is not as the contract says: {'; '.join(met)}; "
            "its drift policy is to fail, and nothing was published"
        )
        raise SchemaMismatch(msg)


def _form(contract: Contract, reason: Reason) -> str:
    form = expected(contract, reason.field, reason.rule)
    return f", expected {form}" if form else ""
