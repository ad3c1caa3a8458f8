"""Checks of one condition that need its field's type and code list."""

from __future__ import annotations

from collections.abc import Iterator

from onecard.errors import unknown
from schemas.models.condition import Condition
from schemas.models.contract import Contract
from schemas.models.problem import Problem
from schemas.models.strict_yaml import Document


def condition_problems(
    contract: Contract, document: Document, condition: Condition, at: str
) -> Iterator[Problem]:
    """Codes that the field's lists do not have, and numbers where the field is text.

    Args:
        contract: whose fields it names.
        document: the file it stands in.
        condition: field, and codes or NULL.
        at: its path in the file.
    """
    field = contract.field(condition.field)
    listed = [*(condition.in_ or ()), *(condition.not_in or ())]
    for value in listed if field.codes else ():
        if str(value) not in field.allowed:
            yield document.problem(at, "rule.unknown_code", unknown("code", value, field.allowed))
    if any(not isinstance(v, str) for v in listed) and field.type == "string":
        yield document.problem(at, "rule.type", f"{field.name} is text: quote the values")
