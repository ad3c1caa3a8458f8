"""The nights' pages on the engineer's desk: the newest, those before it."""

from __future__ import annotations

from itertools import groupby

from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup, escape

from onecard.portal import nights, security
from onecard.portal.answers import page
from onecard.portal.guard import Visit
from onecard.portal.nights import Night
from onecard.portal.objects import there
from onecard.portal.pages import LANGUAGES, Words, path
from onecard.portal.view import Routes

BAR = ("holds", "incidents", "nights")
"""Where the bar of a served night leads to, beside the desk."""


def newest_night(visit: Visit) -> Response:
    """The newest night; before the first one, the list says that there is none."""
    found = nights.listed(visit.site.settings.home)
    return _served(visit, found[0]) if found else night_list(visit)


def night_list(visit: Visit) -> Response:
    """All nights by month, the newest first."""
    found = nights.listed(visit.site.settings.home)
    months = [(month, list(of)) for month, of in groupby(found, key=lambda night: night.month)]
    return page(visit, "nights", months=months)


def night(visit: Visit) -> Response:
    """One night."""
    return _served(visit, there(visit.night))


def _served(visit: Visit, found: Night) -> Response:
    """The file, with links to the desk in the place of its marks."""
    text = found.path.read_text(encoding="utf-8")
    return HTMLResponse(
        nights.linked(text, _bar(visit), lambda part, key: _link(visit, part, key)),
        headers={"Content-Security-Policy": security.REPORT_POLICY},
    )


def _bar(visit: Visit) -> Markup:
    say = Words(visit.language)
    desk = say("engineer_desk")
    places = {path(visit.request, "engineer"): desk}
    places |= {path(visit.request, "engineer", part): say(f"engineer_{part}") for part in BAR}
    item = Markup('<li><a href="{}">{}</a></li>')
    items = (item.format(place, word) for place, word in places.items())
    lang = LANGUAGES[visit.language]
    head = Markup('<nav class="desk" lang="{}" aria-label="{}"><ul>').format(lang, desk)
    return head + Markup("").join(items) + Markup("</ul></nav>")


def _link(visit: Visit, part: str, key: str) -> Markup:
    word = escape(Words(visit.language)("handle"))
    return Markup(' <a href="{}">{}</a>').format(path(visit.request, "engineer", part, key), word)


ROUTES: Routes = (
    ("GET", "/engineer/night", newest_night),
    ("GET", "/engineer/nights", night_list),
    ("GET", "/engineer/nights/{night}", night),
)
