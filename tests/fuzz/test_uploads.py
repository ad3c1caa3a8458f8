"""Uploads of any bytes and any headers: judged or refused, in words that hold no value."""

from __future__ import annotations

import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.push.options import PushSource
from onecard.collect.context import CollectContext
from onecard.ingest import announced
from onecard.ingest.judging import NotReadable, judge
from quality.rows.gate import compile_gate
from schemas.models import catalogue
from schemas.models.contract import Contract
from tests.fuzz.mutation import SECRETS, fuzzed, inputs, silent

DATASET = "hrss/consent_record"


def brought(layout: dict[str, Any]) -> Contract:
    """A contract of ours, whose agency would bring its rows."""
    contract = catalogue.load().contract(DATASET)
    options = {"format": layout}
    PushSource.model_validate(options)
    source = contract.source.model_copy(update={"connector": "push", "options": options})
    return contract.model_copy(update={"source": source})


def sound(contract: Contract, layout: dict[str, Any]) -> bytes:
    names = [field.native for field in contract.fields]
    rows = [[SECRETS[i % len(SECRETS)] for i, _ in enumerate(names, n)] for n in range(3)]
    if layout["kind"] == "csv":
        lines = [",".join(names), *(",".join(row) for row in rows)]
        return ("\n".join(lines) + "\n").encode("gb18030")
    import json

    records = [dict(zip(names, row, strict=True)) for row in rows]
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records).encode()


@pytest.mark.fault("F30", "an upload of any bytes is judged or refused, and no value is told")
@pytest.mark.parametrize(
    ("layout", "marks"),
    [
        ({"kind": "csv", "encoding": "gb18030"}, b'",\r\n\x00\xef\xff'),
        ({"kind": "jsonl"}, b'{}[]",:\\0-.eE\n'),
    ],
    ids=["csv", "jsonl"],
)
def test_any_bytes(layout: dict[str, Any], marks: bytes) -> None:
    contract = brought(layout)
    now = datetime(2026, 11, 24, tzinfo=UTC)
    settings = SimpleNamespace(now=lambda: now)
    tools = SimpleNamespace(gate=compile_gate(contract), settings=settings)
    data = sound(contract, layout)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload.part"

        def judged(content: bytes) -> None:
            path.write_bytes(content)
            try:
                found = judge(contract, cast("CollectContext", tools), path, str(uuid.uuid4()))
            except NotReadable as error:
                silent(error)
                return
            assert found["accepted"] + found["rejected"] == found["read"]
            assert not any(secret in str(found) for secret in SECRETS)

        judged(data)

        @fuzzed
        @given(inputs(data, marks))
        def run(content: bytes) -> None:
            judged(content)

        run()


NAMES = st.sampled_from([*announced.FORMS, "upload-id", "UPLOAD-OFFSET", "Host"])
VALUES = st.one_of(
    st.text(max_size=40),
    st.integers(-5, 10**17).map(str),
    st.uuids().map(str),
    st.binary(min_size=32, max_size=32).map(bytes.hex),
)


@fuzzed
@given(st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_any_headers(headers: list[tuple[str, str]]) -> None:
    found = announced.read(DATASET, headers)
    if found is None:
        return
    wanted = [value for name, value in headers if name.lower() == "upload-offset"]
    assert wanted == [str(found.offset)]
    assert announced.signed("/p", found).count(b"\n") == 5
