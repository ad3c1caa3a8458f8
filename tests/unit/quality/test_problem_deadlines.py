"""Deadlines of problems in reports are those of the installation, as in the portal."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

from onecard.base.times import ZONE
from onecard.model.transfers import Counts
from onecard.ports.row_gate import Reason
from onecard.store import database, quality_problems, rule_results, transfers
from quality.reports.content import Maker
from quality.reports.scheme import load
from quality.reports.week import WeekMaker
from schemas.models import catalogue

DATASET = "health/death_notice"
NOW = datetime(2026, 11, 24, 9, tzinfo=ZONE)
MONDAY = date(2026, 11, 23)


def test_an_installation_with_its_own_days_has_them_in_every_list(
    hub_database: str, tmp_path: Path
) -> None:
    own = "working_days: {record: 5, finding: 5}\nagencies:\n  health: {finding: 2}\n"
    (tmp_path / "service_levels.yaml").write_text(own, encoding="utf-8")
    for file in ("registers.yaml", "reaction.yaml"):
        (tmp_path / file).write_bytes((catalogue.ROOT / file).read_bytes())
    known = replace(catalogue.load(), root=tmp_path)
    with database.connect(hub_database, autocommit=True) as connection:
        transfer = transfers.open_transfer(connection, "collect", DATASET, "1", NOW)
        rules = {Reason("person_name", "required"): 3}
        rule_results.record_rules(connection, transfer, rules, "error")
        transfers.record_published(connection, transfer, 1, Counts(10, 7, 0, 3, 0, 0))
        quality_problems.note(connection, transfer)
        month = Maker(connection, known, load(), MONDAY.replace(day=1), NOW).content("health")
        week = WeekMaker(connection, known, MONDAY, NOW).content("health")
        (problem,) = quality_problems.of_datasets(connection, [DATASET])
    listed = [p.due for p in month.problems] + [line.problem.due for line in week.lines]
    assert listed == [date(2026, 11, 26)] * 2
    assert problem.due(known.service_levels.days("health", "finding")).day == listed[0]
