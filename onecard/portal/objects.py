"""The objects that a route's address names, as the guard looks for them.

An object of another agency does not exist for a visitor: 404, as for one that is nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from fastapi import HTTPException

from onecard.crypto.audit_format import Entry
from onecard.model.attachments import Attachment
from onecard.model.holds import agency_of
from onecard.model.quality_problems import KnownProblem
from onecard.model.tickets import Ticket
from onecard.portal import agreement_lines, hold_lines, nights, reports
from onecard.portal.hold_lines import HeldThing
from onecard.portal.nights import Night
from onecard.portal.reports import Report
from onecard.portal.request_session import RequestSession
from onecard.portal.site import Site
from onecard.portal.typed import id_of
from onecard.stewardship import receipt_check
from onecard.store import attachments, audit, incidents, quality_problems, receipts, tickets
from onecard.store.database import Connection
from onecard.store.incidents import Incident
from onecard.store.receipts import Receipt
from schemas.models.agreement import Agreement
from schemas.models.catalogue import Catalogue

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Objects:
    """What an address names; everything in it, the page's agency may see.

    Attributes:
        record: a rejected row that is one of the problem's open rows; 0: none is asked for.
        attachment: a file of the ticket.
        receipt: that concerns the page's agency; at the engineer's desk any.
        entry: of the audit log; at the engineer's desk only, as `night`, `hold` and `incident`.
    """

    agreement: Agreement | None = None
    ticket: Ticket | None = None
    attachment: Attachment | None = None
    report: Report | None = None
    problem: KnownProblem | None = None
    record: int = 0
    receipt: Receipt | None = None
    entry: Entry | None = None
    night: Night | None = None
    hold: HeldThing | None = None
    incident: Incident | None = None


def there(found: T | None) -> T:
    """What a route's address names.

    Raises:
        HTTPException: 404: the route names none, or it is nowhere.
    """
    if found is None:
        raise HTTPException(404)
    return found


def has_dataset(catalogue: Catalogue, agency: str, dataset: str) -> bool:
    """Whether a dataset is the agency's, and still has a contract.

    Args:
        catalogue: contracts.
        agency: its id.
        dataset: `<agency>/<dataset>`, as the ledger names it.
    """
    return agency_of(dataset) == agency and dataset in catalogue.contracts


@dataclass(frozen=True, slots=True)
class Finder:
    """Looks for what an address names.

    Attributes:
        session: of the request.
        agency: whose page it is; empty at the engineer's desk.
        named: parts of the address by name.
    """

    site: Site
    session: RequestSession
    catalogue: Catalogue
    agency: str
    named: Mapping[str, str]

    def all(self) -> Objects:
        """Everything that the address names.

        Raises:
            HTTPException: 404: something of it is nowhere, or another agency's.
        """
        home = self.site.settings.home
        problem, ticket = self._if("problem", self._problem), self._if("ticket", self._ticket)
        return Objects(
            self._if("agreement", self._agreement),
            ticket,
            self._if("attachment", lambda name: self._attachment(there(ticket), name)),
            self._if("report", lambda name: reports.get(home, self.agency, name)),
            problem,
            self._if("record", lambda name: self._record(there(problem), name)) or 0,
            self._if("receipt", self._receipt),
            self._if("entry", lambda name: self._asked(audit.entry, name)),
            self._if("night", lambda name: nights.get(home, name)),
            self._if("hold", self._hold),
            self._if("incident", lambda name: self._asked(incidents.get, name)),
        )

    def _if(self, part: str, look: Callable[[str], T | None]) -> T | None:
        return there(look(self.named[part])) if part in self.named else None

    def _asked(self, get: Callable[[Connection, int], T | None], name: str) -> T | None:
        number = _number(name)
        with self.session.hub() as connection:
            return get(connection, number)

    def _agreement(self, name: str) -> Agreement | None:
        found = self.catalogue.agreements.get(name)
        concerned = found is not None and agreement_lines.concerns(found, self.agency)
        return found if concerned else None

    def _problem(self, name: str) -> KnownProblem | None:
        found = self._asked(quality_problems.get, name)
        known = found is not None and has_dataset(self.catalogue, self.agency, found.dataset)
        return found if known else None

    def _record(self, problem: KnownProblem, name: str) -> int | None:
        number = _number(name)
        with self.session.hub() as connection:
            return number if quality_problems.holds_row(connection, problem.id, number) else None

    def _ticket(self, name: str) -> Ticket | None:
        found = self._asked(tickets.get, name)
        concerned = found is not None and self.agency in (found.agency, found.opened_for)
        return found if concerned else None

    def _attachment(self, ticket: Ticket, name: str) -> Attachment | None:
        number = _number(name)
        with self.session.hub() as connection:
            return attachments.get(connection, ticket.id, number)

    def _receipt(self, name: str) -> Receipt | None:
        found = self._asked(receipts.load, name)
        if found is None or not self.agency:
            return found
        subject = receipt_check.about(found)
        concerned = agreement_lines.has_subject(self.catalogue, self.agency, subject)
        return found if concerned else None

    def _hold(self, key: str) -> HeldThing | None:
        with self.session.hub() as connection:
            return hold_lines.find(connection, self.catalogue, key)


def _number(name: str) -> int:
    """An id; what is none is nowhere."""
    return there(id_of(name))
