"""`onecard check` reads a file as its contract says; options only override."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from connectors.files import gb18030
from demo.calendar import Day
from onecard.base.settings import Settings
from onecard.cli.app import app
from onecard.errors import ConfigError
from onecard.operations.file_check import check_file
from schemas.models import catalogue

PUPILS = "education/edu_enrolment"
PUPIL = "G11010519491231002X"
ROW = {
    "student_no": PUPIL,
    "SFZJH": "11010519491231002X",
    "XM": "吴娜\u9fb4",
    "XXBSM": "4101000001",
    "stage": "31",
    "grade_year": "2024",
    "enrol_status": "01",
    "status_date": "2024-09-01",
    "expected_grad_date": "",
    "guardian_id18": "",
    "guardian_consent_id": "",
    "source_updated_at": "2026-11-23T10:00:00+08:00",
    "source_seq": "1",
}

Run = Callable[..., Any]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setenv("ONECARD_PROFILE", "production")
    monkeypatch.setenv("ONECARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ONECARD_NOW", Day(0).night.isoformat())
    return lambda *arguments: CliRunner().invoke(app, ["check", *map(str, arguments)])


def text(delimiter: str = ",", **more: str) -> str:
    row = {**ROW, **more}
    return f"{delimiter.join(row)}\r\n{delimiter.join(row.values())}\r\n"


def found(done: Any) -> dict[str, Any]:
    assert done.exit_code in (0, 1), done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.case("file-6", "the very file that collect reads: encoding of the contract")
@pytest.mark.parametrize("name", ["edu_enrolment_20261123.csv", "sample.csv", "sample.txt"])
def test_the_contracts_encoding_is_used(run: Run, tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(text().encode(gb18030.NAME))
    told = found(run(PUPILS, file, "--json"))
    assert (told["read"], told["accepted"]) == (1, 1), told
    assert told["format"] == {"kind": "csv", "encoding": "gb18030"}
    plain = run(PUPILS, file)
    assert "read as kind 'csv', encoding 'gb18030'" in plain.output
    assert "吴娜" not in plain.output


@pytest.mark.case("file-6", "options override the contract's, and only what they name")
def test_options_override(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "sample.csv"
    file.write_text(text("\t"), encoding="utf-8")
    told = found(run(PUPILS, file, "--json", "--encoding", "utf-8", "--delimiter", "\\t"))
    assert told["accepted"] == 1
    assert told["format"] == {"kind": "csv", "encoding": "utf-8", "delimiter": "\t"}
    wrong = run(PUPILS, file, "--encoding", "utf-8")
    assert wrong.exit_code == 1
    assert "tabs instead of commas" in wrong.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--encoding", "latin-1"), "format csv cannot be read with this encoding"),
        (("--delimiter", "||"), "format csv cannot be read with this delimiter"),
    ],
)
def test_an_option_that_is_none_is_refused(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    (tmp_path / "x.csv").write_text("a\n")
    done = run(PUPILS, tmp_path / "x.csv", *arguments)
    assert done.exit_code == 2
    assert says in done.output


@pytest.mark.case("file-6", "another kind of file than the contract's is told by its suffix")
def test_a_sample_of_another_kind(run: Run, tmp_path: Path) -> None:
    rows = [{k: v or None for k, v in ROW.items()}]
    pl.DataFrame(rows).write_parquet(tmp_path / "x.parquet")
    (tmp_path / "x.json").write_text(json.dumps(rows, ensure_ascii=False))
    for name in ("x.parquet", "x.json"):
        assert found(run(PUPILS, tmp_path / name, "--json"))["accepted"] == 1
    assert (
        "cannot be read with this encoding"
        in run(PUPILS, tmp_path / "x.parquet", "--encoding", "utf-8").output
    )


@pytest.mark.case("file-2", "check tells blank lines and warnings as the night does")
@pytest.mark.case("file-4", "check shows the words for NULL with their count")
def test_remarks_and_warnings_are_shown(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "sample.csv"
    file.write_bytes(text(guardian_consent_id="NULL").encode("gb18030") + b"\r\n,,\r\n")
    told = found(run(PUPILS, file, "--json"))
    assert told["remarks"] == ["sample.csv: 2 blank line(s) skipped"]
    warned = {"field": "guardian_consent_id", "rule": "text.null_word", "rows": 1}
    assert warned in told["warnings"]
    plain = run(PUPILS, file).output
    assert "2 blank line(s) skipped" in plain
    assert "text.null_word" in plain


@pytest.mark.case("file-6", "forms of text that the contract declares are applied")
@pytest.mark.case("file-3", "declared in YAML: source and field, read back by the loader")
def test_forms_of_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "schemas"
    shutil.copytree(catalogue.ROOT, root, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    contract = root / "contracts" / f"{PUPILS}.odcs.yaml"
    data = yaml.safe_load(contract.read_text(encoding="utf-8"))
    source = data["servers"][0]["customProperties"][0]["value"]
    source["text"] = {"null": ["NULL", "\\N"]}
    for item in data["schema"][0]["properties"]:
        if item["name"] == "person_name":
            item["customProperties"].append({"property": "text", "value": {"trim": True}})
    contract.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    monkeypatch.setenv("ONECARD_NOW", Day(0).night.isoformat())
    monkeypatch.setenv("ONECARD_HOME", str(tmp_path / "home"))
    made = catalogue.load(root).contract(PUPILS)
    file = tmp_path / "sample.csv"
    file.write_bytes(text(XM=" 吴娜 ", guardian_consent_id="\\N").encode("gb18030"))
    done = check_file(Settings.load(), made, file, {})
    assert (done.accepted, done.rows) == (1, ())
    assert [(w["field"], w["rule"], w["rows"]) for w in done.warnings] == [
        ("person_name", "text.trimmed", 1)
    ]
    with pytest.raises(ConfigError, match="records"):
        check_file(Settings.load(), made, file, {"records": "x"})
