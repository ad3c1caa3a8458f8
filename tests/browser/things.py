"""Something of one agency for each name in the addresses of the portal's routes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime

from onecard.model.attachments import NewAttachment
from onecard.operations.night_report import write_report
from onecard.operations.reports import write_monthly
from onecard.portal import app
from onecard.store import (
    agreement_lives,
    attachments,
    database,
    incidents,
    quality_problems,
    transfers,
)
from onecard.store.database import Connection
from tests.browser.holding import PENSIONS, held
from tests.browser.served import ServedPortal
from tests.browser.walk import beside, challenge, worst

AGENCY = "health"
AGREEMENT = "f20-health-hrss-death"
"""Of its own data; it waits for an approval while the things are there."""
MONTH = date(2026, 10, 1)
DOWNLOADS = ("/{attachment}", "/file")
"""How the addresses of downloads end."""
WRONG = "person_id18,person_name,death_date,source_updated_at,source_seq\n1,,2027-13-01,x,y\n"
"""A file of deaths in which nothing is right."""


@contextmanager
def made(portal: ServedPortal) -> Iterator[Mapping[str, str]]:
    """Something for each name in the routes, by that name.

    Args:
        portal: whose newest night has found problems.
    """
    hub = portal.stage.hub(portal.day)
    now = hub.settings.now()
    beside(lambda: write_monthly(hub, MONTH, (AGENCY,)))
    write_report(hub)
    problem = worst(portal, AGENCY)
    with (
        held(portal, PENSIONS) as number,
        database.connect(hub.address, autocommit=True) as connection,
    ):
        agreement = hub.catalogue.agreement(AGREEMENT)
        agreement_lives.suspend(connection, agreement, "演练", "演练中止")
        (row,) = quality_problems.rows(connection, problem.id, 0, 1)
        ticket = challenge(portal, problem).id
        sent = NewAttachment("txt", b"evidence", AGENCY, AGENCY, now)
        with connection.transaction():
            attached = attachments.add(connection, ticket, sent, hub.keys, hub.suite)
        yield {
            "agency": AGENCY,
            "report": f"monthly-{MONTH:%Y-%m}.zh.html",
            "agreement": AGREEMENT,
            "ticket": str(ticket),
            "attachment": str(attached.number),
            "problem": str(problem.id),
            "record": str(row.id),
            "receipt": str(_receipt(connection)),
            "entry": "1",
            "night": f"{now:%Y-%m-%d}",
            "hold": f"collect-{number}",
            "incident": str(_incident(connection, now)),
        }
        agreement_lives.approve(connection, agreement, "演练", "演练〔1〕号")


def _receipt(connection: Connection) -> int:
    """The newest delivery that the agency gives or gets."""
    ((found,),) = connection.execute(
        "SELECT max(transfer) FROM ledger.receipt JOIN ledger.transfer ON id = transfer"
        " WHERE subject LIKE %s",
        (f"%-{AGENCY}-%",),
    ).fetchall()
    return int(str(found))


def _incident(connection: Connection, now: datetime) -> int:
    """An open incident of a delivery that a rule has blocked."""
    number = transfers.open_transfer(connection, "deliver", AGREEMENT, "1", now)
    transfers.record_end(connection, number, "failed", "PR-05 blocks")
    incidents.open_incident(connection, AGREEMENT, number, "PR-05", 1_234)
    return incidents.open_ones(connection)[-1].id


def addresses(things: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each page of the portal's own table of routes, and who looks at it; downloads are none.

    Args:
        things: by name in the routes; for each new name there must be one.
    """
    for method, route, _ in app.ROUTES:
        if method == "GET" and not route.endswith(DOWNLOADS):
            user = "admin" if route.startswith("/engineer") else AGENCY
            yield re.sub(r"\{(\w+)\}", lambda found: things[found[1]], route), user
