"""The command line: check, lint, usage, and that no value is printed."""

from __future__ import annotations

import json
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


def test_check_of_a_sound_file_exits_0(run, tmp_path: Path) -> None:
    cards(native=False).filter(pl.int_range(pl.len()) > 10).write_csv(tmp_path / "c.csv")
    assert run("check", "hrss/card_master", str(tmp_path / "c.csv")).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("check", "hrss/nothing", "x.csv"),
            "unknown dataset 'hrss/nothing'; known: education/campus_payment",
        ),
        (("check", "hrss/card_master", "/nowhere/x.csv"), "no such file"),
        (("check", "hrss/card_master", "x.xlsx"), "unknown file format '.xlsx'; known: .csv"),
        (("collect", "police"), "unknown agency 'police'"),
        (("preview", "f99-x"), "unknown agreement 'f99-x'"),
        (("collect", "hrss", "--audit", "soda"), "unknown audit engine 'soda'; known: gx, sql"),
    ],
)
def test_bad_input_names_what_and_the_choices(run, arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 1
    assert words in done.output


def test_usage_errors_exit_2(run) -> None:
    assert run("collect").exit_code == 2
    assert run("nonsense").exit_code == 2


def test_lint_of_our_files(run) -> None:
    assert run("lint").exit_code == 0
    assert json.loads(run("lint", "--json").stdout) == []
