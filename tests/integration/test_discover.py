"""`onecard discover` and `onecard init agency` on the city's real systems; nothing of a row gets out."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.errors import ConfigError, SchemaMismatch, UsageError
from onecard.operations import discovery, linting, new_agency, night
from onecard.operations.discovery import Proposal, Wish
from onecard.operations.new_agency import FlowBasis, NewAgency
from quality.rows.text_forms import NULL_WORDS
from schemas.models import agreement as agreements
from schemas.models import catalogue
from schemas.models.contract import Contract
from tests import forked

AGENCIES = ("hrss", "health", "education", "transport", "housing_fund", "medical_insurance")
WANTED = 0.9
"""Issue 18: at least so much of fields, types and keys is as the real contracts have it."""


@dataclass
class Figure:
    """How often a proposal says what the real contract says."""

    right: dict[str, int] = field(default_factory=dict)
    of: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def note(self, what: str, where: str, *, right: bool) -> None:
        self.of[what] = self.of.get(what, 0) + 1
        self.right[what] = self.right.get(what, 0) + right
        if not right:
            self.wrong.append(f"{what}: {where}")

    def share(self, *what: str) -> float:
        return sum(self.right[w] for w in what) / sum(self.of[w] for w in what)

    def compare(self, real: Contract, found: Contract) -> None:
        """By native names, which are all that a source can know."""
        mine, theirs = ({f.native: f for f in c.fields} for c in (found, real))
        keys = [{c.field(n).native for n in c.key} for c in (found, real)]
        for native in sorted(mine.keys() | theirs.keys()):
            where = f"{real.id} {native}"
            both = native in mine and native in theirs
            self.note("fields", where, right=both)
            if both:
                one, other = mine[native], theirs[native]
                says = f"{where}: {one.type} instead of {other.type}"
                self.note("types", says, right=one.type == other.type)
                self.note("keys", where, right=(native in keys[0]) == (native in keys[1]))
                says = f"{where}: {one.semantic} instead of {other.semantic}"
                self.note("meanings", says, right=one.semantic == other.semantic)
                self.note("required", where, right=one.required == other.required)
        says = f"{real.id}: {sorted(keys[0])} instead of {sorted(keys[1])}"
        self.note("whole keys", says, right=keys[0] == keys[1])


def wish(contract: Contract) -> Wish:
    """What an engineer knows of the source: where it is, and what stands on the API's own page."""
    options = dict(contract.source.options)
    if contract.source.connector == "sql":
        target = ".".join(p for p in (options.get("schema"), options["table"]) if p)
        return Wish(contract.source.connection, str(target), contract.id)
    if contract.source.connector == "files":
        return Wish(contract.source.connection, str(options["directory"]), contract.id)
    known = {k: options[k] for k in ("auth", "paginator", "since_param") if k in options}
    return Wish(contract.source.connection, str(options["path"]), contract.id, known)


def proposed(hub: Hub, agency: str) -> Iterator[tuple[Contract, Proposal]]:
    """A proposal for each dataset, by somebody who knows the other agencies' contracts alone."""
    others = [c for c in hub.catalogue.contracts.values() if c.agency != agency]
    for contract in hub.catalogue.datasets_of(agency):
        yield contract, discovery.propose(hub, wish(contract), known=others)


@pytest.mark.parametrize("agency", AGENCIES)
def test_what_is_proposed_is_what_the_contract_says(
    stage: Rehearsal, agency: str, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = Figure()
    for contract, found in proposed(stage.hub(0), agency):
        figure.compare(contract, found.contract)
    shares = {what: figure.share(what) for what in figure.of}
    overall = figure.share("fields", "types", "keys")
    with capsys.disabled():
        said = ", ".join(f"{what} {share:.1%}" for what, share in shares.items())
        print(f"\nonecard discover {agency}: {overall:.1%} ({said})")
    assert overall >= WANTED, figure.wrong
    assert min(shares[w] for w in ("fields", "types", "keys")) >= WANTED, figure.wrong


def test_proposals_are_clean_and_no_night_reads_them(stage: Rehearsal, tmp_path: Path) -> None:
    schemas = tmp_path / "schemas"
    shutil.copytree(catalogue.ROOT, schemas, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    new_agency.add(schemas, NewAgency("again", "再来局", "再来", "Again"))
    hub = stage.hub(0)
    for contract in hub.catalogue.contracts.values():
        asked = wish(contract)
        name = f"again/{contract.agency}_{contract.id.split('/')[1]}"
        found = discovery.propose(
            hub, Wish(asked.connection, asked.target, name, asked.options), known=()
        )
        file = discovery.write(found, schemas)
        assert found.text == file.read_text(encoding="utf-8")
        with pytest.raises(UsageError, match="not overwritten"):
            discovery.write(found, schemas)
    assert [str(p) for p in linting.lint(schemas)] == []
    assert len(linting.proposed(schemas)) == len(hub.catalogue.contracts)
    settings = hub.settings.model_copy(update={"schemas": schemas})
    again = Hub(settings, hub.connections)
    assert not [d for d in night.datasets(again) if d.startswith("again/")]
    assert night.datasets(again) == night.datasets(hub)
    some = linting.proposed(schemas)[0]
    assert again.catalogue.onboarding(some)
    with pytest.raises(ConfigError, match="only proposed"):
        again.collect(some)


def values_of(hub: Hub, contract: Contract) -> set[str]:
    """Every value of a dataset's source that is no sign of a code list and no word for NULL."""
    from connectors.inspect.sample import sampled

    asked = wish(contract)
    found = sampled(hub.connections.get(asked.connection), asked.target, asked.options or {})
    texts = {v for row in found.rows for v in row if v}
    return {v for v in texts if len(v) > 4 and v not in NULL_WORDS}


@pytest.mark.parametrize("agency", AGENCIES)
def test_no_sampled_value_is_printed_or_logged(stage: Rehearsal, agency: str) -> None:
    hub = stage.hub(0)
    environment = stage.at(0)
    for contract in hub.catalogue.datasets_of(agency):
        asked = wish(contract)
        words = ["discover", asked.connection, asked.target, "--as", "again/thing"]
        words += ["--options", json.dumps(asked.options)] if asked.options else []
        plain = forked.onecard(environment, *words)
        assert plain.returncode == 0, plain.stderr
        as_json = forked.onecard(environment, *words, "--json")
        said = plain.stdout + plain.stderr + as_json.stdout + as_json.stderr
        known = {f.native for f in contract.fields} | {f.title for f in contract.fields}
        values = values_of(hub, contract) - known
        assert values
        shown = {v for v in values if v in said}
        assert not shown, f"{len(shown)} value(s) of {contract.id} were shown"


CANARY = "金丝雀一"


def office(folder: Path) -> Path:
    """An office's database in which everything is a person's, and much of it repeats."""
    file = folder / "office.sqlite"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(
            "CREATE TABLE list (id TEXT PRIMARY KEY, who TEXT NOT NULL, tail TEXT, note TEXT, flag TEXT)"
        )
        rows = [(f"K{n:05}", CANARY, "8848", f"{CANARY}{n % 2}", str(n % 2)) for n in range(200)]
        database.executemany("INSERT INTO list VALUES (?, ?, ?, ?, ?)", rows)
    return file


def test_what_repeats_and_is_a_person_is_no_code(tmp_path: Path) -> None:
    """A name in every row is no sign of a code list; short signs of letters and digits may be."""
    hub = hub_of(tmp_path, {"conn_type": "sqlite", "host": str(office(tmp_path))})
    found = discovery.propose(hub, Wish("office_db", "list", "again/list"))
    said = found.text + json.dumps(found.as_json(), ensure_ascii=False) + repr(found)
    assert CANARY not in said
    assert "K00001" not in said
    assert found.contract.key == ("id",)
    assert found.guess.key_by == "primary key"


def hub_of(home: Path, connection: dict[str, Any], name: str = "OFFICE_DB") -> Hub:
    from onecard.base.connections import EnvironmentConnections
    from onecard.base.settings import Settings

    settings = Settings(home=home, keys_file=home / "keys.json", profile="demo")
    return Hub(settings, EnvironmentConnections({f"AIRFLOW_CONN_{name}": json.dumps(connection)}))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", "MZ1,41010219450312202X,800\nMZ2,410102193811052023,900\n"),
        ("rows.csv", f"王小明,男,1\n{CANARY},女,2\n李国强,男,3\n张玉兰,女,4\n"),
        ("rows.jsonl", '{"410102194503122030": "a"}\n'),
    ],
)
def test_a_row_in_the_headers_place_is_not_shown(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    hub = hub_of(tmp_path, {"conn_type": "fs", "extra": {"path": str(tmp_path)}})
    with pytest.raises(SchemaMismatch) as refused:
        discovery.propose(hub, Wish("office_db", name, "again/list"))
    said = str(refused.value)
    assert not any(cell in said for cell in ("王小明", CANARY, "4101021", "MZ1", "800"))


def schemas_of(home: Path) -> Path:
    """A copy of the schemas, to write in."""
    folder = home / "schemas"
    shutil.copytree(catalogue.ROOT, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return folder


INIT = (
    *("init", "agency", "civil", "--title", "市民政局", "--short", "民政", "--no-input"),
    *("--title-en", "Civil Affairs", "--connection", "civil_db", "--target", "list"),
    *("--consumer", "hrss", "--purpose", "A7-04", "--statute", "中华人民共和国个人信息保护法"),
    *("--article", "第十三条第一款第三项、第三十四条", "--responsible", "市民政局信息中心负责人"),
)


def civil(folder: Path) -> Path:
    """A table with people in it."""
    from demo.calendar import Day
    from demo.people import block

    people = block(5, 0, 60, Day(0).date).frame.to_dicts()
    file = folder / "civil.sqlite"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE list (pay_no TEXT PRIMARY KEY, SFZH TEXT NOT NULL, XM TEXT)")
        rows = [(f"MZ{n:08}", p["person_id18"], p["person_name"]) for n, p in enumerate(people)]
        database.executemany("INSERT INTO list VALUES (?, ?, ?)", rows)
    return file


def test_an_agency_is_begun_by_one_command(tmp_path: Path) -> None:
    schemas = schemas_of(tmp_path)
    before = (schemas / "agencies.yaml").read_text(encoding="utf-8")
    place = json.dumps({"conn_type": "sqlite", "host": str(civil(tmp_path))})
    environment = {
        "PATH": "/usr/bin:/bin",
        "ONECARD_HOME": str(tmp_path),
        "ONECARD_SCHEMAS": str(schemas),
        "ONECARD_PROFILE": "demo",
        "AIRFLOW_CONN_CIVIL_DB": place,
    }
    done = forked.onecard(environment, *INIT)
    assert done.returncode == 0, done.stderr
    after = (schemas / "agencies.yaml").read_text(encoding="utf-8")
    assert after.startswith(before)
    assert after.removeprefix(before).startswith("  civil: {title: 市民政局")
    assert [str(p) for p in linting.lint(schemas)] == []
    known = catalogue.load(schemas)
    assert known.agencies["civil"].onboarding
    assert known.contracts["civil/list"].proposed
    (agreement,) = (a for a in known.agreements.values() if a.dataset == "civil/list")
    assert (agreement.consumer, agreement.key) == ("hrss", ("pay_no",))
    again = forked.onecard(environment, *INIT)
    assert again.returncode == 0, again.stderr
    assert "civil is there already" in again.stdout
    assert "is there, and is not overwritten" in again.stdout
    assert (schemas / "agencies.yaml").read_text(encoding="utf-8") == after


def test_a_source_that_fails_stops_no_other(tmp_path: Path) -> None:
    file = civil(tmp_path)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE odd (photo BLOB)")
    schemas = schemas_of(tmp_path)
    environment = {
        "PATH": "/usr/bin:/bin",
        "ONECARD_HOME": str(tmp_path),
        "ONECARD_SCHEMAS": str(schemas),
        "ONECARD_PROFILE": "demo",
        "AIRFLOW_CONN_CIVIL_DB": json.dumps({"conn_type": "sqlite", "host": str(file)}),
    }
    place = INIT.index("--target")
    done = forked.onecard(environment, *INIT[:place], "--target", "odd", *INIT[place:])
    assert done.returncode == 1, done.stderr
    assert "odd: odd: none of its columns can be taken" in done.stdout
    assert catalogue.load(schemas).contracts["civil/list"].proposed
    assert "next:" in done.stdout


def test_whoever_gets_something_sealed_is_proposed_no_open_delivery() -> None:
    known = catalogue.load()
    open_id, sealed_id = "f17-hrss-hrss-subsidy-failure", "f03-hrss-health-card-status"
    contract = known.contracts["education/edu_enrolment"]
    for usual, wanted in ((open_id, False), (sealed_id, True)):
        agreement = known.agreements[usual]
        assert agreement.delivery is not None
        delivery = agreement.delivery.model_copy(update={"sealed": wanted})
        changed = {usual: agreement.model_copy(update={"delivery": delivery})}
        one = replace(known, agreements={**known.agreements, **changed})
        basis = FlowBasis(agreement.consumer, "A7-01", "条例", "第一条", "王主任")
        name, text = new_agency.agreement_text(one, contract, basis, date(2026, 11, 30))
        found = agreements.load(Path(f"{name}.yaml"), text).agreement
        assert found.delivery is not None
        assert found.delivery.sealed is wanted


def test_what_is_missing_is_named_or_asked_for(tmp_path: Path) -> None:
    schemas = schemas_of(tmp_path)
    environment = {
        "PATH": "/usr/bin:/bin",
        "ONECARD_HOME": str(tmp_path),
        "ONECARD_SCHEMAS": str(schemas),
    }
    silent = forked.onecard(environment, "init", "agency", "civil", "--no-input")
    assert silent.returncode == 2
    assert "missing: --title, --short, --title-en" in silent.stderr
    answers = "市民政局\n民政\nCivil Affairs\n\nmysql\n"
    asked = forked.onecard(environment, "init", "agency", "civil", "--login", "hub", given=answers)
    assert asked.returncode == 0, asked.stderr
    line = 'AIRFLOW_CONN_CIVIL_DB=\'{"conn_type": "mysql", "login": "hub", "password": "…"}\''
    assert line in asked.stdout
    assert "civil" in catalogue.load(schemas).agencies


def test_lint_says_what_is_only_proposed(tmp_path: Path) -> None:
    schemas = schemas_of(tmp_path)
    file = schemas / "contracts" / "health" / "death_notice.odcs.yaml"
    text = file.read_text(encoding="utf-8").replace("status: active", "status: proposed")
    file.write_text(text, encoding="utf-8")
    done = forked.onecard({"PATH": "/bin", "ONECARD_HOME": str(tmp_path)}, "lint", str(schemas))
    assert done.returncode == 0, done.stdout
    assert "health/death_notice is only proposed" in done.stdout
