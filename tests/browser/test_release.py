"""An engineer lets a held collect pass, in the browser: what is seen, and what is on record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from onecard.portal.pages import Words
from onecard.store import audit, holds, releases, transfers
from tests.browser.holding import ECARDS, held
from tests.browser.served import PREFIX, ServedPortal
from tests.browser.walk import ledger, log_in

pytestmark = [
    pytest.mark.nightly,
    # Greenlets of Playwright leave their sockets to the collector at the end.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
ENGINEER, REASON = "admin", "来函核实，口径调整"
say = Words("zh")


def test_an_engineer_releases_a_held_collect(chromium: Any, portal: ServedPortal) -> None:
    known = portal.stage.hub(portal.day).catalogue
    with held(portal, ECARDS) as number:
        nowhere_for_stewards(log_in(chromium, portal, "hrss"), portal, number)
        page = log_in(chromium, portal, ENGINEER)
        page.click(f"nav a:has-text('{say('engineer_desk')}')")
        page.click(f"main a:has-text('{say('engineer_holds')}')")
        page.click(f"main a[href$='/holds/collect-{number}']")
        assert known.contract(ECARDS).title in page.inner_text("h1")
        assert "shrinkage" in page.inner_text("main dl")
        page.fill("#reason", REASON)
        page.click("main form button")
        assert say("hold_waits_no_more") in page.inner_text("main .lead")
        assert f"{say('released_by')} {ENGINEER}" in page.inner_text("main dl")
        page.context.close()
        with ledger(portal) as connection:
            assert transfers.status(connection, number) == "published"
            assert number not in {h.number for h in holds.holds(connection, known)}
            (given,) = releases.of(connection, number)
            noted = [e for e in audit.newest(connection, 20) if e.kind == "collect.released"]
        assert (given.finding, given.by, given.reason) == ("shrinkage", ENGINEER, REASON)
        assert [(e.subject, e.actor) for e in noted] == [(ECARDS, ENGINEER)]
        assert json.loads(noted[0].body)["transfer"] == number


def nowhere_for_stewards(page: Any, portal: ServedPortal, number: int) -> None:
    """Not in the menu, and not by its address."""
    assert say("engineer_desk") not in page.inner_text("nav")
    for address in ("engineer/holds", f"engineer/holds/collect-{number}"):
        found = page.goto(f"{portal.url}{PREFIX}/{address}")
        assert found is not None
        assert found.status == 404
    page.context.close()
