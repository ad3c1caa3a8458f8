"""What is said of a declared person of the sandbox: compared and treated as a registry row is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from onecard.serve.case import ANSWERED, EMPTY, Case
from onecard.serve.compare import compared
from onecard.serve.compiled import Compiled
from onecard.serve.looking import as_json
from schemas.models.contract import Field
from schemas.models.sandbox import SandboxPerson, typed

if TYPE_CHECKING:
    import polars as pl

    from onecard.deliver.treatment import Tokeniser


def said(case: Case, person: SandboxPerson, tokeniser: Tokeniser) -> Mapping[str, object]:
    """What an agreement grants of a person; the one answer for everybody where it grants nothing.

    Args:
        case: has a question and an agreement.
        person: whom it asks for.
        tokeniser: the sandbox's own.
    """
    compiled = case.under
    if any(dataset not in person.rows for dataset in _read(compiled)):
        return EMPTY
    for path in compiled.asking.by:
        name = path.rpartition(".")[2]
        given = case.asked.given[name]
        if compared(compiled.given[name], _value(compiled, person, path), given) != "match":
            return EMPTY
    line = {f.name: _value(compiled, person, f.origin or f.name) for f in compiled.agreement.fields}
    sequence = compiled.contracts[compiled.agreement.dataset].sequence
    return {
        "fields": _verified(case, line)
        if compiled.agreement.mode == "verify"
        else _treated(compiled, line, tokeniser),
        "outcome": ANSWERED,
        "sequence": _value(compiled, person, sequence) if sequence else None,
    }


def _read(compiled: Compiled) -> list[str]:
    """Datasets of which a row is wanted: the agreement's, and those that it joins."""
    return [compiled.agreement.dataset, *(j.dataset for j in compiled.agreement.joins)]


def _value(compiled: Compiled, person: SandboxPerson, path: str) -> Any:  # noqa: ANN401 - as typed
    """The value of a path as the registry would have it; None: there is none."""
    alias, _, name = path.rpartition(".")
    joined = {j.alias: j.dataset for j in compiled.agreement.joins}
    dataset = joined[alias] if alias else compiled.agreement.dataset
    text = person.rows[dataset].get(name)
    if text is None:
        return None
    return typed(compiled.contracts[dataset].field(name), text)


def _verified(case: Case, line: Mapping[str, Any]) -> dict[str, object]:
    fields: Mapping[str, Field] = case.under.fields
    return {n: compared(fields[n], value, case.asked.values[n]) for n, value in line.items()}


def _treated(
    compiled: Compiled, line: Mapping[str, Any], tokeniser: Tokeniser
) -> dict[str, object]:
    from onecard.deliver import treatment  # noqa: PLC0415 - Polars only where rows flow

    frame = _frame(compiled, line)
    treated = treatment.treat(frame, compiled.agreement, compiled.fields, tokeniser)
    return {name: as_json(value) for name, value in treated.to_dicts()[0].items()}


def _frame(compiled: Compiled, line: Mapping[str, Any]) -> pl.DataFrame:
    """One row; columns as the agreement's fields, of the types that the registry gives."""
    import polars as pl  # noqa: PLC0415 - Polars only where rows flow

    kinds: dict[str, Any] = {
        "string": pl.String,
        "number": pl.String,
        "date": pl.Date,
        "timestamp": pl.Datetime("us", "UTC"),
        "integer": pl.Int64,
    }
    fields = compiled.fields
    schema = {n: kinds[fields[n].type] if n in fields else pl.String for n in line}
    return pl.DataFrame([list(line.values())], schema=schema, orient="row")
