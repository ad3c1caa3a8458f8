"""The calendar of freshness: of an agency's datasets, and of all for who sees every agency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from fastapi.responses import Response
from markupsafe import Markup

from onecard.base import workdays
from onecard.portal import nights, reports
from onecard.portal.answers import hub, page
from onecard.portal.guard import Visit
from onecard.portal.pages import Words, address
from onecard.portal.view import Routes
from onecard.stewardship import arrivals
from onecard.stewardship.arrivals import ARRIVALS, Arrival
from schemas.models.contract import Contract

TO_PROBLEMS = ("late", "missing", "held", "failed")
"""What leads to the problems of its dataset, where what is held and the newest collect stand."""


@dataclass(frozen=True, slots=True)
class DayHead:
    """A day's column.

    Attributes:
        report: address of the agency's report of that day, at the engineer's desk of the night's;
            empty where there is none.
    """

    day: date
    off: bool
    report: str


def of_agency(visit: Visit) -> Response:
    """Of the agency's datasets."""
    contracts = [c for c in visit.catalogue.collected.values() if c.agency == visit.agency]
    return _page(visit, contracts, _daily_reports(visit))


def of_all(visit: Visit) -> Response:
    """Of every dataset."""
    return _page(visit, visit.catalogue.collected.values(), _nights(visit))


def _page(visit: Visit, contracts: Iterable[Contract], daily: dict[date, str]) -> Response:
    today = visit.site.settings.now().date()
    with hub(visit) as connection:
        found = arrivals.calendar(connection, contracts, today)
    say = Words(visit.language)
    heads = [DayHead(d, not workdays.is_workday(d), daily.get(d, "")) for d in found.days]
    return page(
        visit,
        "calendar",
        found=found,
        heads=heads,
        months=[
            (month, len(list(days))) for month, days in groupby(f"{d:%Y-%m}" for d in found.days)
        ],
        arrivals=ARRIVALS,
        cells={a: _cell(a, say(f"arrival_mark_{a}")) for a in ARRIVALS},
        linked=TO_PROBLEMS,
        problems={
            c.contract.id: address(
                visit.request, c.contract.agency, "problems", dataset=c.contract.id
            )
            for c in found.courses
        },
    )


def _cell(arrival: Arrival, mark: str) -> Markup:
    """The cell of a day on which nothing is to be done: a page has hundreds of few kinds."""
    return Markup('<td class="a-{}">{}</td>').format(arrival, mark)


def _daily_reports(visit: Visit) -> dict[date, str]:
    """Address of the report of each day that has one, in the page's language."""
    return {
        date.fromisoformat(r.period): address(visit.request, visit.agency, "reports", r.name)
        for r in reports.listed(visit.site.settings.home, visit.agency)
        if r.kind == "daily" and r.language == visit.language and r.path.suffix == ".html"
    }


def _nights(visit: Visit) -> dict[date, str]:
    """Address of the page of each night that has one."""
    return {
        date.fromisoformat(night.day): address(visit.request, "engineer", "nights", night.day)
        for night in nights.listed(visit.site.settings.home)
    }


ENGINEER_ROUTES: Routes = (("GET", "/engineer/calendar", of_all),)
