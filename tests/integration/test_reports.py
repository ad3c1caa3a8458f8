"""Every number of the stewards' reports, computed a second way from the ledger of real nights."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import psycopg
import pytest
from openpyxl import load_workbook

from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.base.times import ZONE
from onecard.model.tickets import Acting, Answer, NewTicket
from onecard.operations import night, reports
from onecard.store import database, tickets
from tests import forked
from tests.cities import Cities
from tests.integration.report_oracle import (
    SCHEME,
    Oracle,
    cap,
    dimension_grade,
    end_of,
    floored,
    grade_name,
    level,
    place_of,
    score,
    start_before,
)
from tests.integration.report_page import Element, Page

MONTH, DAY = date(2026, 11, 1), date(2026, 11, 3)
NIGHTS = (0, 1, 17, 18)
BROKEN_NIGHT, BROKEN = 18, "health/death_notice"
SILENT = "transport/transit_concession"
SCOPES = (
    *("education", "health", "housing_fund", "hrss", "medical_insurance", "transport"),
    "bureau",
)

SECTIONS = {
    "s1": ("total", "s:", "m:"),
    "k1": "kpi.",
    "s2": ("collect.", "deliver.", "p95.", "days", "inbox."),
    "s3": ("dim.", "problem.", "county.", "finding.", "total", "/"),
    "s4": ("card.", "reaction.", "late."),
    "s5": ("privacy.", "misuse.", "call.", "refusal."),
    "s6": "problem.",
    "s7": ("ticket.", "kpi.fixed_in_time"),
}


@dataclass(frozen=True)
class City:
    """Two months of a small city, its pages and the second calculation."""

    hub: Hub
    oracle: Oracle
    files: list[Path]
    stage: Rehearsal


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[City]:
    home = tmp_path_factory.mktemp("reports")
    with cities.start(home / "stage", persons=1_500, seed=31) as stage:
        for number in NIGHTS:
            if number:
                stage.city.prepare(number)
            run_night(stage, number)
        hub = stage.hub(NIGHTS[-1])
        happenings(hub)
        files = reports.write_monthly(hub, MONTH) + reports.write_daily(hub, DAY)
        yield City(hub, Oracle(hub.address, hub.catalogue, hub.settings.now()), files, stage)


def run_night(stage: Rehearsal, number: int) -> None:
    """A night without one source, and in one night with an address that does not answer."""
    environment = stage.at(number)
    if number == BROKEN_NIGHT:
        found = json.loads(environment["AIRFLOW_CONN_HEALTH_API"])
        environment["AIRFLOW_CONN_HEALTH_API"] = json.dumps(found | {"port": 9})
    hub = Hub(Settings.load(environment), EnvironmentConnections(environment))
    wanted = [d for d in night.datasets(hub) if d != SILENT]
    collected = night.run_each(wanted, lambda d: hub.collect(d).run(), lambda _s, _r: None)
    night.run_each(night.agreements(hub), lambda a: hub.deliver(a).run(), lambda _s, _r: None)
    assert (BROKEN in collected.failed) == (number == BROKEN_NIGHT)


def happenings(hub: Hub) -> None:
    """Tickets in time, late and open; a block with an incident; a release; losses in time."""
    with database.connect(hub.address, autocommit=True) as connection:
        first = datetime(2026, 10, 17, 9, tzinfo=ZONE)
        dues = ((0, 8, 4), (1, 5, None), (2, 20, 17), (10, 5, 16), (11, 30, None))
        for opened, due, answered in dues:
            at = first + timedelta(days=opened)
            new = NewTicket(
                agency="hrss" if opened else "health",
                opened_for="bureau",
                opened_by="bureau",
                kind="finding",
                dataset="hrss/card_master" if opened else "health/health_visit",
                statement="请核对",
                opened_at=at,
                due_on=(at + timedelta(days=due)).date(),
                rule="required",
                field="name",
            )
            ticket = tickets.open_ticket(connection, new)
            if answered:
                when = first + timedelta(days=answered)
                outcome = "corrected" if opened else "rejected"
                tickets.answer(connection, ticket, Answer(outcome, "已核对"), Acting("演练", when))
        for statement in SYNTHETIC:
            connection.execute(statement.encode())


SYNTHETIC = (
    (
        "INSERT INTO ledger.transfer (direction, subject, status, policy_version, hub_time, finished_at)"
        " VALUES ('deliver', 'f05-hrss-bank-card-event', 'failed', '1', '2026-11-02 09:00+08',"
        " clock_timestamp())"
    ),
    (
        "INSERT INTO ledger.privacy_result (transfer, rule, action, outcome, checked, hits) SELECT"
        " max(id), 'PR-03', 'block', 'hit', 12, 5 FROM ledger.transfer"
    ),
    (
        "INSERT INTO ledger.incident (agreement, transfer, rule, delivered_rows) SELECT"
        " 'f05-hrss-bank-card-event', max(id), 'PR-03', 5 FROM ledger.transfer"
    ),
    "UPDATE quarantine.record SET status = 'released' WHERE id % 5 = 0",
    (
        "UPDATE registry.hrss__card_status_event e SET effective_at = at - interval '2 minutes'"
        " FROM (SELECT CAST(body::jsonb #>> '{versions,hrss/card_status_event}' AS bigint) AS v,"
        " max(hub_time) AS at FROM ledger.transfer JOIN ledger.receipt ON transfer = id"
        " WHERE subject = 'f05-hrss-bank-card-event' GROUP BY 1) t"
        " WHERE _version = t.v AND event_type = '08' AND event_id > (SELECT percentile_disc(0.5)"
        " WITHIN GROUP (ORDER BY event_id) FROM registry.hrss__card_status_event)"
    ),
    # Of an inbox the month's last judged comparison counts.
    (
        "INSERT INTO ledger.reconciliation (kind, subject, hub_time, outcome, agreeing, missing,"
        " differing, extra) VALUES"
        " ('agreement', 'f06-hrss-housing_fund-card-status', '2026-10-25 04:00+08', 'open', 7, 0, 0, 1),"
        " ('agreement', 'f06-hrss-housing_fund-card-status', '2026-11-01 04:00+08', 'open', 9, 2, 1, 0),"
        " ('agreement', 'f06-hrss-housing_fund-card-status', '2026-11-02 04:00+08', 'healed', 93, 2, 3, 2),"
        " ('agreement', 'f06-hrss-housing_fund-card-status', '2026-11-03 04:00+08', 'failed', 0, 0, 0, 0),"
        " ('agreement', 'f01-hrss-transport-card-status', '2026-11-02 04:00+08', 'unjudged', 0, 0, 0, 0)"
    ),
    # Operators of two agencies, one of them twice, one lifted, one in the month before.
    (
        "INSERT INTO ledger.operator_suspension (agency, caller, operator, rule, at, until, number,"
        " allowed, agreements, line, lifted_at, lifted_by, reason) VALUES"
        " ('health', 'health-his', 'N0007', 'order', '2026-10-31 23:59+08', '2026-11-01 04:00+08', 99, 10,"
        " '{f09-hrss-health-card-query}', 1, NULL, NULL, NULL),"
        " ('health', 'health-his', 'N0007', 'order', '2026-11-01 00:00+08', '2026-11-01 04:00+08', 1203, 10,"
        " '{f09-hrss-health-card-query}', 2, NULL, NULL, NULL),"
        " ('health', 'health-his', 'N0007', 'order', '2026-11-02 09:00+08', '2026-11-02 13:00+08', 12, 10,"
        " '{f09-hrss-health-card-query}', 3, '2026-11-02 10:00+08', 'official', 'need'),"
        " ('health', 'health-his', 'N0007', 'misses', '2026-11-02 09:00+08', '2026-11-02 13:00+08', 25, 20,"
        " '{f09-hrss-health-card-query}', 3, NULL, NULL, NULL),"
        " ('bank', 'bank-payment', 'B1.x', 'hours', '2026-11-03 23:00+08', '2026-11-04 07:00+08', 5, 5,"
        " '{f10-hrss-bank-payee-verify}', 4, NULL, NULL, NULL)"
    ),
    # Calls: by the hour, and one day that housekeeping has folded; of the month before and after too.
    (
        "INSERT INTO ledger.question_time (since, agreement, caller, found, at_most_ms, calls) VALUES"
        " ('2026-10-31 23:00+08', 'f09-hrss-health-card-query', 'health-his', true, 25, 1000),"
        " ('2026-11-01 00:00+08', 'f09-hrss-health-card-query', 'health-his', true, 25, 4100),"
        " ('2026-11-03 09:00+08', 'f09-hrss-health-card-query', 'health-his', true, 800, 200),"
        " ('2026-11-03 09:00+08', 'f09-hrss-health-card-query', 'health-his', false, 1000, 90),"
        " ('2026-11-03 10:00+08', 'f09-hrss-health-card-query', 'health-his', true, 60000, 1),"
        " ('2026-11-03 10:00+08', 'f12-hrss-housing_fund-employment-query', 'hf-withdrawal', true,"
        " 50, 3), ('2026-11-03 10:00+08', '', 'city-app', true, 100, 12),"
        " ('2026-12-01 00:00+08', 'f09-hrss-health-card-query', 'health-his', true, 25, 1000)"
    ),
    (
        "INSERT INTO ledger.question_refusal (hour, caller, agreement, code, calls) VALUES"
        " ('2026-11-03 09:00+08', 'health-his', 'f09-hrss-health-card-query', '66', 31),"
        " ('2026-11-03 10:00+08', 'health-his', 'f09-hrss-health-card-query', '67', 2),"
        " ('2026-11-03 10:00+08', 'health-his', 'f09-hrss-health-card-query', '64', 5),"
        " ('2026-11-03 10:00+08', 'health-his', 'f09-hrss-health-card-query', '99', 1),"
        " ('2026-11-03 10:00+08', 'health-his', 'f10-hrss-bank-payee-verify', '61', 4),"
        " ('2026-11-03 10:00+08', 'health-his', '', '61', 6),"
        " ('2026-11-03 10:00+08', '', '', '40', 700), ('2026-11-03 10:00+08', '', '', '44', 80),"
        " ('2026-10-31 23:00+08', '', '', '40', 9000)"
    ),
    # A replay counts nowhere.
    (
        "INSERT INTO ledger.transfer (direction, subject, status, policy_version, hub_time, finished_at,"
        " rows_read, published, replay) VALUES ('collect', 'hrss/card_master', 'published', '1',"
        " '2026-11-02 10:00+08', clock_timestamp(), 1, 1, true)"
    ),
)


@pytest.fixture(scope="module")
def numbers(city: City) -> dict[tuple[str, str], dict[str, Any]]:
    spans = {
        "now": (MONTH, end_of(MONTH)),
        "prev": (start_before(MONTH), MONTH),
        "day": (DAY, DAY + timedelta(days=1)),
    }
    return {(s, n): city.oracle.numbers(s, *span) for s in SCOPES for n, span in spans.items()}


def page_of(city: City, name: str) -> Page:
    file = next(f for f in city.files if f"{f.parent.name}/{f.name}" == name)
    return Page(file.read_text(encoding="utf-8"))


def written(value: Any) -> str:
    """A number as a reader expects it."""
    if value is None:
        return "—"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"


def expected(
    element: Element, now: dict[str, Any], before: dict[str, Any], language: str = "zh"
) -> str | None:
    """What a marked element must say."""
    kind, key = element.mark or ("", "")
    if kind == "data-c":
        return moved(key, now, before)
    numbers, key = (before, key[5:]) if key.startswith("prev:") else (now, key)
    if kind == "data-f":
        return written(numbers[key])
    if kind == "data-t":
        kpi = SCHEME["kpis"][key]
        return f"{'≥' if kpi['better'] == 'up' else '≤'} {float(kpi['target'])}%"
    if kind == "data-g":
        place = numbers["_place"] if key == "total" else numbers["_places"][key]
        return grade_name(place, language)
    if kind == "data-h":
        return grade_name(dimension_grade(numbers, key), language)
    found = measured(kind[-1], key, numbers)
    if found is None:
        return "—" if kind == "data-q" else None
    return floored(found, 1) if kind == "data-s" else floored(found, 2) + "%"


def measured(kind: str, key: str, numbers: dict[str, Any]) -> Fraction | None:
    """A score, a level, the lowest share, a percentage or a problem's share; None: not measured."""
    if kind == "s":
        return score(numbers, key)
    if kind in "mw":
        unit, _, dimension = key.partition("|")
        if kind == "m":
            found = level(numbers, unit, dimension)
            return None if found is None else 100 * found
        return min(
            100 * Fraction(numbers[f"dim.{d}.{dimension}.part"], numbers[f"dim.{d}.{dimension}.of"])
            for d in numbers["_units"][unit]
            if numbers[f"dim.{d}.{dimension}.of"]
        )
    if kind == "p":
        of = numbers[f"{key}.of"]
        return 100 * Fraction(numbers[f"{key}.part"], of) if of else None
    dataset = next(d for d in DATASETS if key.startswith(f"problem.{d}."))
    read = numbers[f"collect.{dataset}.rows_read"]
    return 100 * Fraction(numbers.get(key, 0), read) if read else None


def moved(key: str, now: dict[str, Any], before: dict[str, Any]) -> str:
    """The difference of two numbers as the page writes them."""
    kind, _, key = key.partition(":")
    digits = 1 if kind == "s" else 2
    values = [measured(kind, key, numbers) for numbers in (now, before)]
    assert None not in values, key
    after, earlier = (Decimal(floored(v, digits)) for v in values if v is not None)
    if after == earlier:
        return f"{Decimal(0):.{digits}f}"
    return f"{'+' if after > earlier else '−'}{abs(after - earlier):.{digits}f}"


DATASETS: list[str] = []


@pytest.fixture(autouse=True)
def _datasets(city: City) -> None:
    DATASETS[:] = sorted(city.hub.catalogue.contracts)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("scope", SCOPES)
def test_every_number_of_a_monthly_page(
    city: City, numbers: Any, scope: str, language: str
) -> None:
    page = page_of(city, f"{scope}/monthly-2026-11.{language}.html")
    now, before = numbers[scope, "now"], numbers[scope, "prev"]
    wrong = [
        (e.mark, e.text, expected(e, now, before, language))
        for e in page.marked()
        if e.text != expected(e, now, before, language)
    ]
    assert wrong == []
    by_section: dict[str, set[str]] = {}
    for e in page.marked():
        by_section.setdefault(e.section, set()).add((e.mark or ("", ""))[1])
    for section, starts in SECTIONS.items():
        keys = by_section.get(section, set())
        if section == "s4" and scope not in ("hrss", "health", "bureau"):
            assert not keys
        else:
            assert any(k.removeprefix("prev:").startswith(starts) or "/" in k for k in keys), (
                section
            )


@pytest.mark.parametrize("scope", SCOPES)
def test_every_number_of_a_daily_page(city: City, numbers: Any, scope: str) -> None:
    for language in ("zh", "en"):
        page = page_of(city, f"{scope}/daily-{DAY}.{language}.html")
        found = page.marked()
        assert found
        now = numbers[scope, "day"]
        assert [(e.mark, e.text) for e in found] == [(e.mark, expected(e, now, {})) for e in found]


def test_no_number_in_a_cell_is_unmarked(city: City) -> None:
    pages = [f for f in city.files if f.suffix == ".html"]
    assert len(pages) == 4 * len(SCOPES)
    for file in pages:
        page = Page(file.read_text(encoding="utf-8"))
        cells = [*page.of_class("n", "td"), *page.tagged("dd")]
        assert cells
        for cell in cells:
            rest = cell.text
            for marked in cell.marked:
                rest = rest.replace(marked.text, "", 1)
            assert not re.search(r"\d", rest), (file.name, cell.text)


def test_shown_rows_are_all_rows(city: City, numbers: Any) -> None:
    """Nothing with a number is left out: every dataset, agreement, problem, rule and county."""
    for scope in SCOPES:
        page = page_of(city, f"{scope}/monthly-2026-11.zh.html")
        shown = {e.mark[1] for e in page.marked() if e.mark}
        now = numbers[scope, "now"]
        wanted = (
            *("collect.", "deliver.", "inbox.", "privacy.", "finding.", "ticket.", "card."),
            *("reaction.", "late.", "misuse.", "call.", "refusal."),
        )
        hidden = {
            k
            for k in now
            if k.startswith(wanted)
            and not k.endswith((".good.part", ".good.of"))
            and not (k.startswith(("card.", "reaction.", "call.")) and k.endswith((".of", ".part")))
            and k not in shown
        }
        assert hidden - {"collect.total.days"} == set()
        problems = {k for k in now if k.startswith("problem.") and not k.endswith(".times")}
        assert len(problems & shown) == min(50, len(problems))


def test_suspensions_are_told_to_both_sides_and_nobody_else(city: City) -> None:
    """The caller's agency, who provides the data, and the bureau."""
    told = {"health": 2, "hrss": 3, "bureau": 3}
    for scope in SCOPES:
        for language, rule in (("zh", "按序查询多人"), ("en", "Persons in order")):
            page = page_of(city, f"{scope}/monthly-2026-11.{language}.html")
            lines = [
                e.text
                for e in page.tagged("tr")
                if e.section == "s5"
                and any(m.mark[1].startswith("misuse.") for m in e.marked if m.mark)
            ]
            assert len(lines) == told.get(scope, 0)
            assert any(rule in line and "N0007" in line for line in lines) == (scope in told)
            assert ("1,203" in " ".join(lines)) == (scope in told)


def test_what_the_words_say_is_counted_too(city: City, numbers: Any) -> None:
    for scope in SCOPES:
        now = numbers[scope, "now"]
        datasets, served = city.oracle.scope(scope)
        silent = sum(not now[f"collect.{d}.rows_read"] for d in datasets)
        total = score(now, "total")
        for language in ("zh", "en"):
            page = page_of(city, f"{scope}/monthly-2026-11.{language}.html")
            lead = page.of_class("lead")[0]
            keys = ("collect.total.rows_read", "collect.total.quarantined", "deliver.total.runs")
            more = ("deliver.total.done", "deliver.total.sent")
            must = {*keys, *more, "kpi.overdue.part", "kpi.overdue.of"}
            if total is not None:
                holds = cap("targets", Fraction(len(now["_missed"]))) > place_of(total)
                must |= {"total", "missed.total.part"} if holds else {"total"}
            assert must <= {e.mark[1] for e in lead.marked if e.mark}
            rest = lead.text
            for marked in lead.marked:
                rest = rest.replace(marked.text, "", 1)
            said = sorted(re.findall(r"\d+", rest))
            assert said == sorted([str(len(datasets))] + ([str(silent)] if silent else [])), rest
            articles = {e.text: e for e in page.elements if e.tag == "tr" and e.section == "s8"}
            law = " ".join(articles)
            for number in (
                len(served),
                now["kpi.merged.of"],
                now["kpi.catalogued.part"],
                now["deliver.total.receipts"],
                now["collect.total.done"],
                now["law.asked"],
                now["law.refused"],
            ):
                assert re.search(rf"(?<![\d,]){written(number)}(?![\d,])", law), (scope, number)


def test_a_source_that_sent_nothing_has_no_score(city: City) -> None:
    contract = city.hub.catalogue.contract(SILENT)
    for language, word, name in (
        ("zh", "未报送", contract.title),
        ("en", "nothing received", SILENT),
    ):
        page = page_of(city, f"transport/monthly-2026-11.{language}.html")
        line = next(
            e.text
            for e in page.tagged("tr")
            if e.section == "s3" and e.text.startswith(name) and "%" in e.text
        )
        assert line.count(word) == 6  # four of rows, accessibility, score; days had been due
        assert "100.00%" not in line
        read = next(
            e.text for e in page.tagged("tr") if e.section == "s2" and e.text.startswith(name)
        )
        assert word in read


def test_every_line_of_the_workbooks(city: City, numbers: Any) -> None:
    for scope in SCOPES:
        now = numbers[scope, "now"]
        file = next(f for f in city.files if f.parent.name == scope and f.suffix == ".xlsx")
        rows = list(load_workbook(file).active.iter_rows(min_row=2, values_only=True))
        wanted = sorted(
            (now[k], floored(100 * Fraction(now[k], read), 2) + "%", now[f"{k}.times"])
            for k in now
            if k.startswith("problem.") and not k.endswith(".times")
            for read in [
                now[
                    f"collect.{next(d for d in DATASETS if k.startswith(f'problem.{d}.'))}.rows_read"
                ]
            ]
        )
        assert wanted
        assert sorted((r[6], r[8], r[13]) for r in rows) == wanted


def week_failures(city: City, monday: date) -> dict[str, int]:
    """Rows that failed in a week, by problem."""
    found: dict[str, int] = {}
    for r in city.oracle.rows["rule"]:
        if r["replay"] or r["state"] != "published" or not r["failed"]:
            continue
        if monday <= r["day"] < monday + timedelta(days=7):
            key = f"{r['subject']}.{r['field']}.{r['rule']}"
            found[key] = found.get(key, 0) + r["failed"]
    return found


@pytest.mark.parametrize("scope", ["hrss", "bureau"])
def test_every_number_of_a_weekly_list(city: City, scope: str) -> None:
    """The week of the newest nights: rows now and before, and how many are in which state."""
    monday = DAY - timedelta(days=DAY.weekday())
    files = reports.write_weekly(city.hub, monday, [scope])
    assert [f.name for f in files] == [
        *(f"weekly-2026-W45.{language}.html" for language in ("zh", "en")),
        "weekly-2026-W45.xlsx",
    ]
    now, before = week_failures(city, monday), week_failures(city, monday - timedelta(days=7))
    datasets, _ = city.oracle.scope(scope)
    numbers: dict[str, Any] = {}
    states: dict[str, list[str]] = {}
    for key, state in week_states(city, monday).items():
        dataset = next(d for d in DATASETS if key.startswith(f"{d}."))
        if dataset in datasets and (now.get(key) or state != "gone"):
            numbers[f"week.{key}.now"] = now.get(key, 0)
            numbers[f"week.{key}.before"] = before.get(key, 0)
            unit = dataset.split("/")[0] if scope == "bureau" else dataset
            for name in (unit, "total"):
                states.setdefault(name, []).append(state)
    assert numbers
    for unit, found in states.items():
        numbers[f"states.{unit}.listed"] = len(found)
        for state in ("overdue", "soon", "new", "open", "ticket", "gone"):
            numbers[f"states.{unit}.{state}"] = found.count(state)
    for file in files[:2]:
        page = Page(file.read_text(encoding="utf-8"))
        assert page.marked()
        assert [(e.mark, e.text) for e in page.marked()] == [
            (e.mark, expected(e, numbers, {})) for e in page.marked()
        ]
        shown = {e.mark[1] for e in page.marked() if e.mark}
        listed = [k for k in numbers if k.startswith("week.") and k.endswith(".now")]
        assert len([k for k in listed if k in shown]) == min(50, len(listed))
    rows = list(load_workbook(files[2]).active.iter_rows(min_row=2, values_only=True))
    wanted = sorted((numbers[k], numbers[k[:-4] + ".before"]) for k in listed)
    assert sorted((r[4], r[5]) for r in rows) == wanted


def week_states(city: City, monday: date) -> dict[str, str]:
    """Problems since the first day of the month before: how each stands on Sunday, or now."""
    sunday = min(monday + timedelta(days=6), city.hub.settings.now().date())
    found: dict[str, str] = {}
    since: dict[str, date] = {}
    for month in (start_before(monday.replace(day=1)), monday.replace(day=1)):
        rules = [
            r
            for r in city.oracle.rows["rule"]
            if month <= r["day"] < end_of(month)
            and r["failed"]
            and r["state"] == "published"
            and not r["replay"]
        ]
        for r in rules:
            key = f"{r['subject']}.{r['field']}.{r['rule']}"
            since[key] = min(since.get(key, r["day"]), r["day"])
            due = city.oracle.due(f"problem.{key}", rules)
            state = city.oracle.state(f"problem.{key}", rules, month, sunday)
            if state == "open" and due < monday + timedelta(days=14):
                state = "soon"
            elif state == "open" and since[key] >= monday:
                state = "new"
            found[key] = state
    return found


@pytest.mark.parametrize(
    "span", [("--month", "2026-09"), ("--week", "2026-W41"), ("--day", "2026-10-15")]
)
def test_a_report_of_days_before_the_hub_ran(city: City, span: tuple[str, str]) -> None:
    done = forked.onecard(city.stage.at(NIGHTS[-1]), "report", *span)
    assert done.returncode == 2, done.stderr
    assert f"{' '.join(span)} is before the hub's first transfer, of 2026-10-16" in done.stderr


def test_the_fixture_holds_what_it_should_prove(city: City, numbers: Any) -> None:
    now = numbers["bureau", "now"]
    above = (
        "kpi.overdue.of",
        "missed.total.part",
        "missed.hrss.part",
        "deliver.total.blocked",
        "privacy.incidents",
        "privacy.PR-03.hits",
        "ticket.overdue",
        "kpi.fixed_in_time.of",
        "kpi.false_block.part",
        "kpi.recurring.part",
        "collect.total.failed",
        "card.f05-hrss-bank-card-event.in_time.part",
        "card.illegal.of",
        "misuse.health-his.N0007.order.lifted",
        "reaction.f02-hrss-medical_insurance-card-status.loss.events",
        "late.f02-hrss-medical_insurance-card-status.loss.collect.PT60S.events",
        "deliver.total.receipts",
        "call.f09-hrss-health-card-query.health-his.none",
        "call.f10-hrss-bank-payee-verify.health-his.refused",
        "call.-.city-app.answered",
        "refusal.-.-.identity",
        "refusal.f09-hrss-health-card-query.health-his.other",
    )
    assert {k: now[k] for k in above if not now[k]} == {}
    assert numbers["bureau", "prev"]["kpi.overdue.part"]
    assert cap("targets", Fraction(now["missed.total.part"])), "a cap that holds"
    assert now[f"collect.{SILENT}.runs"] == 0
    with psycopg.connect(city.hub.address) as connection:
        months = connection.execute(
            "SELECT count(DISTINCT date_trunc('month', hub_time AT TIME ZONE 'Asia/Shanghai'))"
            " FROM ledger.transfer"
        ).fetchone()
    assert months == (2,)
