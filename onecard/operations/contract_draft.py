"""A proposed contract as ODCS YAML: what was found, and as comments what a person decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onecard.base.personal import redact
from quality.samples.guess import ColumnGuess, SourceGuess
from schemas.models import semantic
from schemas.models.contract import Field
from schemas.models.plain_yaml import block, flow

LONGEST_TITLE = 60
"""Characters of a comment of the catalogue that stand as a title."""
LONGEST_LINE = 110
UNFILLED = "待填写"
"""Stands where a person writes what the data is for; `onecard lint` takes it."""


@dataclass(frozen=True, slots=True)
class DraftSource:
    """What a draft says of its source.

    Attributes:
        dataset: `<agency>/<dataset>`.
        title: of the dataset.
        physical: name of the table, path or folder.
        connector: registered kind.
        connection: id of the connection.
        options: of the connector.
        order: `order` of the contract, where nothing else says which row is the newest.
    """

    dataset: str
    title: str
    physical: str
    connector: str
    connection: str
    options: Mapping[str, Any]
    order: str | None


def text_of(source: DraftSource, guess: SourceGuess, remarks: Iterable[str]) -> str:
    """The whole file.

    Args:
        source: where it is read.
        guess: its fields, key, cursor and sequence.
        remarks: what a person should look at, one line each.
    """
    return "".join(
        [*_head(source, guess, remarks), *_server(source, guess), *_schema(source, guess)]
    )


def plain_title(text: str) -> str:
    """A comment or a name as a title: on one line, short, without personal data.

    Args:
        text: as the source has it.
    """
    seen = "".join(c if c.isprintable() else " " for c in redact(text))
    return " ".join(seen.split())[:LONGEST_TITLE]


def _head(source: DraftSource, guess: SourceGuess, remarks: Iterable[str]) -> Iterator[str]:
    yield "# Proposed by `onecard discover`, from the source itself. Nothing collects it while it\n"
    yield "# says `status: proposed`: look at each CHECK and at every field, then say `draft`.\n"
    for remark in remarks:
        yield f"# CHECK {' '.join(remark.split())}\n"
    agency = source.dataset.split("/", maxsplit=1)[0]
    custom: list[dict[str, Any]] = [{"property": "shareType", "value": "2"}]
    if guess.sequence:
        custom.append({"property": "sequence", "value": guess.sequence})
    if source.order:
        custom.append({"property": "order", "value": source.order})
    yield "apiVersion: v3.1.0\nkind: DataContract\n"
    yield f"id: {source.dataset}\nname: {flow(source.title)}\n"
    yield f"version: 0.1.0\nstatus: proposed\ndomain: {agency}\n"
    yield f"description:\n  purpose: {UNFILLED}\ncustomProperties:\n"
    yield from (f"  - {flow(one)}\n" for one in custom)
    yield f"slaProperties:\n  - {flow({'property': 'freshness', 'value': 'P2D'})}\n"


def _server(source: DraftSource, guess: SourceGuess) -> Iterator[str]:
    agency = source.dataset.split("/", maxsplit=1)[0]
    yield f"servers:\n  - server: {agency}\n    type: custom\n    customProperties:\n"
    yield "      - property: source\n        value:\n"
    said: dict[str, Any] = {"connector": source.connector, "connection": source.connection}
    if guess.cursor:
        said["cursor"] = guess.cursor
    form = _text_form(guess)
    if form:
        said["text"] = form
    yield block({**said, "options": dict(source.options)}, 10)


def _text_form(guess: SourceGuess) -> dict[str, Any]:
    """How the source writes text, as far as its columns agree."""
    form: dict[str, Any] = {}
    signs = {g.thousands for g in guess.columns if g.thousands}
    if len(signs) == 1:
        form["thousands"] = signs.pop()
    words = sorted({word for g in guess.columns for word in declared_nulls(g)})
    return form | ({"null": words} if words else {})


def declared_nulls(guess: ColumnGuess) -> tuple[str, ...]:
    """Words that mean NULL in a column: where its type, or its meaning, leaves no other way.

    Args:
        guess: of the column.
    """
    field = guess.field
    free = field.type == "string" and field.semantic in ("text", "code", "identifier")
    return () if free else guess.null_words


def _schema(source: DraftSource, guess: SourceGuess) -> Iterator[str]:
    name = source.dataset.split("/", maxsplit=1)[1]
    yield f"schema:\n  - name: {name}\n    physicalName: {flow(source.physical)}\n"
    yield f"    businessName: {flow(source.title)}\n    logicalType: object\n    properties:\n"
    for column in guess.columns:
        yield from _property(column, guess.key)
    yield "    quality:\n      - name: volume\n        description: 数据量与历史相当\n"
    yield "        type: custom\n        engine: onecard\n        dimension: coverage\n"
    yield "        severity: warning\n        implementation: "
    yield flow({"check": "volume", "min_ratio": 0.5, "max_ratio": 3.0}) + "\n"


def _property(column: ColumnGuess, key: Sequence[str]) -> Iterator[str]:
    field = column.field
    yield from (f"      # {line}\n" for line in _said(column))
    yield f"      - name: {field.name}\n"
    yield f"        businessName: {flow(plain_title(field.title) or field.name)}\n"
    yield f"        physicalName: {flow(field.native)}\n"
    yield f"        logicalType: {field.type}\n"
    if field.type == "number":
        yield f"        physicalType: decimal({field.precision},{field.scale})\n"
    options: dict[str, Any] = {"maxLength": field.max_length} if field.max_length else {}
    options |= {"format": field.format} if field.format else {}
    if options:
        yield f"        logicalTypeOptions: {flow(options)}\n"
    if field.name in key:
        yield "        primaryKey: true\n"
        yield f"        primaryKeyPosition: {key.index(field.name) + 1}\n"
    if field.required:
        yield "        required: true\n"
    yield f"        classification: {field.level}\n        customProperties:\n"
    yield from (f"          - {flow(one)}\n" for one in _custom(field))


def _custom(field: Field) -> Iterator[dict[str, Any]]:
    yield {"property": "semantic", "value": field.semantic}
    yield {"property": "pii", "value": field.pii}
    if field.spi:
        yield {"property": "spi", "value": field.spi}
    if field.codes:
        listed = list(field.codes)
        yield {"property": "codes", "value": listed[0] if len(listed) == 1 else listed}


def _said(column: ColumnGuess) -> Iterator[str]:
    """Numbers of values, and what is not decided; no value but signs of a code list to be made."""
    total = column.seen + column.empty
    by = {
        "known": "as other contracts have it",
        "values": "by its values",
        "declared": "by its declared type",
        "name": "no value seen",
    }[column.by]
    title = semantic.semantic_type(column.field.semantic).title
    share = f"; empty {column.empty:,} of {total:,}, {column.distinct:,} different" if total else ""
    yield f"{title}, {by}{share}"
    if column.other_lists:
        yield from _folded("code lists that hold the values too: ", column.other_lists)
    if column.draft_codes:
        signs = [f"'{code}'" for code in column.draft_codes]
        yield from _folded("a code list to be made in schemas/codes, with what each means: ", signs)


def _folded(lead: str, words: Iterable[str]) -> Iterator[str]:
    """Words in lines that are not too long."""
    line = lead
    for word in words:
        if len(line) + len(word) > LONGEST_LINE:
            yield line.rstrip()
            line = "  "
        line += f"{word} "
    yield line.rstrip()
