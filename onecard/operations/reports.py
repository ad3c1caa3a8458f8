"""The agencies' reports, from the ledger to files: of a month, a week, a day, due after a night."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

from onecard.base import files as whole_file
from onecard.base.times import ZONE
from onecard.operations import issued
from onecard.ports.desk import Desk
from onecard.store import database, holds, transfer_history
from quality.reports import content, facts, pages, week, workbook
from quality.reports import scheme as schemes
from quality.reports.corrections import headlines, judged_by
from quality.reports.past import Past
from quality.reports.scheme import Language
from quality.reports.scope import CITY

STAYS_OPEN = 5
"""Until this day of a month, the last month's report takes in what was answered meanwhile."""

Told = Callable[[str], None]
"""Is told of each agency's finished report: whose, and of which month or day."""


def _nobody(_report: str) -> None:
    """Nobody waits for the reports."""


def write_monthly(
    desk: Desk,
    month: date,
    agencies: Sequence[str] = (),
    languages: Sequence[Language] = get_args(Language),
    told: Told = _nobody,
) -> list[Path]:
    """Write monthly reports and problem workbooks below `reports/<agency>`; returns the files.

    What a report says otherwise than before is marked as a correction once its month is closed.

    Args:
        desk: the hub.
        month: its first day.
        agencies: whose; without any, all that have a report.
        languages: of the pages; the workbook is written in the first. Of a closed month both: each
            says what was corrected.
        told: is called after each agency's report.
    """
    scheme, closed = schemes.load(), _closed_on(desk, month)
    if closed is not None:
        languages = get_args(Language)
    writers = [pages.Writer(desk.catalogue, scheme, language) for language in languages]
    files: list[Path] = []
    with database.connect(desk.address, autocommit=True) as connection:
        maker = content.Maker(connection, desk.catalogue, scheme, month, desk.settings.now())
        for agency in agencies or reporting(desk):
            found = maker.content(agency)
            folder = _folder(desk, agency)
            now = headlines(found.standings, found.figures, scheme)
            judged = judged_by(scheme, desk.catalogue, agency)
            known = issued.said(folder, month, now, judged, closed)
            for writer in writers:
                name = f"monthly-{month:%Y-%m}.{writer.language}.html"
                page = writer.monthly(found, known.corrections)
                files.append(whole_file.write(folder / name, page))
            columns, rows = writers[0].problem_rows(found)
            file = folder / f"problems-{month:%Y-%m}.xlsx"
            workbook.write(file, writers[0].say("s6"), columns, rows)
            files.append(file)
            issued.keep(folder, month, known)  # last: what failed before is written again
            told(f"{agency} {month:%Y-%m}")
    return files


def write_daily(
    desk: Desk,
    day: date,
    agencies: Sequence[str] = (),
    languages: Sequence[Language] = get_args(Language),
    told: Told = _nobody,
) -> list[Path]:
    """Write the reports of one day below `reports/<agency>`; returns the files.

    Only today's says what is held: what waited on an earlier day is not what waits now.

    Args:
        desk: the hub.
        day: in the hub's time zone.
        agencies: whose; without any, all that have a report.
        languages: of the pages.
        told: is called after each agency's report.
    """
    scheme = schemes.load()
    writers = [pages.Writer(desk.catalogue, scheme, language) for language in languages]
    files: list[Path] = []
    with database.connect(desk.address, autocommit=True) as connection:
        span = facts.Period(day, day + timedelta(days=1))
        maker = content.Maker(connection, desk.catalogue, scheme, span, desk.settings.now())
        held = holds.holds(connection, desk.catalogue) if day == desk.settings.now().date() else []
        for agency in agencies or reporting(desk):
            found = maker.content(agency)
            for writer in writers:
                name = f"daily-{day}.{writer.language}.html"
                page = writer.daily(day, found, held)
                files.append(whole_file.write(_folder(desk, agency) / name, page))
            told(f"{agency} {day}")
    return files


def write_weekly(
    desk: Desk,
    monday: date,
    agencies: Sequence[str] = (),
    languages: Sequence[Language] = get_args(Language),
    told: Told = _nobody,
) -> list[Path]:
    """Write the weekly lists of problems below `reports/<agency>`; returns the files.

    Args:
        desk: the hub.
        monday: first day of the week.
        agencies: whose; without any, all that have a report.
        languages: of the pages; the workbook is written in the first.
        told: is called after each agency's list.
    """
    scheme, name = schemes.load(), week.named(monday)
    writers = [pages.Writer(desk.catalogue, scheme, language) for language in languages]
    files: list[Path] = []
    with database.connect(desk.address, autocommit=True) as connection:
        maker = week.WeekMaker(connection, desk.catalogue, monday, desk.settings.now())
        for agency in agencies or reporting(desk):
            found = maker.content(agency)
            folder = _folder(desk, agency)
            for writer in writers:
                page = folder / f"weekly-{name}.{writer.language}.html"
                files.append(whole_file.write(page, writer.weekly(found)))
            columns, rows = writers[0].week_rows(found)
            file = folder / f"weekly-{name}.xlsx"
            workbook.write(file, writers[0].say("week_list"), columns, rows)
            files.append(file)
            told(f"{agency} {name}")
    return files


def write_due(desk: Desk, *, looking_back: bool = False, told: Told = _nobody) -> list[Path]:
    """What is due after a night: today's report, this month's, and the last month's until the 5th.

    The list of the week that has ended is written once, after the first night since.

    Args:
        desk: the hub.
        looking_back: write the last month's on any day, if the hub ran then.
        told: is called after each agency's report.
    """
    today = desk.settings.now().date()
    month = today.replace(day=1)
    last = (month - timedelta(days=1)).replace(day=1)
    began = first_day(desk) or today
    files = write_daily(desk, today, told=told) + write_monthly(desk, month, told=told)
    monday = today - timedelta(days=today.weekday())
    city = _folder(desk, CITY) / f"weekly-{week.named(monday - week.WEEK)}.xlsx"
    if began < monday and not city.exists():
        files += write_weekly(desk, monday - week.WEEK, told=told)
    ran = began < month
    if ran and (looking_back or today.day <= STAYS_OPEN):
        files += write_monthly(desk, last, told=told)
    return files + restate(desk, told=told)


def restate(desk: Desk, told: Told = _nobody) -> list[Path]:
    """Write anew the reports of closed months whose headlines have changed since; the files.

    Args:
        desk: the hub.
        told: is called after each agency's report.
    """
    scheme, now, month = (
        schemes.load(),
        desk.settings.now(),
        desk.settings.now().date().replace(day=1),
    )
    oldest = facts.before(month, content.HISTORY - 1)
    known = {a: set(issued.months(_folder(desk, a))) for a in reporting(desk)}
    wanted = sorted(
        m for m in set().union(*known.values()) if m >= oldest and _closed_on(desk, m) is not None
    )
    if not wanted:
        return []
    changed: dict[date, list[str]] = {}
    with database.connect(desk.address, autocommit=True) as connection:
        past = Past(connection, desk.catalogue, scheme, wanted, now)
        for each in wanted:
            standing = past.month(each)
            for agency in (a for a, months in known.items() if each in months):
                before = issued.read(_folder(desk, agency), each)
                if before is None or before.scheme != judged_by(scheme, desk.catalogue, agency):
                    continue
                if before.headlines != standing.headlines(agency):
                    changed.setdefault(each, []).append(agency)
    return [
        file
        for m, agencies in changed.items()
        for file in write_monthly(desk, m, agencies, told=told)
    ]


def _closed_on(desk: Desk, month: date) -> date | None:
    """The hub's day, where the month's report is closed; None: it takes in what comes."""
    today = desk.settings.now().date()
    return today if today >= facts.following(month) + timedelta(days=STAYS_OPEN) else None


def first_day(desk: Desk) -> date | None:
    """The day of the hub's first transfer: before it there is nothing to report."""
    with database.connect(desk.address, autocommit=True) as connection:
        first = transfer_history.first_time(connection)
    return first.astimezone(ZONE).date() if first is not None else None


def reporting(desk: Desk) -> tuple[str, ...]:
    """Agencies that have a report: all that provide, and the bureau for the whole city.

    None while all that an agency provides is onboarding: there is nothing to judge.
    """
    known = desk.catalogue
    on_board = {c.agency for c in known.contracts.values() if not known.onboarding(c.id)}
    return (*sorted(on_board), CITY)


def _folder(desk: Desk, agency: str) -> Path:
    return desk.settings.home / "reports" / agency
