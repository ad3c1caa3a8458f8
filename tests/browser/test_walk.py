"""From the worst problem to its end, in a real browser on a real hub, through a real night.

What each step shows to a person, and what it leaves on record.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from onecard.deliver.returned_rows import REASONS
from onecard.portal.pages import Words
from onecard.portal.security import spelt
from onecard.store import audit, quality_problems, quarantine, tickets
from quality.rows.rule_titles import title
from tests.browser.served import ServedPortal
from tests.browser.walk import ANSWER, REASON, STEWARD, Way, ledger

pytestmark = [
    pytest.mark.nightly,
    # Greenlets of Playwright leave their sockets to the collector at the end.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
say = Words("zh")


def heading(way: Way) -> str:
    """What a page calls the problem."""
    contract = way.portal.stage.hub(way.portal.day).catalogue.contract(way.problem.dataset)
    fields = {f.name: f.title for f in contract.fields}
    rules = {r.name: r.title for r in contract.rules}
    rule = rules.get(way.problem.rule) or title(way.problem.rule, "zh")
    field = fields.get(way.problem.field, say("whole_row"))
    said = rule.split("：")[-1] if "." in way.problem.rule else rule  # 公民身份号码：格式不符
    return rule if rule.startswith(field) else f"{field}：{said}"


def newest(way: Way, kind: str) -> tuple[str, str, dict[str, Any]]:
    """Subject, actor and body of the newest entry of the audit log, which is of that kind."""
    with ledger(way.portal) as connection:
        (entry,) = audit.newest(connection, 1)
    assert entry.kind == kind
    return entry.subject, entry.actor, json.loads(entry.body)


def clear(way: Way) -> dict[str, str | None]:
    """Values of the row that is looked at."""
    keys = way.portal.stage.hub(way.portal.day).keys
    with ledger(way.portal) as connection:
        ((_, values),) = quarantine.revealed(connection, [way.record], keys)
    return values


def home(way: Way, page: Any) -> None:
    main = page.inner_text("main")
    assert page.inner_text("h1") == say("today")
    first = page.inner_text("section[aria-labelledby=worse] tbody a >> nth=0")
    assert first == heading(way)
    assert f"#{way.ticket}" in main
    assert "市教育局" in main
    assert "市卫生健康委员会" not in main.partition(say("my_agencies"))[2]


def problem(way: Way, page: Any) -> None:
    assert page.inner_text("h1") == heading(way)
    assert say("standing_acknowledged") in page.inner_text("main .lead")
    shown = page.locator("section[aria-labelledby=rows] tbody tr").count()
    assert shown == min(way.problem.open_rows, 25) > 0
    with ledger(way.portal) as connection:
        found = quality_problems.get(connection, way.problem.id)
    assert found is not None
    assert (found.state, found.owner) == ("acknowledged", STEWARD)
    subject, actor, _ = newest(way, "problem.acknowledged")
    assert (subject, actor) == (way.problem.dataset, STEWARD)


def row(way: Way, page: Any) -> None:
    main = page.inner_text("main")
    assert page.inner_text("h1").endswith(str(way.record))
    assert say("masked") in main
    for name in ("person_id18", "person_name", "student_no"):
        value = clear(way).get(name)
        assert not value or value not in main, name


def row_in_clear(way: Way, page: Any) -> None:
    cells = page.locator("tbody td.said").all_inner_texts()
    for name in ("person_id18", "student_no"):
        value = clear(way).get(name)
        assert not value or spelt(value) in cells, name
    subject, actor, body = newest(way, "access.reveal")
    assert (subject, actor) == (way.problem.dataset, STEWARD)
    assert body == {"record": way.record, "reason": REASON}


def self_check_found(way: Way, page: Any) -> None:
    """The workbook as it was downloaded: masked, by the number of rows that are open."""
    sheet = openpyxl.load_workbook(way.book).worksheets[0]
    heads = [str(cell.value).split(" ")[-1] for cell in sheet[1]]
    rows = list(sheet.iter_rows(min_row=2, values_only=True))
    assert len(rows) == way.problem.open_rows
    assert all(r[heads.index(REASONS)] for r in rows)
    assert not {str(cell) for r in rows for cell in r} & {str(v) for v in secret(way)}
    lead = page.inner_text("section[aria-labelledby=found] .lead")
    assert f"读取 {len(rows)} 行" in lead
    assert f"不合格 {len(rows)} 行" in lead
    subject, _, body = newest(way, "access.check")
    assert subject == way.problem.dataset
    assert (body["read"], body["rejected"]) == (len(rows), len(rows))
    with ledger(way.portal) as connection:
        (_, downloaded) = audit.newest(connection, 2)
    assert downloaded.kind == "access.rows"
    facts = json.loads(downloaded.body)
    assert (facts["rows"], facts["format"], facts["treatment"]) == (len(rows), "xlsx", "masked")


def secret(way: Way) -> list[str]:
    """Values of the row that nobody gets without asking for them."""
    values = clear(way)
    return [v for n in ("person_id18", "person_name", "student_no") if (v := values.get(n))]


def self_check_right(way: Way, page: Any) -> None:
    lead = page.inner_text("section[aria-labelledby=found] .lead")
    assert say("self_check_right") in lead
    assert f"合格 {len(way.rows)} 行，不合格 0 行" in lead
    _, _, body = newest(way, "access.check")
    assert (body["read"], body["rejected"]) == (way.problem.open_rows, 0)


def ticket(way: Way, page: Any) -> None:
    assert say("ticket_acknowledged") in page.inner_text("main .lead")
    contract = way.portal.stage.hub(way.portal.day).catalogue.contract(way.problem.dataset)
    assert contract.title in page.inner_text("main dl")
    with ledger(way.portal) as connection:
        found = tickets.get(connection, way.ticket)
    assert found is not None
    assert found.status == "acknowledged"


def ticket_answered(way: Way, page: Any) -> None:
    assert say("ticket_answered") in page.inner_text("main .lead")
    assert ANSWER in page.inner_text("main dl")
    with ledger(way.portal) as connection:
        found = tickets.get(connection, way.ticket)
    assert found is not None
    assert (found.status, found.outcome, found.seen) == ("answered", "corrected", None)


def problem_ended(way: Way, page: Any) -> None:
    lead = page.inner_text("main .lead")
    assert say("standing_ended") in lead
    with ledger(way.portal) as connection:
        found = quality_problems.get(connection, way.problem.id)
        rows = quality_problems.rows(connection, way.problem.id, 0, 1)
        records = quarantine.records(connection, way.problem.dataset)
    assert found is not None
    assert (found.open_rows, rows) == (0, [])
    assert found.ended_at is not None
    assert found.ended_by > found.last_transfer
    assert say("seen_by", transfer=found.ended_by) in page.inner_text("main dl")
    assert say("no_open_rows") in page.inner_text("section[aria-labelledby=rows]")
    assert way.record not in {r.id for r in records if r.status == "held"}
    assert "受理" not in page.locator("button").all_inner_texts()


def ticket_seen(way: Way, page: Any) -> None:
    with ledger(way.portal) as connection:
        found = tickets.get(connection, way.ticket)
    assert found is not None
    assert found.seen is not None
    assert say("close_seen", transfer=found.seen) in page.inner_text("main")


def ticket_closed(way: Way, page: Any) -> None:
    assert say("ticket_closed") in page.inner_text("main .lead")
    with ledger(way.portal) as connection:
        found = tickets.get(connection, way.ticket)
    assert found is not None
    assert (found.status, found.evidence["seen"]) == ("closed", found.seen)


CHECKS: Mapping[str, Callable[[Way, Any], None]] = {
    "home": home,
    "problem": problem,
    "row": row,
    "row-in-clear": row_in_clear,
    "self-check-found": self_check_found,
    "self-check-right": self_check_right,
    "ticket": ticket,
    "ticket-answered": ticket_answered,
    "problem-ended": problem_ended,
    "ticket-seen": ticket_seen,
    "ticket-closed": ticket_closed,
}


def test_from_the_worst_problem_to_its_end(
    chromium: Any, portal: ServedPortal, tmp_path: Path
) -> None:
    way = Way(chromium, portal, tmp_path)
    passed = []
    for stop in way.stops():
        CHECKS[stop.name](way, stop.page)
        passed.append(stop.name)
    assert passed == list(CHECKS)
