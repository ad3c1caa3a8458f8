"""A dataset or an agency that is not on board yet: tried for real, counted nowhere, told apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from onecard.cli.status_groups import groups
from onecard.errors import OnecardError
from onecard.operations import alarm_file, alarms, attention, night
from onecard.operations.attention import Issue
from onecard.operations.night_report import write_report
from onecard.operations.reports import reporting, write_monthly
from onecard.store import database
from quality.reports.scope import ReportScope
from tests.small_hub import DATASET, SmallHub, small_hub

AT = "2026-11-09T10:00:00+08:00"


@pytest.fixture
def small(tmp_path: Path, hub_database: str, private_database: str) -> Iterator[SmallHub]:
    with small_hub(tmp_path, hub_database, private_database) as found:
        yield found


def onboard(small: SmallHub, agency: str = "hrss") -> None:
    """The agency is not on board yet."""
    file = small.home / "schemas" / "agencies.yaml"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    assert any(line.lstrip().startswith(f"{agency}:") for line in lines)
    changed = [
        line.replace("role:", "onboarding: true, role:", 1)
        if line.lstrip().startswith(f"{agency}:")
        else line
        for line in lines
    ]
    file.write_text("".join(changed), encoding="utf-8")


def attends(small: SmallHub) -> list[Issue]:
    with database.connect(small.hub_url, autocommit=True) as connection:
        return attention.issues(connection, small.hub)


@pytest.mark.case(
    "older-6", "a draft's rejected rows count in no score, problem, deadline or alarm"
)
@pytest.mark.parametrize("how", ["draft", "agency"])
def test_mistakes_of_a_new_contract_cost_no_score(small: SmallHub, how: str) -> None:
    small.table(status="draft" if how == "draft" else "active")
    if how == "agency":
        onboard(small)
    small.insert([(f"K{n}", "x" if n < 48 else "1", AT) for n in range(100)])
    assert small.collect().counts.quarantined == 48
    small.agency("ALTER TABLE small RENAME TO elsewhere")
    with pytest.raises(OnecardError):
        small.collect()
    scope = ReportScope.of(small.hub.catalogue, "hrss")
    assert ([c.id for c in scope.contracts], [c.id for c in scope.onboarding]) == ([], [DATASET])
    assert "hrss" not in reporting(small.hub)
    month = small.hub.settings.now().date().replace(day=1)
    page = write_monthly(small.hub, month, ["hrss"], ["zh"])[0].read_text(encoding="utf-8")
    assert "接入中的数据资源 1 项，不计入本报告：小表" in page
    assert "48" not in page
    found = [i for i in attends(small) if i.subject == DATASET]
    assert [(i.kind, i.onboarding) for i in found] == [("failing", True)]
    file = alarm_file.AlarmFile.model_validate(
        {"channels": [{"kind": "webhook", "connection": "nobody", "path": "/"}]}
    )
    assert [told.new for told in alarms.send(small.hub, file, {})] == [0]
    page = write_report(small.hub).read_text(encoding="utf-8")
    before, after = page.split("五、接入中")
    assert (DATASET in before, DATASET in after) == (False, True)


@pytest.mark.case("people-25", "what is not on board makes no night red, and is told apart")
def test_the_night_is_green(small: SmallHub) -> None:
    small.table(status="draft")
    small.agency("DROP TABLE small")
    outcome = night.run(small.hub)
    assert (outcome.exit_code, dict(outcome.failed), list(outcome.onboarding)) == (0, {}, [DATASET])
    code, said = small.onecard("nightly", "--audit", "sql")
    assert code == 0, said
    assert "not on board yet, and no part of the outcome (1):" in said
    small.table()
    small.agency("DROP TABLE small")
    assert night.run(small.hub).exit_code == 1


@pytest.mark.case("people-25", "only the agencies that are named; an unknown one is refused")
def test_only_some_agencies(small: SmallHub) -> None:
    small.table()
    assert list(night.run(small.hub, only=["health"]).failed) == []
    assert small.ask("SELECT count(*) FROM ledger.transfer") == [(0,)]
    night.run(small.hub, only=["hrss"])
    assert small.ask("SELECT DISTINCT subject FROM ledger.transfer") == [(DATASET,)]
    code, said = small.onecard("nightly", "--only", "hrss", "health", "--audit", "sql")
    assert code == 0, said
    code, said = small.onecard("nightly", "--only", "hrs")
    assert (code != 0, "unknown agency 'hrs'" in said) == (True, True)


@pytest.mark.case("people-4", "status by agency, the worst first, what is not on board last")
def test_status_by_agency(small: SmallHub) -> None:
    def made(kind: str, agency: str, *, new: bool = False) -> Issue:
        return Issue(kind, f"{agency}/x", "", "", agency=agency, onboarding=new)  # type: ignore[arg-type]

    found = groups(
        [
            *(made("late", "b") for _ in range(9)),
            made("expiring", "c"),
            made("held", "d", new=True),
            made("late", "a"),
            made("failing", "a"),
        ]
    )
    assert [agency for agency, _ in found] == ["a", "b", "c", "d"]
    assert [issue.kind for issue in found[0][1]] == ["failing", "late"]
    small.table(status="draft")
    code, said = small.onecard("status")
    assert code == 0, said
    assert "hrss 市人力资源和社会保障局 needs a person, not on board yet: 1 late" in said


@pytest.mark.case("older-6", "a dry run counts by rule and stores nothing at all")
def test_a_dry_run_stores_nothing(small: SmallHub) -> None:
    small.table()
    small.insert([(f"K{n}", "x" if n < 30 else "1", AT) for n in range(50)])
    small.insert([("K49", "1", AT)])
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname IN ('registry', 'staging')"
    before = small.ask(tables)
    code, said = small.onecard("collect", DATASET, "--dry-run", "--json")
    (found,) = json.loads(said)
    assert code == 3
    assert (found["read"], found["accepted"], found["rejected"]) == (51, 21, 30)
    assert (found["repeated"], found["whole"]) == (1, True)
    assert found["reasons"] == [["amount", "type", 30]]
    assert found["holds"] == ["rejected_share: 30 of 51 rows rejected"]
    assert [c["filled"] for c in found["columns"]] == [21, 21, 21]
    code, said = small.onecard("collect", DATASET, "--dry-run", "--limit", "10")
    assert (code, "10 rows read, and there are more" in said) == (0, True)
    for table in ("transfer", "dataset", "rule_count", "audit"):
        assert small.ask(f"SELECT count(*) FROM ledger.{table}") == [(0,)], table
    assert small.ask("SELECT count(*) FROM quarantine.record") == [(0,)]
    assert small.ask(tables) == before
    code, said = small.onecard("collect", DATASET, "--limit", "10")
    assert (code != 0, "--limit needs --dry-run" in said) == (True, True)


@pytest.mark.case("older-6", "a dry run of files takes none of them as read")
def test_a_dry_run_of_files(small: SmallHub) -> None:
    small.files()
    small.put("01.csv", [("K1", "1", AT), ("K2", "x", AT)])
    for _ in range(2):
        code, said = small.onecard("collect", DATASET, "--dry-run", "--json")
        assert (code, json.loads(said)[0]["read"]) == (0, 2)
    assert small.collect().counts.rows_read == 2
    code, said = small.onecard("collect", DATASET, "--dry-run", "--json")
    assert json.loads(said)[0]["read"] == 0


@pytest.mark.case("older-6", "lint says where a dataset's onboarding stands")
def test_lint_says_how_it_is_written(small: SmallHub) -> None:
    small.table()
    file = small.home / "schemas" / "contracts" / "hrss" / "small.odcs.yaml"
    text = file.read_text(encoding="utf-8")
    place = "customProperties:\n- property: shareType"
    assert place in text
    more = "customProperties:\n- property: onboarding\n  value: true\n- property: shareType"
    file.write_text(text.replace(place, more, 1), encoding="utf-8")
    code, said = small.onecard("lint", str(small.home / "schemas"))
    assert (code, "contract.onboarding" in said, "status: draft" in said) == (1, True, True)
    onboard(small)
    file.write_text(text.replace("status: active", "status: onboarding"), encoding="utf-8")
    code, said = small.onecard("lint", str(small.home / "schemas"))
    assert (code, "'draft', 'active'" in said) == (1, True)
