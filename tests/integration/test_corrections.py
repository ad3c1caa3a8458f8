"""Reports of months that are over say what was corrected since, and what stood there before."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from onecard.app.hub_desk import HubDesk
from onecard.base.settings import Settings
from onecard.base.times import ZONE
from onecard.crypto import keys
from onecard.model.tickets import Acting, Answer, NewTicket
from onecard.operations import issued, reports
from onecard.ports.row_gate import Reason
from onecard.store import database, tickets
from quality.reports import scheme as schemes
from quality.reports.content import HISTORY, Maker
from quality.reports.corrections import headlines
from quality.reports.facts import before, following
from quality.reports.past import Past
from quality.reports.report_charts import ReportCharts
from tests.integration.report_page import Page
from tests.rejected import Row, reject

DATASET, AGENCY, CITY = "health/death_notice", "health", "bureau"
BOTH = (AGENCY, CITY)
OVERDUE = "kpi.overdue"
BROKEN = Reason("person_name", "required")
TODAY = date(2027, 6, 15)
MONTHS = tuple(before(TODAY.replace(day=1), n) for n in (13, 12, 4))
"""Months in which a row was rejected; on the first one reports look back no more."""
WITHIN = MONTHS[1:]


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 9, tzinfo=ZONE)


class Office:
    """A hub without a city, on any day."""

    def __init__(self, address: str, home: Path) -> None:
        self.address, self.home = address, home
        keys.create(home / "keys.json", [CITY], "2026")

    def on(self, day: date) -> HubDesk:
        settings = Settings(
            home=self.home,
            keys_file=self.home / "keys.json",
            fixed_now=at(day),
            database_url=self.address,
        )
        return HubDesk(settings)

    def folder(self, agency: str) -> Path:
        return self.home / "reports" / agency

    def page(self, agency: str, month: date, language: str = "zh") -> Page:
        file = self.folder(agency) / f"monthly-{month:%Y-%m}.{language}.html"
        return Page(file.read_text(encoding="utf-8"))


def lines(page: Page) -> list[str]:
    """Rows of the table of corrections."""
    return [e.text for e in page.tagged("tr") if e.section == "c1"][1:]


@pytest.fixture
def office(hub_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A row of each month is rejected on its tenth; each report is written when it is closed."""
    monkeypatch.setattr(ReportCharts, "trends", lambda *_: [])  # drawing is tried elsewhere
    monkeypatch.setattr(ReportCharts, "top", lambda *_: None)
    found = Office(hub_database, tmp_path)
    with database.connect(hub_database, autocommit=True) as connection:
        for number, month in enumerate(MONTHS):
            values = {"person_id18": str(number), "person_name": None, "death_date": "2026-01-01"}
            desk = found.on(month)
            reject(connection, desk, DATASET, [Row(values, (BROKEN,))], at(month.replace(day=10)))
    for month in MONTHS:
        reports.write_monthly(found.on(following(month) + timedelta(days=3)), month, BOTH, ("zh",))
    return found


def mend(office: Office) -> None:
    """All rows come right at once, long after most of their months."""
    with database.connect(office.address, autocommit=True) as connection:
        connection.execute("UPDATE quarantine.record SET status = 'mended'")


def kept(office: Office, agency: str, month: date) -> issued.Issued:
    found = issued.read(office.folder(agency), month)
    assert found is not None
    return found


def test_every_month_that_a_late_correction_reaches_is_corrected_and_says_so(
    office: Office,
) -> None:
    assert reports.restate(office.on(TODAY)) == []
    assert [lines(office.page(AGENCY, m)) for m in MONTHS] == [[]] * len(MONTHS)
    mend(office)
    told: list[str] = []
    written = reports.restate(office.on(TODAY), told=told.append)
    assert sorted(told) == sorted(f"{a} {m:%Y-%m}" for m in WITHIN for a in BOTH)
    assert {f.parent.name for f in written} == set(BOTH)
    for month in WITHIN:
        for agency in BOTH:
            (overdue,) = [c for c in kept(office, agency, month).corrections if c.key == OVERDUE]
            assert (overdue.day, overdue.old, overdue.new) == (TODAY, (1, 1), (0, 1))
            page = office.page(agency, month)
            (line,) = [x for x in lines(page) if x.startswith("2027-06-15问题逾期率")]
            assert line.endswith("100.00% (1/1)0.00% (0/1)")
            lead = " ".join(e.text for e in page.tagged("section") if e.section == "s1")
            assert "本报告已更正" in lead
            english = office.page(agency, month, "en")
            assert any("100.00% (1/1)" in x for x in lines(english))
    # On a month that is older reports look back no more: it stays as it was issued.
    assert MONTHS[0] < before(TODAY.replace(day=1), HISTORY - 1)
    assert kept(office, AGENCY, MONTHS[0]).corrections == ()
    assert reports.restate(office.on(TODAY + timedelta(days=1))) == []


def test_an_open_month_is_written_anew_without_a_word(office: Office) -> None:
    month = WITHIN[-1]
    mend(office)
    open_day, closed_day = (
        following(month) + timedelta(days=4),
        following(month) + timedelta(days=5),
    )
    reports.write_monthly(office.on(open_day), month, (AGENCY,), ("zh",))
    found = kept(office, AGENCY, month)
    assert (found.corrections, found.headlines[OVERDUE]) == ((), (0, 1))
    with database.connect(office.address, autocommit=True) as connection:
        connection.execute("UPDATE quarantine.record SET status = 'held'")
    reports.write_monthly(office.on(closed_day), month, (AGENCY,), ("zh",))
    (change,) = [c for c in kept(office, AGENCY, month).corrections if c.key == OVERDUE]
    assert (change.day, change.old, change.new) == (closed_day, (0, 1), (1, 1))


def test_one_reading_of_all_months_says_what_a_report_of_each_says(office: Office) -> None:
    """Tickets and whole readings of later months say nothing of an earlier one."""
    with database.connect(office.address, autocommit=True) as connection:
        for month in WITHIN:
            opened = at(month.replace(day=20))
            new = NewTicket(
                agency=AGENCY,
                opened_for=CITY,
                opened_by=CITY,
                kind="finding",
                dataset=DATASET,
                statement="请核对",
                opened_at=opened,
                due_on=month.replace(day=25),
                rule="required",
                field="person_name",
            )
            ticket = tickets.open_ticket(connection, new)
            answered = Acting("演练", opened + timedelta(days=2 + month.month))
            tickets.answer(connection, ticket, Answer("corrected", "已核对"), answered)
            tickets.close(connection, ticket, {"without_correction": "核实"}, answered)
        desk, scheme = office.on(TODAY), schemes.load()
        past = Past(connection, desk.catalogue, scheme, WITHIN, desk.settings.now())
        for month in WITHIN:
            maker = Maker(connection, desk.catalogue, scheme, month, desk.settings.now())
            at_once = past.month(month)
            for agency in (*BOTH, "hrss"):
                found = maker.content(agency)
                alone = headlines(found.standings, found.figures, scheme)
                assert at_once.headlines(agency) == alone, (month, agency)
