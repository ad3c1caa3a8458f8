"""`onecard report`: the agencies' monthly, weekly and daily reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, get_args

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.options import Json
from onecard.errors import UsageError, unknown
from onecard.operations import printing, reports
from quality.reports.facts import following
from quality.reports.scheme import Language


def report(  # noqa: PLR0913 - one parameter for each option
    *,
    agency: Annotated[
        list[str] | None, typer.Option(help="Agency; bureau: the whole city. Default: all.")
    ] = None,
    month: Annotated[str, typer.Option(help="Month, e.g. 2026-10. Default: this month.")] = "",
    week: Annotated[str, typer.Option(help="A week, e.g. 2026-W44: its list of problems.")] = "",
    day: Annotated[str, typer.Option(help="A day, e.g. 2026-10-31: the daily report.")] = "",
    pdf: Annotated[bool, typer.Option("--pdf", help="Print the pages to PDF as well.")] = False,
    lang: Annotated[list[str] | None, typer.Option(help="zh or en. Default: both.")] = None,
    json: Json = False,
) -> None:
    """Write agencies' reports: HTML pages, the problem list as a workbook, and PDF by Chromium.

    Args:
        agency: ids; `bureau` is the whole city; None: all.
        month: e.g. `2026-10`; empty: this month.
        week: e.g. `2026-W44` (ISO 8601): its list of problems; empty: none.
        day: e.g. `2026-10-31`: the daily report; empty: the monthly one.
        pdf: print each page to a PDF beside it.
        lang: `zh`, `en`; None: both.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        hub = Hub()
        agencies, languages = _agencies(hub, agency or []), _languages(lang or [])
        write, first = _chosen(hub, {"month": month, "week": week, "day": day})
        if pdf:
            printing.browser()  # before anything is written
        files = write(hub, first, agencies, languages)
        if pdf:
            files += printing.print_all(files)
        if json:
            output.emit({"files": [str(f) for f in files]})
        else:
            output.say("\n".join(str(f) for f in files))


def _agencies(hub: Hub, wanted: Iterable[str]) -> tuple[str, ...]:
    known = reports.reporting(hub)
    for name in wanted:
        if name not in known:
            raise UsageError(unknown("agency", name, known))
    return tuple(wanted) or known


def _languages(wanted: Iterable[str]) -> tuple[Language, ...]:
    known: tuple[Language, ...] = get_args(Language)
    for name in wanted:
        if name not in known:
            raise UsageError(unknown("language", name, known))
    return tuple(language for language in known if language in wanted) or known


def _chosen(hub: Hub, wanted: Mapping[str, str]) -> tuple[Callable[..., list[Path]], date]:
    """What writes the report, and the first day of its month, its week, or the day."""
    given = {name: text for name, text in wanted.items() if text}
    if len(given) > 1:
        msg = "report: give one of --month, --week and --day"
        raise UsageError(msg)
    if not given:
        return reports.write_monthly, hub.settings.now().date().replace(day=1)
    ((name, text),) = given.items()
    if name == "day":
        first = last = _day(text)
    elif name == "week":
        first = _week(text)
        last = first + timedelta(days=6)
    else:
        first = _month(text)
        last = following(first) - timedelta(days=1)
    _there(hub, first, last, f"--{name} {text}")
    writers = {"month": reports.write_monthly, "week": reports.write_weekly}
    return writers.get(name, reports.write_daily), first


def _month(text: str) -> date:
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text):
        msg = f"--month {text!r}: write a month as 2026-10"
        raise UsageError(msg)
    return date.fromisoformat(f"{text}-01")


def _week(text: str) -> date:
    """The Monday of a week as ISO 8601 writes it."""
    found = re.fullmatch(r"(\d{4})-W(\d{2})", text)
    try:
        if found:
            return date.fromisocalendar(int(found[1]), int(found[2]), 1)
    except ValueError:  # a year has 52 or 53 weeks
        found = None
    msg = f"--week {text!r}: write a week as 2026-W44"
    raise UsageError(msg)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = f"--day {text!r}: write a day as 2026-10-31"
        raise UsageError(msg) from None


def _there(hub: Hub, first: date, last: date, what: str) -> None:
    """Refuse days on which there was nothing yet."""
    today = hub.settings.now().date()
    if first > today:
        msg = f"{what} is in the future: today is {today}"
        raise UsageError(msg)
    began = reports.first_day(hub)
    if began is not None and last < began:
        msg = f"{what} is before the hub's first transfer, of {began}"
        raise UsageError(msg)
