"""Something of one agency for each name in the addresses of the portal's routes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date

from onecard.model.attachments import NewAttachment
from onecard.operations.reports import write_monthly
from onecard.portal import app, nights
from onecard.store import (
    agreement_lives,
    attachments,
    database,
    incidents,
    quality_problems,
    transfers,
)
from tests.browser.served import ServedPortal
from tests.browser.walk import beside, challenge, worst

AGENCY = "health"
AGREEMENT = "f20-health-hrss-death"
"""Of its own data; it waits for an approval while the things are there."""
MONTH = date(2026, 10, 1)
WRONG = "person_id18,person_name,death_date,source_updated_at,source_seq\n1,,2027-13-01,x,y\n"
"""A file of deaths in which nothing is right."""


@contextmanager
def made(portal: ServedPortal) -> Iterator[Mapping[str, str]]:
    """A report, a problem with rows, a ticket, an agreement that waits; by name in the routes.

    Args:
        portal: whose newest night has found problems.
    """
    hub = portal.stage.hub(portal.day)
    beside(lambda: write_monthly(hub, MONTH, (AGENCY,)))
    problem = worst(portal, AGENCY)
    with database.connect(hub.address, autocommit=True) as connection:
        agreement = hub.catalogue.agreement(AGREEMENT)
        agreement_lives.suspend(connection, agreement, "演练", "演练中止")
        (row,) = quality_problems.rows(connection, problem.id, 0, 1)
        ticket, now = challenge(portal, problem).id, hub.settings.now()
        sent = NewAttachment("txt", b"evidence", AGENCY, AGENCY, now)
        with connection.transaction():
            attached = attachments.add(connection, ticket, sent, hub.keys, hub.suite)
        held = transfers.open_transfer(connection, "deliver", AGREEMENT, "1", now)
        transfers.record_end(connection, held, "held", f"{AGREEMENT}: 9000 rows, usually 10")
        incidents.open_incident(connection, AGREEMENT, held, "PR-05", 3)
        incident = incidents.open_ones(connection)[-1].id
        ((receipt,),) = connection.execute(
            "SELECT max(transfer) FROM ledger.receipt JOIN ledger.transfer ON id = transfer"
            " WHERE subject LIKE %s",
            (f"%-{AGENCY}-%",),
        ).fetchall()
        yield {
            "agency": AGENCY,
            "report": f"monthly-{MONTH:%Y-%m}.zh.html",
            "agreement": AGREEMENT,
            "ticket": str(ticket),
            "attachment": str(attached.number),
            "problem": str(problem.id),
            "record": str(row.id),
            "receipt": str(receipt),
            "entry": "1",
            "night": nights.listed(hub.settings.home)[0].day,
            "hold": f"deliver-{held}",
            "incident": str(incident),
        }
        incidents.close(connection, incident)
        transfers.record_end(connection, held, "failed", "演练中止")
        agreement_lives.approve(connection, agreement, "演练", "演练〔1〕号")


def addresses(things: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each page of the portal's own table of routes, and who looks at it.

    Args:
        things: by name in the routes; for each new name there must be one.
    """
    for method, route, _ in app.ROUTES:
        if method == "GET":
            user = "admin" if route.startswith("/engineer") else AGENCY
            yield re.sub(r"\{(\w+)\}", lambda found: things[found[1]], route), user
