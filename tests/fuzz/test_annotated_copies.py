"""Annotated copies of files that are wrong in ways nobody thought of: a workbook, or our own error."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from onecard.base.settings import Settings
from onecard.operations.upload_check import UploadedFile, check_upload
from schemas.models.contract import Contract
from tests.fuzz.mutation import fuzzed, inputs, silent
from tests.fuzz.test_parsers import COLUMNS, FILES, read_file, survives


@pytest.mark.fault(
    "F30", "annotated copies of random and mutated files: a workbook or our own error"
)
@pytest.mark.parametrize(
    "kind", ["xlsx", "xlsx-stored", "xls", "csv", "dbf", "xml", "fixed", "zip"]
)
def test_annotated_copies(kind: str, settings: Settings) -> None:
    layout, sound, marks = FILES[kind]
    made = contract(layout)

    def copied(data: bytes) -> bytes:
        target = io.BytesIO()
        found = check_upload(settings, made, UploadedFile("f.dat", io.BytesIO(data)), target)
        silent(RuntimeError(json.dumps(found.as_json())))
        assert bool(target.getvalue()) == bool(found.rejected)
        return target.getvalue()

    def read_again(data: bytes) -> object:
        """The copy is a whole workbook, in which what is read stands again."""
        copy = copied(data)
        return len(read_file(copy, {"kind": "excel"})) if copy else None

    assert read_again(sound) == 3

    @fuzzed
    @given(inputs(sound, marks))
    def run(data: bytes) -> None:
        survives(lambda: copied(data))

    run()


def contract(layout: dict[str, Any]) -> Contract:
    """Of the sound rows: two are rejected, as their names are no numbers."""
    options = {"directory": "out", "pattern": "*.dat", "format": layout}
    fields = [
        {
            "name": column.name,
            "type": "integer" if column.native == "NAME" else "string",
            "semantic": "sequence" if column.native == "NAME" else "text",
            "title": column.name,
            "native": column.native,
            "level": "L1",
            "pii": "NONE",
            "required": column.native == "ID",
            **({"key_position": 1} if column.native == "ID" else {}),
        }
        for column in COLUMNS
    ]
    return Contract.model_validate(
        {
            "id": "hrss/made",
            "version": "1.0.0",
            "title": "t",
            "description": "d",
            "status": "active",
            "freshness": "PT24H",
            "fields": fields,
            "source": {"connector": "files", "connection": "made", "options": options},
        }
    )


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.setenv("ONECARD_HOME", str(tmp_path))
    monkeypatch.setenv("ONECARD_NOW", "2026-11-24T23:30:00+08:00")
    return Settings.load()
