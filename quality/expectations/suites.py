"""A contract as a Great Expectations suite, as JSON.

Every check that the row gate makes of a row is one expectation, and its `meta` names field and
rule as the gate's reason does. GX's own expectations are used where they say it, custom ones where
they do not. Expectations of the whole dataset stand beside them where they make sense alone;
volume, distribution and whatever looks at other datasets or at history are the hub's own
(`quality.datasets.sql_audit`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from onecard.base.personal import UNASSIGNED_DIVISION
from onecard.errors import ConfigError
from quality.expectations.onecard_expectations.forms import AROUND, CONTROL, written_date
from quality.expectations.patterns import admits_blanks, admits_controls, portable
from quality.rows.fieldchecks import CONTROL as CONTROL_RULE
from quality.rows.gate import LISTED
from quality.rows.rule_titles import title
from quality.rows.rules import main_field
from quality.rows.text_forms import AROUND as AROUND_RULE
from schemas.models import codes
from schemas.models.contract import Contract, Field
from schemas.models.dataset_checks import Completeness, Freshness
from schemas.models.rules import Compare, Pattern, Rule, TupleIn, Unique

Json = dict[str, Any]
SuiteProfile = Literal["production", "demo"]

NOW = {"$PARAMETER": "now"}
"""The suite's one parameter: the time to judge by."""
ASPECTS = {
    "id_number": ("format", "checksum", "rounded", "birth_date", "division"),
    "uscc": ("format", "checksum"),
    "bank_account": ("format", "luhn"),
}
CUSTOM = {
    "id_number": "expect_column_values_to_be_id_number",
    "uscc": "expect_column_values_to_be_social_credit_code",
    "bank_account": "expect_column_values_to_be_bank_account",
}


def suite(contract: Contract, profile: SuiteProfile = "production") -> Json:
    """The contract's suite, as `great_expectations.ExpectationSuite(**suite)` reads it.

    Args:
        contract: the dataset's contract.
        profile: `demo` allows ID numbers in the unassigned division 410199.

    Raises:
        ConfigError: a field is written in a way that no suite can say.
    """
    for field in contract.fields:
        form = contract.text_form(field)
        if form.normalises or form.grouped:
            msg = f"field {field.name}: no suite can say a form of text of its own (`text`)"
            raise ConfigError(msg)
    specs = {f.name: spec(f, profile) for f in contract.fields}
    expectations = [e for f in contract.fields for e in _of_field(f, specs[f.name], profile)]
    expectations += [_of_rule(rule, specs) for rule in contract.rules]
    expectations += _of_dataset(contract, specs)
    return {
        "name": contract.table,
        "expectations": expectations,
        "meta": {"dataset": contract.id, "version": contract.version, "title": contract.title},
    }


def spec(field: Field, profile: SuiteProfile) -> Json:
    """A field as `onecard_expectations` knows it; the checks of `quality.rows.fieldchecks`."""
    found: Json = {"type": field.type, "required": field.required}
    if field.format:
        found["format"] = _written(field)
    if field.type == "number":
        found |= {"precision": field.precision, "scale": field.scale}
    if field.type != "string":
        return found
    kind = field.semantic_type
    found["semantic"] = field.semantic
    if field.codes:
        found["codes"] = list(field.allowed)
    elif kind.pattern:
        found["regex"] = portable(kind.pattern)
    if kind.validator:
        found["validator"] = kind.validator
    elif field.max_length and not field.codes:
        found["max_length"] = field.max_length
    if kind.validator == "id_number":
        found["refused"] = _refused(profile)
    return found


def _written(field: Field) -> str:
    form = field.format or ""
    try:
        if field.type == "date":
            written_date(form)
            return form
    except ValueError:
        pass
    msg = f"field {field.name}: no suite can say format {form!r} of a {field.type}"
    raise ConfigError(msg)


def _refused(profile: SuiteProfile) -> list[str]:
    refused = set(codes.codes("division_statistical"))
    return sorted(refused if profile == "demo" else refused | {UNASSIGNED_DIVISION})


def _expectation(kind: str, meta: Json, severity: str = "critical", **kwargs: Any) -> Json:  # noqa: ANN401 - JSON
    return {"type": kind, "kwargs": kwargs, "meta": meta, "severity": severity}


def _meta(field: str, rule: str, words: str, kind: str = "row") -> Json:
    name = f"{field}.{rule}" if field else rule
    return {"name": name, "field": field, "rule": rule, "kind": kind, "title": words}


def _of_field(field: Field, given: Json, profile: SuiteProfile) -> Iterator[Json]:
    name = field.name

    def made(rule: str, kind: str, **kwargs: Any) -> Json:  # noqa: ANN401 - JSON
        return _expectation(kind, _meta(name, rule, title(rule)), column=name, **kwargs)

    if field.required:
        yield made("required", "expect_column_values_to_not_be_null")
    if field.type != "string":
        for rule in ("type", "scale") if field.type == "number" else ("type",):
            kind = "expect_column_values_to_parse"
            yield made(rule, kind, spec=given | {"required": False}, fault=rule)
        return
    yield from _of_text(field, given, made)
    validator = given.get("validator")
    for aspect in ASPECTS.get(validator or "", ()):
        rule = f"{field.semantic}.{aspect}"
        yield made(rule, CUSTOM[str(validator)], spec=given, fault=rule, now=NOW)
    if validator == "id_number":
        yield _listed(field, given, profile)


def _of_text(field: Field, given: Json, made: Any) -> Iterator[Json]:  # noqa: ANN401 - closure
    regex, validated = given.get("regex"), bool(given.get("validator"))
    if field.codes:
        yield made("codes", "expect_column_values_to_be_in_set", value_set=given["codes"])
    elif regex:
        rule = f"{field.semantic}.format"
        yield made(rule, "expect_column_values_to_match_regex", regex=regex)
        if admits_controls(regex):
            kind = "expect_column_values_to_have_no_controls"
            yield made(CONTROL_RULE, kind, spec=given, fault=CONTROL_RULE)
        if admits_blanks(regex):
            kind = "expect_column_values_to_have_no_blanks_around"
            yield made(AROUND_RULE, kind, spec=given, fault=AROUND_RULE)
    elif not validated:
        yield made(CONTROL_RULE, "expect_column_values_to_not_match_regex", regex=CONTROL)
        yield made(AROUND_RULE, "expect_column_values_to_not_match_regex", regex=AROUND)
    if "max_length" in given:
        kind = "expect_column_value_lengths_to_be_between"
        yield made("max_length", kind, max_value=given["max_length"])


def _listed(field: Field, given: Json, profile: SuiteProfile) -> Json:
    """An unknown division warns and rejects nobody."""
    rule = f"{field.semantic}.{LISTED}"
    known = set(codes.codes("division")) | set(codes.codes("division_statistical"))
    known |= {UNASSIGNED_DIVISION} if profile == "demo" else set()
    meta = _meta(field.name, rule, title(f"{field.semantic}.division"))
    return _expectation(
        CUSTOM["id_number"],
        meta,
        "warning",
        column=field.name,
        spec={**given, "known": "".join(sorted(known))},
        fault=rule,
        now=NOW,
    )


def _of_rule(rule: Rule, specs: dict[str, Json]) -> Json:
    check = rule.check
    severity = "critical" if rule.severity == "error" else "warning"
    if isinstance(check, Unique):
        meta = _meta(main_field(rule), rule.name, rule.title, "dataset")
        return _unique(check.columns, meta, severity)
    found = check.model_dump(by_alias=True, exclude_none=True, mode="json")
    if isinstance(check, Compare) and check.plus:
        found["plus_seconds"] = int(check.plus.span.total_seconds())
    if isinstance(check, Pattern):
        found["regex"] = portable(check.pattern)
    if isinstance(check, TupleIn):
        rows = codes.table(check.table)
        found["rows"] = [[row[name] for name in check.columns] for row in rows]
    wanted = list(dict.fromkeys(check.fields))
    # GX wants at least two columns; a rule of one field reads a second and ignores it.
    second = [n for n in specs if n not in wanted][:1] if len(wanted) == 1 else []
    return _expectation(
        "expect_rows_to_follow_rule",
        _meta(main_field(rule), rule.name, rule.title),
        severity,
        column_list=[*wanted, *second],
        rule=found,
        fields={name: specs[name] for name in wanted},
        ignore_row_if="never",
        now=NOW,
    )


def _unique(columns: tuple[str, ...], meta: Json, severity: str = "critical") -> Json:
    if len(columns) == 1:
        kind = "expect_column_values_to_be_unique"
        return _expectation(kind, meta, severity, column=columns[0])
    kind = "expect_compound_columns_to_be_unique"
    missing = "any_value_is_missing"
    return _expectation(kind, meta, severity, column_list=list(columns), ignore_row_if=missing)


def _of_dataset(contract: Contract, specs: dict[str, Json]) -> list[Json]:
    rows = _meta("", "row_count", "有数据", "dataset")
    found = [
        _unique(contract.key, _meta("", "key_unique", "主键唯一", "dataset")),
        _expectation("expect_table_row_count_to_be_between", rows, min_value=1),
    ]
    for e in contract.expectations:
        if isinstance(e.check, Completeness):
            meta = _meta(e.check.field, e.name, e.title, "dataset")
            kind = "expect_column_values_to_not_be_null"
            column, mostly = e.check.field, e.check.min
            found.append(_expectation(kind, meta, e.severity, column=column, mostly=mostly))
        if isinstance(e.check, Freshness):
            column = e.check.field
            found.append(
                _expectation(
                    "expect_newest_to_be_recent",
                    _meta(column, e.name, e.title, "dataset"),
                    e.severity,
                    column=column,
                    spec=specs[column] | {"required": False},
                    max_age=int(e.check.limit.span.total_seconds()),
                    now=NOW,
                )
            )
    return found
