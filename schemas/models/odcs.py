"""Reads a contract from its ODCS v3.1 file.

The file is plain ODCS, so that any ODCS tool reads it; what ODCS has no word for stands in its
`customProperties` and in quality rules of engine `onecard`. The official JSON Schema is checked
by `schemas.lint.check`; here the file becomes what the hub works with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from schemas.models import codes as code_lists
from schemas.models import semantic
from schemas.models.carrier import Carrier
from schemas.models.contract import Contract, Field, Source
from schemas.models.dataset_checks import (
    DATASET_KINDS,
    Expectation,
    Freshness,
    RejectedShare,
    Shrinkage,
)
from schemas.models.drift_policy import Drift
from schemas.models.problem import InvalidFile, Problem
from schemas.models.rules import Rule
from schemas.models.strict_yaml import Document, parse
from schemas.models.values import Duration, build

UPDATED = "source_updated_at"
"""The field, where a contract has it, in which a source dates its rows."""
SHRINKAGE = Expectation(
    name="shrinkage",
    title="来源未骤减",
    severity="critical",
    dimension="coverage",
    check=Shrinkage(check="shrinkage"),
)
REJECTED_SHARE = Expectation(
    name="rejected_share",
    title="不合格行占比未超限",
    severity="critical",
    dimension="conformity",
    check=RejectedShare(check="rejected_share"),
)
ALWAYS = (SHRINKAGE, REJECTED_SHARE)
"""What every contract demands of its source that does not say something else about it."""
_DECIMAL = re.compile(r"^decimal\((\d+),(\d+)\)$")
_SNAKE = {"shareType": "share_type"}
_ODCS_NAMES = {
    "level": "classification",
    "native": "physicalName",
    "title": "businessName",
    "type": "logicalType",
    "max_length": "logicalTypeOptions",
    "format": "logicalTypeOptions",
    "check": "implementation",
    "semantic": "customProperties",
    "pii": "customProperties",
    "spi": "customProperties",
    "text": "customProperties",
}
"""Our models' names, and the ODCS keys that their values stand under."""


@dataclass(frozen=True, slots=True)
class ContractFile:
    """A contract with the document it came from, for messages about it."""

    contract: Contract
    document: Document


def load(file: Path, text: str | None = None) -> ContractFile:
    """Read one contract.

    Raises:
        InvalidFile: every problem found, with file, line, field, rule and valid choices.
    """
    document = parse(file, text)
    return ContractFile(_Reader(document).contract(), document)


class _Reader:
    """Translates ODCS into our models; keeps the ODCS path of everything for messages."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def contract(self) -> Contract:
        data = self.document.data
        if data.get("kind") != "DataContract" or data.get("apiVersion") != "v3.1.0":
            self._refuse(
                "apiVersion", "odcs.version", "write kind: DataContract and apiVersion: v3.1.0"
            )
        table = self._only(data, "schema", "schema")
        server = self._only(data, "servers", "servers")
        properties = table.get("properties") or []
        fields = [self._field(p, f"schema.0.properties.{i}") for i, p in enumerate(properties)]
        row_rules, expectations = self._quality(table.get("quality") or [])
        at = self._place_of(server, "source", "servers.0.")
        source = self._part(Source, self._custom(server, "servers.0").get("source"), at)
        custom = self._custom(data, "")
        if "onboarding" in custom:
            self._refuse(
                self._place_of(data, "onboarding"),
                "contract.onboarding",
                "a dataset that is not on board yet says status: draft; a whole agency says"
                " onboarding: true in agencies.yaml",
            )
        if "drift" in custom:
            custom["drift"] = self._part(Drift, custom["drift"], self._place_of(data, "drift"))
        if "carrier" in custom:
            at = self._place_of(data, "carrier")
            custom["carrier"] = self._part(Carrier, custom["carrier"], at)
        if self.problems:
            raise InvalidFile(self.problems)
        description = data.get("description") or {}
        freshness = self._freshness(data)
        expectations += self._fresh(fields, source, freshness)
        kinds = {e.check.check for e in expectations if e}
        expectations += [usual for usual in ALWAYS if usual.check.check not in kinds]
        return build(
            Contract,
            {
                "id": data.get("id"),
                "version": data.get("version"),
                "status": data.get("status"),
                "title": data.get("name"),
                "description": description.get("purpose", ""),
                "fields": fields,
                "source": source,
                "freshness": freshness,
                "rules": row_rules,
                "expectations": expectations,
                **{_SNAKE.get(key, key): value for key, value in custom.items()},
            },
            self.document,
        )

    @staticmethod
    def _fresh(
        fields: Sequence[Field | None], source: Source | None, limit: str | None
    ) -> list[Expectation]:
        """The contract's freshness as an expectation, where its rows have a time of their own."""
        times = [f.name for f in fields if f and f.type == "timestamp"]
        cursor = source.cursor if source else None
        name = next((n for n in (UPDATED, cursor) if n in times), None)
        try:
            span = Duration(limit or "")
        except ValueError:
            return []  # the contract's own check refuses a bad duration
        if name is None:
            return []
        check = Freshness(check="freshness", field=name, limit=span)
        made = Expectation(
            name="freshness",
            title="数据及时",
            severity="warning",
            dimension="timeliness",
            check=check,
        )
        return [made]

    def _field(self, data: Any, at: str) -> Field | None:  # noqa: ANN401 - plain YAML data
        if not isinstance(data, dict):
            self._refuse(at, "odcs.property", "a property is a mapping")
            return None
        options = data.get("logicalTypeOptions") or {}
        decimal = _DECIMAL.match(str(data.get("physicalType", "")))
        custom = self._custom(data, at)
        if data.get("logicalType") == "number" and not decimal:
            self._refuse(
                f"{at}.physicalType",
                "contract.decimal",
                "a number needs physicalType decimal(precision,scale)",
            )
        lists = custom.pop("codes", ())
        values = {
            "name": data.get("name"),
            "title": data.get("businessName"),
            "native": data.get("physicalName"),
            "type": data.get("logicalType"),
            "level": data.get("classification"),
            "required": data.get("required", False),
            "key_position": data.get("primaryKeyPosition", 1) if data.get("primaryKey") else None,
            "max_length": options.get("maxLength"),
            "format": options.get("format"),
            "precision": int(decimal[1]) if decimal else None,
            "scale": int(decimal[2]) if decimal else None,
            "codes": [lists] if isinstance(lists, str) else lists,
            **custom,
        }
        field: Field | None = self._part(Field, values, at)
        if field is not None:
            self._check_field(field, at)
        return field

    def _check_field(self, field: Field, at: str) -> None:
        known = code_lists.names()
        for name in field.codes:
            if name not in known:
                self._refuse(
                    f"{at}.customProperties",
                    "contract.unknown_code_list",
                    f"{field.name}: no code list {name!r}; known: {', '.join(known)}",
                )
        types = semantic.load().types
        if field.semantic not in types:
            self._refuse(
                f"{at}.customProperties",
                "contract.unknown_semantic_type",
                f"{field.name}: no semantic type {field.semantic!r}; "
                f"known: {', '.join(sorted(types))}",
            )
            return
        kind = types[field.semantic]
        if semantic.PII_ORDER[field.pii] < semantic.PII_ORDER[kind.pii] or field.level < kind.level:
            self._refuse(
                at,
                "contract.weaker_class",
                f"{field.name}: {field.pii}/{field.level} is weaker than semantic type "
                f"{field.semantic}: {kind.pii}/{kind.level}",
            )

    def _quality(self, items: Any) -> tuple[list[Rule], list[Expectation]]:  # noqa: ANN401
        row_rules: list[Rule] = []
        expectations: list[Expectation] = []
        for i, item in enumerate(items):
            at = f"schema.0.quality.{i}"
            if item.get("engine") != "onecard":
                self._refuse(f"{at}.engine", "rule.engine", "valid choices: onecard")
                continue
            check = item.get("implementation") or {}
            dataset_level = check.get("check") in DATASET_KINDS
            values = {
                "name": item.get("name"),
                "title": item.get("description"),
                "severity": item.get("severity"),
                "dimension": item.get("dimension"),
                "check": check,
            }
            values = {key: value for key, value in values.items() if value is not None}
            if dataset_level:
                expectations.append(self._part(Expectation, values, at))
            else:
                row_rules.append(self._part(Rule, values, at))
        return row_rules, expectations

    def _part(self, model: Any, data: Any, at: str) -> Any:  # noqa: ANN401 - any model of ours
        try:
            return build(model, data, self.document, at)
        except InvalidFile as error:
            self.problems.extend(_in_odcs_words(p) for p in error.problems)
            return None

    def _only(self, data: Mapping[str, Any], key: str, at: str) -> dict[str, Any]:
        items = data.get(key)
        if isinstance(items, list) and len(items) == 1 and isinstance(items[0], dict):
            return items[0]
        self._refuse(at, f"contract.one_{key}", f"{key} must hold exactly one entry")
        return {}

    def _custom(self, data: Mapping[str, Any], at: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for i, item in enumerate(data.get("customProperties") or []):
            name = item.get("property") if isinstance(item, dict) else None
            path = f"{at}.customProperties.{i}".lstrip(".")
            if name is None or name in found:
                self._refuse(
                    path,
                    "contract.custom_property",
                    "give property and value, and each property once",
                )
                continue
            found[name] = item.get("value")
        return found

    @staticmethod
    def _place_of(data: Mapping[str, Any], name: str, before: str = "") -> str:
        """Path of the value of a custom property; of all of them where there is no such."""
        items = data.get("customProperties") or []
        found = (
            i for i, p in enumerate(items) if isinstance(p, dict) and p.get("property") == name
        )
        place = next(found, None)
        whole = f"{before}customProperties"
        return whole if place is None else f"{whole}.{place}.value"

    def _freshness(self, data: Mapping[str, Any]) -> str | None:
        for item in data.get("slaProperties") or []:
            if item.get("property") == "freshness":
                return str(item.get("value"))
        return None

    def _refuse(self, at: str, rule: str, message: str) -> None:
        self.problems.append(self.document.problem(at, rule, message))


def _in_odcs_words(problem: Problem) -> Problem:
    """The same problem at the key that the author of the file wrote."""
    head, _, last = problem.field.rpartition(".")
    if ".value" in head or head.startswith("servers."):  # our own words stand in the file
        return problem
    return replace(problem, field=f"{head}.{_ODCS_NAMES.get(last, last)}".lstrip("."))
