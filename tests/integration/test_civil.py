"""A civil affairs bureau: one list as CSV in GBK and as workbooks, from its YAML to a consumer's inbox."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.crypto import keys
from onecard.operations import discovery, linting
from onecard.operations.discovery import Wish
from onecard.operations.file_check import check_file
from onecard.store import agreement_lives, database, quarantine, transfers
from schemas.models import catalogue
from tests.workbooks import Number, SheetMade, Value, xls, xlsx

DATA = Path(__file__).parents[1] / "data" / "civil"
LIST = DATA / "list.csv"
NOW = datetime.fromisoformat("2026-11-24T01:00:00+08:00")
DATASETS = ("allowance", "allowance_book")
AGREEMENTS = {
    "allowance": "f91-civil-hrss-allowance",
    "allowance_book": "f92-civil-hrss-allowance-book",
}


@pytest.fixture
def hub(tmp_path: Path, hub_database: str) -> Hub:
    schemas = tmp_path / "schemas"
    shutil.copytree(catalogue.ROOT, schemas, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    with (schemas / "agencies.yaml").open("a", encoding="utf-8") as stream:
        stream.write((DATA / "agency.yaml").read_text(encoding="utf-8"))
    (schemas / "contracts" / "civil").mkdir()
    for file in DATA.glob("*.odcs.yaml"):
        shutil.copy(file, schemas / "contracts" / "civil")
    registers = schemas / "registers.yaml"
    text = registers.read_text(encoding="utf-8")
    for agreement in AGREEMENTS.values():
        shutil.copy(DATA / f"{agreement}.yaml", schemas / "agreements")
        text = text.replace(
            "f17-hrss-hrss-subsidy-failure", f"f17-hrss-hrss-subsidy-failure, {agreement}"
        )
    registers.write_text(text, encoding="utf-8")
    for name in DATASETS:
        (tmp_path / "civil" / name).mkdir(parents=True)
    (tmp_path / "inbox").mkdir()
    keys.create(tmp_path / "keys.json", ["bureau", "hrss"], "2026")
    settings = Settings(
        home=tmp_path,
        keys_file=tmp_path / "keys.json",
        schemas=schemas,
        database_url=hub_database,
        fixed_now=NOW,
    )
    folders = {
        f"AIRFLOW_CONN_{name}": json.dumps({"conn_type": "fs", "extra": {"path": str(path)}})
        for name, path in (("CIVIL_FILES", tmp_path / "civil"), ("HRSS_FILES", tmp_path / "inbox"))
    }
    return Hub(settings, EnvironmentConnections(folders))


def rows() -> list[list[str]]:
    """The list's rows, below its titles and header."""
    with LIST.open(encoding="gb18030", newline="") as stream:
        return list(csv.reader(stream))[3:]


def book(kind: str) -> bytes:
    """The same list as a workbook: dates and amounts as a spreadsheet keeps them."""

    def cell(text: str, column: int) -> Value:
        if column == 3 and text.count("/") == 2:
            day = date(*map(int, text.split("/")))
            return Number(str((day - date(1899, 12, 30)).days), 1)
        if column == 4 and text.replace(",", "").replace(".", "").isdigit():
            return text if text == "1,00.00" else Number(text.replace(",", ""), 6)
        if column == 1 and text.endswith("2000"):
            return Number("4.1010219450312202E+17")  # what is left of a number of 18 digits
        return text

    titles: list[list[Value]] = [["民政救助金发放名册"], ["2026年11月 共8条"]]
    header: list[Value] = ["发放流水", "证件号码", "姓名", "出生日期", "金额"]
    table = [*titles, header, *([cell(t, n) for n, t in enumerate(r)] for r in rows())]
    if kind == "xls":
        return xls(table, name="名册", merged=[(0, 0, 0, 4)])
    return xlsx(SheetMade(table, "名册", merged=["A1:E1"]), SheetMade([["说明"]], "说明"))


def put(hub: Hub, dataset: str, name: str, data: bytes) -> None:
    folder = hub.settings.home / "civil" / dataset
    (folder / name).write_bytes(data)
    (folder / name).with_suffix(".ok").touch()


def held(hub: Hub, dataset: str) -> list[tuple[Any, ...]]:
    with database.connect(hub.address, autocommit=True) as connection:
        return connection.execute(
            "SELECT pay_no, person_id18, person_name, birth_date, amount::text"
            f" FROM registry.civil__{dataset} ORDER BY 1"
        ).fetchall()


def reasons(hub: Hub) -> set[tuple[str, str]]:
    with database.connect(hub.address, autocommit=True) as connection:
        return {reason for r in quarantine.records(connection) for reason in r.reasons}


WANTED = [
    ("MZ20260001", "吴桂英", date(1945, 3, 12), "1234.50"),
    ("MZ20260002", "李国强", date(1938, 11, 5), "800.00"),
    ("MZ20260003", "张玉𠮷", date(1950, 7, 1), "12000.00"),
    ("MZ20260004", "王建", date(1962, 2, 28), None),
    ("MZ20260005", "陈秀兰", date(1955, 12, 31), "950.00"),
]


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("allowance", "202611.csv"),
        ("allowance_book", "202611.xlsx"),
        ("allowance_book", "202611.xls"),
    ],
)
def test_the_list_from_its_yaml_to_the_inbox(hub: Hub, dataset: str, name: str) -> None:
    assert [p for p in linting.lint(hub.settings.schemas) if "civil" in str(p)] == []
    data = LIST.read_bytes() if name.endswith("csv") else book(name.rpartition(".")[2])
    put(hub, dataset, name, data)
    done = hub.collect(f"civil/{dataset}").run()
    assert (done.counts.rows_read, done.counts.published, done.counts.quarantined) == (8, 5, 3)
    found = held(hub, dataset)
    assert [(r[0], *r[2:]) for r in found] == WANTED
    assert [r[1] for r in found] == [r[1] for r in rows()[:5]]
    lost = "cell.rounded" if dataset == "allowance_book" else "id_number.rounded"
    assert {("person_id18", lost), ("birth_date", "type"), ("amount", "type")} <= reasons(hub)
    agreement = AGREEMENTS[dataset]
    with database.connect(hub.address, autocommit=True) as connection:
        agreement_lives.approve(connection, hub.catalogue.agreement(agreement), "演练", "批复1号")
    sent = hub.deliver(agreement).run()
    assert sent.rows == 5
    (inbox,) = (hub.settings.home / "inbox" / dataset / agreement).glob("*.csv")
    with inbox.open(encoding="utf-8", newline="") as stream:
        arrived = list(csv.DictReader(stream))
    assert [(r["pay_no"], r["birth_date"], r["amount"]) for r in arrived] == [
        (n, str(born), amount or "") for n, _, born, amount in WANTED
    ]


def test_a_month_and_the_month_after(hub: Hub) -> None:
    """A whole list each time: the same again is nothing new, a later one replaces what changed."""
    put(hub, "allowance", "202611.csv", LIST.read_bytes())
    hub.collect("civil/allowance").run()
    assert hub.collect("civil/allowance").run().counts.rows_read == 0
    later = LIST.read_bytes().replace(b"800.00", b"900.00")
    put(hub, "allowance", "202612.csv", later)
    counts = hub.collect("civil/allowance").run().counts
    assert (counts.rows_read, counts.published, counts.unchanged) == (8, 1, 4)
    assert held(hub, "allowance")[1][4] == "900.00"


def test_a_list_that_is_not_whole_is_not_taken(hub: Hub) -> None:
    cut = LIST.read_bytes().rpartition(b"MZ20260008")[0]
    put(hub, "allowance", "202611.csv", cut)
    done = hub.collect("civil/allowance").run()
    assert done.counts.rows_read == 0
    with database.connect(hub.address, autocommit=True) as connection:
        assert "202611.csv: file.total" in transfers.message(connection, done.transfer)
    (hub.settings.home / "civil" / "allowance" / "202612.csv").write_bytes(LIST.read_bytes())
    assert hub.collect("civil/allowance").run().counts.rows_read == 0, "it has no mark yet"


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_contract_is_proposed_from_the_list_itself(hub: Hub, dataset: str) -> None:
    """Issue 18: fields, types and key are those of the contract; a night takes as many rows."""
    real = hub.catalogue.contract(f"civil/{dataset}")
    name = "202611.csv" if dataset == "allowance" else "202611.xlsx"
    put(hub, dataset, name, LIST.read_bytes() if name.endswith("csv") else book("xlsx"))
    options = {"format": {"kind": "excel", "sheet": "名册"}} if dataset == "allowance_book" else {}
    wish = Wish("civil_files", f"{dataset}/{name}", f"civil/{dataset}_again", options)
    others = [c for c in hub.catalogue.contracts.values() if c.agency != "civil"]
    found = discovery.propose(hub, wish, known=others).contract
    assert [(f.native, f.type) for f in found.fields] == [(f.native, f.type) for f in real.fields]
    assert [found.field(n).native for n in found.key] == ["发放流水"]
    assert {f.native: f.semantic for f in found.fields} == {
        f.native: f.semantic for f in real.fields
    }
    assert found.source.text.null == real.source.text.null
    if dataset == "allowance":  # a workbook keeps dates and numbers as such
        assert found.source.text == real.source.text
        assert [f.format for f in found.fields] == [f.format for f in real.fields]
    mine, theirs = (dict(c.source.options) for c in (found, real))
    assert mine["manifest"] == {"suffix": ".ok", "content": "none", "instead": True}
    assert mine["format"]["above"] == theirs["format"]["above"] == 2
    assert "吴桂英" not in repr(found)
    checked = check_file(hub.settings, found, hub.settings.home / "civil" / dataset / name, {})
    assert (checked.read, checked.accepted) == (8, 5)


@pytest.mark.parametrize("kind", ["xlsx", "xls"])
def test_onecard_check_reads_the_workbook(hub: Hub, tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"sample.{kind}"
    file.write_bytes(book(kind))
    found = check_file(hub.settings, hub.catalogue.contract("civil/allowance_book"), file, {})
    assert (found.read, found.accepted, found.rejected) == (8, 5, 3)
    rules = {(r["row"], r["rule"]) for r in found.rows}
    assert {(6, "cell.rounded"), (7, "type"), (8, "type")} <= rules
    assert "吴桂英" not in json.dumps(found.as_json(), ensure_ascii=False)
