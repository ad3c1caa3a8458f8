"""What can be wrong with the block that says how a dataset tells of carriers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from onecard.errors import unknown
from schemas.models.carrier import Carrier
from schemas.models.contract import Contract
from schemas.models.odcs import ContractFile
from schemas.models.problem import Problem

PLACE = "customProperties"
MOST = timedelta(hours=1)
"""A night waits for it."""


def check(file: ContractFile) -> Iterator[Problem]:
    """All problems of the block; a contract without one has none."""
    contract, carrier = file.contract, file.contract.carrier
    if carrier is None:
        return
    for message in (*_fields(contract, carrier), *_blocked(contract, carrier)):
        yield file.document.problem(PLACE, "contract.carrier", message)


def _fields(contract: Contract, carrier: Carrier) -> Iterator[str]:
    field, successor = contract.field(carrier.field), contract.field(carrier.successor)
    sequence = contract.field(carrier.sequence)
    if field.type != "string" or not field.required:
        yield f"field {field.name} names the carrier of every event: a required string"
    if (successor.type, successor.semantic) != (field.type, field.semantic):
        yield f"successor {successor.name} names a carrier: {field.semantic}, as {field.name}"
    if sequence.type != "integer" or not sequence.required:
        yield f"sequence {sequence.name} counts events: a required integer"
    if not timedelta() < carrier.wait.span <= MOST:
        yield "wait: more than nothing and at most an hour, e.g. PT4M"


def _blocked(contract: Contract, carrier: Carrier) -> Iterator[str]:
    """The codes that block: of the field's list, and not all of it."""
    field, listed = contract.field(carrier.blocked.field), carrier.blocked.in_
    if not field.codes or not field.required:
        yield f"blocked: {field.name} says of every event what it does: required, with a code list"
        return
    for code in listed:
        if code not in field.allowed:
            yield "blocked: " + unknown("code", code, field.allowed)
    if set(field.allowed) <= set(listed):
        yield f"blocked: every code of {field.name} blocks, so that no carrier is ever enabled"
