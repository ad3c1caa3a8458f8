"""`onecard report`: the agencies' monthly and daily reports."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Annotated, get_args

import typer

from onecard.app.wiring import Hub
from onecard.cli import output
from onecard.cli.options import Json
from onecard.errors import UsageError, unknown
from onecard.operations import reports
from quality.reports.scheme import Language


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
    """Write agencies' reports: HTML pages, and the problem list as a workbook.

    Args:
        agency: ids; `bureau` is the whole city; None: all.
        month: e.g. `2026-10`; empty: this month.
        day: e.g. `2026-10-31`: the daily report; empty: the monthly one.
        lang: `zh`, `en`; None: both.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        hub = Hub()
        agencies, languages = _agencies(hub, agency or []), _languages(lang or [])
        if day and month:
            msg = "report: give --month or --day, not both"
            raise UsageError(msg)
        if day:
            files = reports.write_daily(hub, _day(hub, day), agencies, languages)
        else:
            files = reports.write_monthly(hub, _month(hub, month), agencies, languages)
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


def _month(hub: Hub, text: str) -> date:
    if not text:
        return hub.settings.now().date().replace(day=1)
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text):
        msg = f"--month {text!r}: write a month as 2026-10"
        raise UsageError(msg)
    month = date.fromisoformat(f"{text}-01")
    _not_ahead(hub, month, f"--month {text}")
    return month


def _day(hub: Hub, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        msg = f"--day {text!r}: write a day as 2026-10-31"
        raise UsageError(msg) from None
    _not_ahead(hub, day, f"--day {text}")
    return day


def _not_ahead(hub: Hub, day: date, what: str) -> None:
    today = hub.settings.now().date()
    if day > today:
        msg = f"{what} is in the future: today is {today}"
        raise UsageError(msg)
