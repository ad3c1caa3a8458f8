"""Checks of one contract that need its fields' types and code lists."""

from __future__ import annotations

import re
from collections.abc import Iterator

from onecard.errors import unknown
from schemas.lint import invariant, text_form
from schemas.lint.condition import condition_problems
from schemas.models import codes
from schemas.models.catalogue import Catalogue
from schemas.models.contract import Contract, Field
from schemas.models.dataset_checks import Expectation, Invariant, RejectedShare, Shrinkage
from schemas.models.odcs import ContractFile
from schemas.models.problem import Problem
from schemas.models.rules import (
    Compare,
    Implies,
    OfIdNumber,
    Pattern,
    Product,
    Range,
    Rule,
    Sum,
    TupleIn,
)
from schemas.models.strict_yaml import Document

NUMBERS = ("number", "integer")


def check(file: ContractFile, catalogue: Catalogue) -> Iterator[Problem]:
    """All problems of one contract."""
    contract, document = file.contract, file.document
    if catalogue.agencies and contract.agency not in catalogue.agencies:
        message = unknown("agency", contract.agency, catalogue.agencies)
        yield document.problem("id", "contract.unknown_agency", message)
    for i, field in enumerate(contract.fields):
        yield from _field(document, field, f"schema.0.properties.{i}")
        for message in text_form.complaints(contract, field):
            at = f"schema.0.properties.{i}"
            yield document.problem(at, "contract.text_form", f"{field.name}: {message}")
    cursor = contract.source.cursor
    if cursor and contract.field(cursor).type not in ("timestamp", "date"):
        message = f"cursor {cursor} must be a timestamp or a date"
        yield document.problem(
            "servers.0.customProperties.0.value.cursor", "contract.cursor", message
        )
    if contract.sequence and contract.field(contract.sequence).type != "integer":
        message = f"sequence {contract.sequence} must be an integer"
        yield document.problem("customProperties", "contract.sequence", message)
    positions = [f.key_position for f in contract.fields if f.key_position is not None]
    if sorted(positions) != list(range(1, len(positions) + 1)):
        message = "primaryKeyPosition must count 1, 2, 3 …"
        yield document.problem("schema.0.properties", "contract.key_position", message)
    expectations = {e.name: e for e in contract.expectations}
    rules = {rule.name: rule for rule in contract.rules}
    for i, item in enumerate(document.data["schema"][0].get("quality") or []):
        rule = rules.get(item.get("name"))
        if rule is not None:
            yield from _rule(contract, document, rule, f"schema.0.quality.{i}.implementation")
        expectation = expectations.get(item.get("name"))
        if expectation is not None:
            at = f"schema.0.quality.{i}.implementation"
            yield from _expectation(file, at, expectation, catalogue)


def _expectation(
    file: ContractFile, at: str, expectation: Expectation, catalogue: Catalogue
) -> Iterator[Problem]:
    check_ = expectation.check
    if isinstance(check_, Invariant):
        yield from invariant.check(file, at, check_, catalogue)
    if not isinstance(check_, Shrinkage | RejectedShare) or check_.reason.strip():
        return
    if expectation.severity != "critical" or _asks_less(check_):
        message = f"{expectation.name}: {_HELD[check_.check]}; say in `reason` why not this one"
        yield file.document.problem(at, "rule.relaxed", message)


_HELD = {
    "shrinkage": "a source that has become empty or lost half is held for a person",
    "rejected_share": "a reading of which most rows were rejected is held for a person",
}


def _asks_less(check_: Shrinkage | RejectedShare) -> bool:
    """Whether it lets more pass than the expectation that every contract has."""
    if isinstance(check_, Shrinkage):
        return check_.above < Shrinkage(check="shrinkage").above
    usual = RejectedShare(check="rejected_share")
    return check_.max_share > usual.max_share or check_.at_least > usual.at_least


def _field(document: Document, field: Field, at: str) -> Iterator[Problem]:
    if field.type == "string" and not field.max_length:
        message = f"{field.name}: a string needs logicalTypeOptions.maxLength"
        yield document.problem(at, "contract.max_length", message)
    limit = field.max_length or 0
    if any(len(code) > limit for code in field.allowed) and field.type == "string":
        message = f"{field.name}: maxLength {limit} is shorter than a code of its list"
        yield document.problem(at, "contract.max_length", message)
    if field.codes and field.type != "string":
        message = f"{field.name}: only strings have code lists"
        yield document.problem(at, "contract.codes_type", message)


def _rule(contract: Contract, document: Document, rule: Rule, at: str) -> Iterator[Problem]:
    check_ = rule.check
    if isinstance(check_, Implies):
        for i, condition in enumerate(check_.when):
            yield from condition_problems(contract, document, condition, f"{at}.when.{i}")
        yield from condition_problems(contract, document, check_.then, f"{at}.then")
        return
    wrong = _type_complaint(contract, check_)
    if wrong:
        yield document.problem(at, "rule.type", f"{rule.name}: {wrong}")
    if isinstance(check_, TupleIn):
        yield from _table(document, check_, at)


def _type_complaint(contract: Contract, check_: object) -> str:
    if isinstance(check_, Sum | Product):
        odd = [n for n in check_.fields if contract.field(n).type not in NUMBERS]
        return f"{', '.join(odd)} must be numbers" if odd else ""
    if isinstance(check_, Range):
        kind = contract.field(check_.field).type
        return "" if kind in (*NUMBERS, "date") else f"{check_.field} must be a number or a date"
    if isinstance(check_, Compare) and check_.right:
        left, right = (contract.field(n).type for n in (check_.left, check_.right))
        same = left == right or (left in NUMBERS and right in NUMBERS)
        return "" if same else f"{check_.left} is a {left}, {check_.right} a {right}"
    if isinstance(check_, OfIdNumber) and contract.field(check_.id_number).semantic != "id_number":
        return f"{check_.id_number} is no ID number"
    if isinstance(check_, Pattern):
        try:
            re.compile(re.sub(r"\\x\{[0-9a-f]+\}", "x", check_.pattern))
        except re.error as error:
            return f"the pattern does not compile: {error}"
    return ""


def _table(document: Document, check_: TupleIn, at: str) -> Iterator[Problem]:
    if check_.table not in codes.names():
        message = unknown("table", check_.table, codes.names())
        yield document.problem(f"{at}.table", "rule.unknown_table", message)
        return
    columns = codes.table(check_.table)[0]
    for name in check_.columns:
        if name not in columns:
            message = unknown("column", name, columns)
            yield document.problem(f"{at}.columns", "rule.unknown_column", message)
