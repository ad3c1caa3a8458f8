"""`onecard report`: the agencies' monthly and daily reports, from the ledger to files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, get_args

import typer

from onecard.app.wiring import Hub
from onecard.base import files as whole_file
from onecard.base.settings import ZONE
from onecard.cli import output
from onecard.cli.operate import Json
from onecard.errors import ConfigError, unknown
from onecard.store import database, holds, transfer_history
from quality.reports import scheme as schemes
from quality.reports.scheme import Language

CITY = "bureau"
"""Whose report is the whole city's."""
STAYS_OPEN = 5
"""Until this day of a month, the last month's report takes in what was answered meanwhile."""


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command()(report)


def report(
    *,
    agency: Annotated[
        list[str] | None, typer.Option(help="Agency; bureau: the whole city. Default: all.")
    ] = None,
    month: Annotated[str, typer.Option(help="Month, e.g. 2026-10. Default: this month.")] = "",
    day: Annotated[str, typer.Option(help="A day, e.g. 2026-10-31: the daily report.")] = "",
    lang: Annotated[list[str] | None, typer.Option(help="zh or en. Default: both.")] = None,
    json: Json = False,
) -> None:
    """Write agencies' reports: HTML pages, and the problem list as a workbook."""
    with output.errors_as_exit_codes():
        hub = Hub()
        agencies, languages = _agencies(hub, agency or []), _languages(lang or [])
        if day and month:
            msg = "report: give --month or --day, not both"
            raise ConfigError(msg)
        if day:
            files = write_daily(hub, _day(day), agencies, languages)
        else:
            files = write_monthly(hub, _month(hub, month), agencies, languages)
        if json:
            output.emit({"files": [str(f) for f in files]})
        else:
            output.say("\n".join(str(f) for f in files))


def write_monthly(
    hub: Hub,
    month: date,
    agencies: Sequence[str] = (),
    languages: Sequence[Language] = get_args(Language),
) -> list[Path]:
    """Write monthly reports and problem workbooks below `reports/<agency>`; returns the files.

    `month` is its first day; without `agencies`, all that have a report.
    """
    from quality.reports import content, pages, workbook  # noqa: PLC0415 - charts are heavy

    scheme = schemes.load()
    writers = [pages.Writer(hub.catalogue, scheme, language) for language in languages]
    files: list[Path] = []
    with database.connect(hub.address, autocommit=True) as connection:
        maker = content.Maker(connection, hub.catalogue, scheme, month, hub.settings.now())
        for agency in agencies or reporting(hub):
            found = maker.content(agency)
            folder = _folder(hub, agency)
            for writer in writers:
                name = f"monthly-{month:%Y-%m}.{writer.language}.html"
                files.append(whole_file.write(folder / name, writer.monthly(found)))
            columns, rows = writers[0].problem_rows(found)
            file = folder / f"problems-{month:%Y-%m}.xlsx"
            workbook.write(file, writers[0].say("s6"), columns, rows)
            files.append(file)
    return files


def write_daily(
    hub: Hub,
    day: date,
    agencies: Sequence[str] = (),
    languages: Sequence[Language] = get_args(Language),
) -> list[Path]:
    """Write the reports of one day below `reports/<agency>`; returns the files.

    Only today's says what is held: what waited on an earlier day is not what waits now.
    """
    from quality.reports import content, facts, pages  # noqa: PLC0415 - charts are heavy

    scheme = schemes.load()
    files: list[Path] = []
    with database.connect(hub.address, autocommit=True) as connection:
        span = facts.Days(day, day + timedelta(days=1))
        maker = content.Maker(connection, hub.catalogue, scheme, span, hub.settings.now())
        held = holds.holds(connection, hub.catalogue) if day == hub.settings.now().date() else []
        for agency in agencies or reporting(hub):
            found = maker.content(agency)
            for language in languages:
                writer = pages.Writer(hub.catalogue, scheme, language)
                name = f"daily-{day}.{language}.html"
                page = writer.daily(day, found, held)
                files.append(whole_file.write(_folder(hub, agency) / name, page))
    return files


def write_due(hub: Hub, *, looking_back: bool = False) -> list[Path]:
    """What is due after a night: today's report, this month's, and the last month's until the 5th.

    `looking_back` writes the last month's on any day, if the hub ran then.
    """
    today = hub.settings.now().date()
    month = today.replace(day=1)
    last = (month - timedelta(days=1)).replace(day=1)
    with database.connect(hub.address, autocommit=True) as connection:
        first = transfer_history.first_time(connection)
    files = write_daily(hub, today) + write_monthly(hub, month)
    ran = first is not None and first.astimezone(ZONE).date() < month
    if ran and (looking_back or today.day <= STAYS_OPEN):
        files += write_monthly(hub, last)
    return files


def reporting(hub: Hub) -> tuple[str, ...]:
    """Agencies that have a report: all that provide, and the bureau for the whole city."""
    return (*sorted({c.agency for c in hub.catalogue.contracts.values()}), CITY)


def _folder(hub: Hub, agency: str) -> Path:
    return hub.settings.home / "reports" / agency


def _agencies(hub: Hub, wanted: Iterable[str]) -> tuple[str, ...]:
    known = reporting(hub)
    for name in wanted:
        if name not in known:
            raise ConfigError(unknown("agency", name, known))
    return tuple(wanted) or known


def _languages(wanted: Iterable[str]) -> tuple[Language, ...]:
    known: tuple[Language, ...] = get_args(Language)
    for name in wanted:
        if name not in known:
            raise ConfigError(unknown("language", name, known))
    return tuple(language for language in known if language in wanted) or known


def _month(hub: Hub, text: str) -> date:
    if not text:
        return hub.settings.now().date().replace(day=1)
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text):
        msg = f"--month {text!r}: write a month as 2026-10"
        raise ConfigError(msg)
    return date.fromisoformat(f"{text}-01")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = f"--day {text!r}: write a day as 2026-10-31"
        raise ConfigError(msg) from None
