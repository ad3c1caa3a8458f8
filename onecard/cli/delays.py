"""When residents are told of calls about them: agreements delay."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

import typer

from onecard.app.hub_desk import HubDesk
from onecard.cli import output
from onecard.errors import UsageError
from onecard.store import database, disclosure_delays
from onecard.store.disclosure_delays import Delay


def delay(
    agreement: Annotated[str, typer.Argument(help="Id of a query or verify agreement.")],
    *,
    case: Annotated[str, typer.Option(help="Number of the case.")],
    until: Annotated[str, typer.Option(metavar="DATE", help="Residents are told from then on.")],
    basis: Annotated[str, typer.Option(help="Statute and article.")],
    by: Annotated[str, typer.Option("--by", help="Who decides, by name or office.")],
) -> None:
    """Tell residents of a case's calls only from a day on, on a basis in law; audited.

    Args:
        agreement: its id.
        case: number of the case.
        until: a day, as 2027-03-01.
        basis: statute and article.
        by: who decides.
    """
    with output.errors_as_exit_codes():
        hub = HubDesk()
        found = hub.catalogue.agreement(agreement)
        if found.asking is None or not re.fullmatch(found.asking.case, case):
            msg = f"{agreement}: --case is no case number of this agreement"
            raise UsageError(msg)
        made = Delay(agreement, case, _day(until), basis)
        with database.connect(hub.address, autocommit=True) as connection:
            disclosure_delays.put(connection, made, by, hub.settings.now().date())
        output.say(f"{agreement}: residents are told of case {case} from {made.until} on")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = "--until: write a day, e.g. 2027-03-01"
        raise UsageError(msg) from None
