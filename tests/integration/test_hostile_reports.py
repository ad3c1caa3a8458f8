"""Hostile names in data, titles and messages: text on pages and in cells, and no person's name."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
import yaml
from openpyxl import load_workbook

from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.model.tickets import NewTicket
from onecard.operations import night_report, reports
from onecard.store import database, tickets
from schemas.models import catalogue
from tests.cities import Cities
from tests.integration.report_page import Page

HOSTILE = (
    "<script>alert(1)</script>",
    '=HYPERLINK("http://x","y")',
    "卡\u202eexe.txt",
    "长" * 200,
    "𠮷𡈽\U0001f600",
    '"><img src=x onerror=alert(1)>',
)

NAMES = (*(f"{text}某甲乙" for text in HOSTILE[:5]), "𠮷某甲乙")
"""Persons' names, the last one valid: none may appear; each ends with a mark of its own."""
DATASETS = ("health/death_notice", "health/health_visit", "hrss/card_master")
MONTH = date(2026, 10, 1)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Hub]:
    home = tmp_path_factory.mktemp("hostile")
    with cities.start(home / "stage", persons=1_000, seed=5) as stage:
        with psycopg.connect(stage.city.postgres_url, autocommit=True) as connection:
            row = connection.execute(
                "SELECT quote_ident(column_name) FROM information_schema.columns"
                " WHERE table_schema = 'hrss' AND table_name = 'ac01_card'"
                " AND upper(column_name) = 'AAC003'"
            ).fetchone()
            assert row
            for number, name in enumerate(NAMES):
                done = connection.execute(
                    f"UPDATE hrss.ac01_card SET {row[0]} = %s WHERE abs(hashtext(ctid::text)) %% 25"
                    f" = {number}".encode(),
                    (name,),
                )
                assert done.rowcount
        yield prepared(stage, titled(home / "schemas"))


def titled(folder: Path) -> Path:
    """A copy of the catalogue whose titles are hostile."""
    shutil.copytree(catalogue.ROOT, folder, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
    agencies = folder / "agencies.yaml"
    known = yaml.safe_load(agencies.read_text(encoding="utf-8"))
    for block, text in zip(known["agencies"].values(), HOSTILE, strict=False):
        block["title"], block["title_en"] = text, text
    agencies.write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")
    for number, file in enumerate(sorted(folder.glob("contracts/*/*.yaml"))):
        text = file.read_text(encoding="utf-8")
        found = yaml.safe_load(text)
        found["name"] = found["schema"][0]["businessName"] = HOSTILE[number % len(HOSTILE)]
        for column, title in zip(found["schema"][0]["properties"], HOSTILE, strict=False):
            column["businessName"] = title
        file.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
    return folder


def prepared(stage: Rehearsal, schemas: Path) -> Hub:
    """Collected with the real titles; the reports are then made under the hostile ones."""
    plain = stage.hub(0)
    for dataset in DATASETS:
        plain.collect(dataset).run()
    now = plain.settings.now()
    with database.connect(plain.address, autocommit=True) as connection:
        for text in HOSTILE:
            new = NewTicket(
                agency="health",
                opened_for="bureau",
                opened_by="bureau",
                kind="finding",
                dataset="health/health_visit",
                statement=text,
                opened_at=now,
                due_on=now.date(),
                rule="required",
                field="name",
            )
            tickets.open_ticket(connection, new)
            connection.execute(
                "UPDATE quarantine.record SET origin = %s WHERE id = (SELECT max(id) FROM"
                " quarantine.record WHERE origin <> ALL(%s))",
                (text, list(HOSTILE)),
            )
        # A source's file is named by the agency; its name stands in the message of a failure.
        connection.execute(
            "INSERT INTO ledger.transfer (direction, subject, status, policy_version, hub_time,"
            " finished_at, message) VALUES ('collect', 'transport/transit_ride', 'failed', '1',"
            " %s, clock_timestamp(), %s)",
            (now, "file " + " ".join(HOSTILE) + ": not readable"),
        )
    environment = stage.at(0) | {"ONECARD_SCHEMAS": str(schemas)}
    return Hub(Settings.load(environment), EnvironmentConnections(environment))


@pytest.fixture(scope="module")
def files(hub: Hub) -> list[Path]:
    assert hub.catalogue.problems == ()
    return [
        *reports.write_monthly(hub, MONTH),
        *reports.write_daily(hub, hub.settings.now().date()),
        night_report.write_report(hub),
    ]


def test_the_titles_are_there_as_text(files: list[Path]) -> None:
    text = "".join(
        Page(f.read_text(encoding="utf-8")).tagged("html")[0].text
        for f in files
        if f.suffix == ".html"
    )
    for hostile in HOSTILE:
        assert hostile.replace("\u202e", "⟨U+202E⟩") in text


@pytest.mark.fault("F41", "HTML in data, titles and messages is text on every report's page")
def test_html_holds_no_element_or_attribute_of_theirs(files: list[Path]) -> None:
    for file in (f for f in files if f.suffix == ".html"):
        page = Page(file.read_text(encoding="utf-8"))
        tags = Counter(page.tags)
        assert not {"script", "img", "a", "iframe", "object", "form"} & set(tags), file.name
        for element in page.elements:
            assert not [a for a in element.attributes if a.startswith("on")], file.name
            assert "src" not in element.attributes
            assert not re.search(r"javascript:", str(element.attributes))
        if not file.name.startswith("night"):
            assert "\u202e" not in file.read_text(encoding="utf-8"), file.name


@pytest.mark.fault("F41", "formulas in data, titles and messages are text in every workbook's cell")
def test_cells_are_text(files: list[Path]) -> None:
    books = [f for f in files if f.suffix == ".xlsx"]
    seen: set[str] = set()
    for file in books:
        for row in load_workbook(file).active.iter_rows():
            for cell in row:
                assert cell.data_type in ("s", "n"), (file.name, cell.coordinate)
                assert cell.hyperlink is None
                if isinstance(cell.value, str):
                    assert not cell.value.startswith(("=", "+", "-", "@")), cell.coordinate
                    assert "\u202e" not in cell.value
                    seen.add(cell.value)
    assert {"'" + HOSTILE[1], HOSTILE[0], HOSTILE[3]} <= seen


def test_no_persons_name_appears(hub: Hub, files: list[Path]) -> None:
    with psycopg.connect(hub.address) as connection:
        held = connection.execute(
            "SELECT count(*) FROM registry.hrss__card_master WHERE person_name LIKE '%某甲乙'"
        ).fetchone()
        refused = connection.execute(
            "SELECT count(*) FROM quarantine.record WHERE dataset = 'hrss/card_master'"
            " AND reasons::text LIKE '%person_name%'"
        ).fetchone()
        assert held
        assert refused
        assert held[0] > 20  # the valid name is in the registry, the hostile ones in quarantine
        assert refused[0] > 100
        names = connection.execute(
            "SELECT DISTINCT person_name FROM registry.hrss__card_master WHERE length(person_name) > 2"
        ).fetchall()
    for file in files:
        if file.suffix == ".html":
            text = file.read_text(encoding="utf-8")
        else:
            cells = load_workbook(file).active.iter_rows(values_only=True)
            text = "\n".join(str(c) for row in cells for c in row)
        assert "某甲乙" not in text
        assert not [n for (n,) in names if n in text], file.name
