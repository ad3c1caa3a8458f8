"""What every view needs: the hub's database, the audit log, a page, the way back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from fastapi.responses import RedirectResponse, Response

from onecard.portal import pages, security
from onecard.portal.guard import Visit
from onecard.store import audit
from onecard.store.database import Connection
from quality.rows.rule_formulas import formula
from schemas.models.contract import Contract


@contextmanager
def hub(visit: Visit) -> Iterator[Connection]:
    """The request's session of the hub's database."""
    with visit.session.hub() as connection:
        yield connection


@contextmanager
def beside(visit: Visit) -> Iterator[Connection]:
    """Another session, for questions that are answered at the same time as others."""
    with visit.session.beside() as connection:
        yield connection


def note(visit: Visit, kind: str, subject: str, body: dict[str, object]) -> None:
    """Write into the audit log what the visitor looks at.

    Args:
        visit: who looks.
        kind: of the entry.
        subject: agency or dataset.
        body: what exactly; no value of a row.
    """
    with hub(visit) as connection, connection.transaction():
        audit.append(connection, kind, subject, visit.visitor.name, body)


def page(visit: Visit, template: str, **values: object) -> Response:
    """A page of the portal.

    Args:
        visit: whose page.
        template: its name.
        values: what it shows, beside what every page shows.
    """
    site = visit.site
    common: dict[str, object] = {
        "visitor": visit.visitor,
        "agencies": visit.catalogue.agencies,
        "agency": visit.agency,
        "logout": site.logout,
        "day": site.settings.now().date(),
        "dataset": partial(dataset_name, visit),
        "field": partial(field_name, visit),
        "csrf": security.token(site.secret, visit.visitor.name, site.settings.now()),
    }
    return pages.render(visit.request, template, {**common, **values})


def dataset_name(visit: Visit, subject: str) -> str:
    """What a dataset or an agreement is called in the page's language.

    Args:
        visit: names the language.
        subject: its id; of one that has no file any more it is the name.
    """
    known = visit.catalogue
    found = known.contracts.get(subject) or known.agreements.get(subject)
    return subject if found is None or visit.language == "en" else found.title


def field_name(visit: Visit, contract: Contract, name: str) -> str:
    """What a field is called in the page's language.

    Args:
        visit: names the language.
        contract: of its dataset.
        name: of the field; of one that the contract has no more it is the name.
    """
    titles = {f.name: f.title for f in contract.fields}
    return name if visit.language == "en" else titles.get(name, name)


def rule_name(visit: Visit, contract: Contract, rule: str) -> str:
    """What a rule is called in the page's language.

    Args:
        visit: names the language.
        contract: of its dataset.
        rule: one of the gate's rules, or one that the contract has: its title is Chinese, so that
            in English its formula stands in its place.
    """
    own = {r.name: r.title for r in contract.rules}
    if rule not in own:
        return visit.site.rule_title(rule, visit.language)
    return formula(contract, rule, "en") if visit.language == "en" else own[rule]


def back(visit: Visit, *parts: str) -> Response:
    """To a page of the agency, after a form was taken."""
    return RedirectResponse(pages.path(visit.request, visit.agency, *parts), 303)
