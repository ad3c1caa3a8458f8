"""Lint asks which of two rows of one key is the newest, and says what happens without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import connectors
from schemas.lint.check import lint
from schemas.models.odcs import load
from tests.office import Office

KINDS = {kind: connectors.connector(kind) for kind in ("sql", "rest", "files", "push")}
TABLE = {"connector": "sql", "options": {"table": "thing"}}
FOLDER = {
    "connector": "files",
    "options": {"directory": "out", "pattern": "*", "format": {"kind": "jsonl"}},
}
SPOOL = {"connector": "push", "options": {"format": {"kind": "jsonl"}}}
API = {
    "connector": "rest",
    "options": {
        "path": "/things",
        "records": "list",
        "paginator": {
            "kind": "page_number",
            "page_param": "page",
            "size_param": "size",
            "total": "total",
        },
    },
}


def asked(tmp_path: Path, source: dict[str, Any], **custom: Any) -> dict[str, str]:
    """Message by rule of what lint says of a contract."""
    fields = ("k", "v", "seq", "at")
    office = Office("", tmp_path, source, {}, fields, custom)
    root = office.write()
    return {
        p.rule: p.message
        for p in lint(root, connectors=KINDS)
        if p.rule in ("contract.order", "rest.page_order", "contract.unknown_field")
    }


@pytest.mark.case("order-2", "lint asks for an order where a key can repeat")
@pytest.mark.parametrize(
    ("source", "says"),
    [
        (TABLE, "twice in a table, a view or an API"),
        (FOLDER, "an old file that is issued again brings its old values back"),
        (SPOOL, "the row that is read last wins, as they arrive"),
    ],
    ids=["table", "folder", "spool"],
)
def test_an_order_is_asked_for(tmp_path: Path, source: dict[str, Any], says: str) -> None:
    message = asked(tmp_path, source)["contract.order"]
    assert says in message
    assert "valid choices: a list of fields" in message
    assert ("manifest_time" in message) == (source is FOLDER)


@pytest.mark.case("order-4", "lint is content with a sequence, or the order of the files")
@pytest.mark.parametrize(
    "custom", [{"sequence": "seq"}, {"order": "file_name"}, {"order": "unique"}, {"order": ["at"]}]
)
def test_what_is_enough(tmp_path: Path, custom: dict[str, Any]) -> None:
    assert asked(tmp_path, FOLDER, **custom) == {}


def test_a_cursor_is_an_order(tmp_path: Path) -> None:
    assert asked(tmp_path, {**TABLE, "cursor": "at"}) == {}


@pytest.mark.case("order-4", "the manifest's time needs the name of its key")
def test_the_time_of_manifests_needs_its_key(tmp_path: Path) -> None:
    assert "manifest.time" in asked(tmp_path, FOLDER, order="manifest_time")["contract.order"]
    options = {**FOLDER["options"], "manifest": {"time": "made_at"}}  # type: ignore[dict-item]
    assert asked(tmp_path, {**FOLDER, "options": options}, order="manifest_time") == {}


@pytest.mark.case("page-1", "lint asks numbered pages for a stated order")
def test_numbered_pages_are_asked_for_their_order(tmp_path: Path) -> None:
    assert "{sort: id}" in asked(tmp_path, API, sequence="seq")["rest.page_order"]
    for stated in ("stable", {"sort": "k"}):
        paginator = {**API["options"]["paginator"], "order": stated}  # type: ignore[index]
        options = {**API["options"], "paginator": paginator}  # type: ignore[dict-item]
        assert asked(tmp_path, {**API, "options": options}, sequence="seq") == {}


def test_the_order_of_a_contract(tmp_path: Path) -> None:
    custom = {"sequence": "seq", "order": ["v", "seq"]}
    fields = ("k", "v", "seq", "at")
    root = Office("", tmp_path, {**TABLE, "cursor": "at"}, {}, fields, custom).write()
    contract = load(root / "contracts/hrss/thing.odcs.yaml").contract
    assert contract.ordering == ("seq", "at", "v")
    assert contract.file_order is None


@pytest.mark.parametrize(
    ("source", "order", "valid"),
    [
        (SPOOL, "arrival", ""),
        (SPOOL, "file_name", "a list of fields, arrival, unique"),
        (FOLDER, "file_name", ""),
        (FOLDER, "arrival", "a list of fields, manifest_time, file_name, unique"),
        (TABLE, "arrival", "a list of fields, unique"),
    ],
)
def test_each_kind_has_its_own_order(
    tmp_path: Path, source: dict[str, Any], order: str, valid: str
) -> None:
    found = asked(tmp_path, source, order=order)
    assert found.get("contract.order", "").endswith(valid)
    assert bool(found) == bool(valid)
