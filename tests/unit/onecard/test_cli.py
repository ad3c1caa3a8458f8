"""The command line: check, lint, usage, and that no value is printed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from demo.calendar import Day
from demo.people import block
from demo.planting import text_frame
from demo.rows_hrss import card_master
from onecard.cli.app import app
from schemas.models import catalogue

CONTRACT = catalogue.load().contract("hrss/card_master")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("ONECARD_PROFILE", "demo")
    monkeypatch.setenv("ONECARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ONECARD_NOW", Day(0).night.isoformat())
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def cards(native: bool) -> pl.DataFrame:
    frame = card_master(block(3, 0, 40, Day(0).date), Day(0)).select(CONTRACT.names)
    broken = (
        text_frame(frame)
        .with_row_index()
        .with_columns(
            person_id18=pl.when(pl.col("index") == 4)
            .then(pl.lit("410199194901010015"))
            .otherwise("person_id18"),
            mobile=pl.when(pl.col("index") == 7).then(pl.lit("1380013800")).otherwise("mobile"),
        )
        .drop("index")
    )
    return broken.rename({f.name: f.native for f in CONTRACT.fields}) if native else broken


EXPECTED = [
    {"row": 5, "field": "person_id18", "rule": "id_number.checksum"},
    {"row": 8, "field": "mobile", "rule": "mobile.format"},
]


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_check_names_rows_fields_and_rules_and_no_value(
    run, tmp_path: Path, kind: str, native: bool
) -> None:
    frame, file = cards(native), tmp_path / f"cards.{kind}"
    {"csv": frame.write_csv, "jsonl": frame.write_ndjson, "parquet": frame.write_parquet}[kind](
        file
    )
    done = run("check", "hrss/card_master", str(file), "--json")
    assert done.exit_code == 1, done.output
    found = json.loads(done.stdout)
    assert (found["read"], found["rejected"], found["accepted"]) == (len(frame), 2, len(frame) - 2)
    assert found["rows"] == EXPECTED
    plain = run("check", "hrss/card_master", str(file))
    assert "410199" not in plain.output + done.output


@pytest.mark.case("people-5", "a value of the wrong type: what form is expected, never the value")
def test_check_says_the_expected_form(run, tmp_path: Path) -> None:
    wrong = pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("31.12.1999")).otherwise("birth_date")
    cards(native=False).with_columns(birth_date=wrong).write_csv(tmp_path / "c.csv")
    found = json.loads(run("check", "hrss/card_master", str(tmp_path / "c.csv"), "--json").stdout)
    said = [r for r in found["rows"] if r["rule"] == "type"]
    assert said == [
        {"row": 1, "field": "birth_date", "rule": "type", "expected": "a date, as 2026-01-31"}
    ]
    plain = run("check", "hrss/card_master", str(tmp_path / "c.csv")).output
    assert "expected" in plain
    assert "31.12.1999" not in plain


def test_check_of_a_sound_file_exits_0(run, tmp_path: Path) -> None:
    cards(native=False).filter(pl.int_range(pl.len()) > 10).write_csv(tmp_path / "c.csv")
    assert run("check", "hrss/card_master", str(tmp_path / "c.csv")).exit_code == 0


@pytest.mark.case("people-14", "a slip of the pen: exit 2, the nearest names, no long list")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "hrss/card_mastr", "x.csv"), "did you mean hrss/card_master"),
        (("collect", "card_master"), "did you mean hrss/card_master"),
        (("collect", "HRSS"), "did you mean hrss"),
        (("collect", " hrss "), "did you mean hrss"),
        (("collect", "hrss/card"), "did you mean hrss/card_master or hrss/card_status_event"),
        (("collect", ""), "unknown dataset or agency ''"),
        (("collect", "bank"), "bank provides no dataset: it receives"),
        (("collect", "police"), "unknown dataset or agency 'police'"),
        (("drift", "card_master"), "did you mean hrss/card_master"),
        (("preview", "f01"), "did you mean f01-hrss-transport-card-status"),
        (("deliver", "f16-hrss-bank-subsidy"), "did you mean f16-hrss-bank-subsidy-payment"),
        (("expectations", "list", "ecard_binding"), "did you mean hrss/ecard_binding"),
        (("report", "--agency", "hrs"), "did you mean hrss"),
        (("report", "--lang", "cn"), "unknown language 'cn'; known: en, zh"),
        (("check", "hrss/card_master", "/nowhere/x.csv"), "no such file"),
        (("check", "hrss/card_master", "x.docx"), "unknown file format '.docx'; "),
        (("collect", "hrss", "--audit", "soda"), "unknown audit engine 'soda'; known: gx, sql"),
        (("lint", "/nowhere"), "/nowhere is no folder: nothing was checked"),
    ],
)
def test_bad_input_names_what_and_the_choices(run, arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    assert (done.exit_code, words in done.output) == (2, True), done.output
    assert len(done.output) < 400


@pytest.mark.case("people-13", "a month or a day that has not come yet: exit 2, no page")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--month", "2030-01"), "--month 2030-01 is in the future: today is 2026-"),
        (("--day", "2030-01-31"), "--day 2030-01-31 is in the future"),
        (("--month", "2026-13"), "write a month as 2026-10"),
        (("--day", "2026-02-30"), "write a day as 2026-10-31"),
        (("--week", "2030-W05"), "--week 2030-W05 is in the future"),
        (("--week", "2026-W54"), "write a week as 2026-W44"),
        (("--week", "2026-44"), "write a week as 2026-W44"),
        (("--month", "2026-10", "--day", "2026-10-31"), "give one of --month, --week and --day"),
        (("--week", "2026-W44", "--day", "2026-10-31"), "give one of --month, --week and --day"),
    ],
)
def test_a_report_of_no_month(run, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    done = run("report", *arguments)
    assert (done.exit_code, words in done.output) == (2, True), done.output
    assert not (tmp_path / "home" / "reports").exists()


@pytest.mark.case(
    "people-12", "every command reads the folder of ONECARD_SCHEMAS, or says it is none"
)
@pytest.mark.parametrize(
    "words", [("lint",), ("drift",), ("collect", "hrss"), ("agreements", "list"), ("doctor",)]
)
def test_a_folder_of_schemas_that_is_none(run, monkeypatch, words: tuple[str, ...]) -> None:
    monkeypatch.setenv("ONECARD_SCHEMAS", "/nowhere")
    done = run(*words)
    assert (done.exit_code, done.output) == (
        1,
        "ConfigError: ONECARD_SCHEMAS: /nowhere is no folder\n",
    )


@pytest.mark.case(
    "people-12", "lint says which folder it read, and that an empty one holds nothing"
)
def test_lint_reads_the_folder_in_force(run, monkeypatch, tmp_path: Path) -> None:
    copy = tmp_path / "own"
    monkeypatch.setenv("ONECARD_SCHEMAS", str(copy))
    copy.mkdir()
    empty = run("lint")
    assert (empty.exit_code, "nothing was checked" in empty.output) == (2, True)
    for part in ("contracts", "agreements"):
        shutil.copytree(catalogue.ROOT / part, copy / part)
    for file in catalogue.ROOT.glob("*.yaml"):
        shutil.copy(file, copy)
    assert run("lint").output == f"all YAML files are valid: {copy}\n"
    file = copy / "contracts" / "hrss" / "card_master.odcs.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("kind: DataContract", "kind: X"))
    broken = run("lint")
    assert broken.exit_code == 1
    assert f"in {copy}" in broken.output
    assert str(file) in broken.output
    given = run("lint", str(catalogue.ROOT))
    assert given.output == f"all YAML files are valid: {catalogue.ROOT}\n"


def test_usage_errors_exit_2(run) -> None:
    assert run("collect").exit_code == 2
    assert run("nonsense").exit_code == 2


def test_lint_of_our_files(run) -> None:
    assert run("lint").exit_code == 0
    assert json.loads(run("lint", "--json").stdout) == []
