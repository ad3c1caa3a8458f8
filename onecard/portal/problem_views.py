"""What the routes of problems answer. The guard has checked everything that stands in `Visit`."""

from __future__ import annotations

from datetime import date

from fastapi import HTTPException
from fastapi.responses import Response

from onecard.model.quality_problems import STANDINGS, KnownProblem
from onecard.model.tickets import LONGEST_TEXT
from onecard.portal import agreement_lines, problem_downloads, problem_page, security
from onecard.portal.answers import back, hub, note, page, rule_name
from onecard.portal.guard import Visit
from onecard.portal.objects import has_dataset, there
from onecard.portal.pages import address
from onecard.portal.problem_lines import SORTS, UNENDED, Wanted, line, lines, paged
from onecard.portal.problem_page import Masked
from onecard.portal.typed import id_of
from onecard.store import holds, quality_problems, quarantine, transfer_history
from onecard.store.quality_problems import Said

LONGEST_ACCEPTANCE = 366
"""Days for which a problem may be left as it is: then somebody decides anew."""
LONGEST_REASON = 500
BULK = ("acknowledge", "accept")
"""What can be done with several problems at once."""


def problem_list(visit: Visit) -> Response:
    """Problems of the agency: filtered, sorted, page by page; before them what is held."""
    read = visit.catalogue.collected  # of one that is only proposed, nothing can have come
    contracts = [c for c in visit.catalogue.datasets_of(visit.agency) if c.id in read]
    datasets = [c.id for c in contracts]
    wanted = Wanted.of(visit.request.query_params, datasets)
    with hub(visit) as connection:
        found = quality_problems.of_datasets(connection, datasets)
        held = holds.holds(connection, visit.catalogue)
        newest = transfer_history.newest_collects(connection, datasets)
    shown = paged(lines(visit, found), wanted)
    here = (visit.agency, "problems")
    return page(
        visit,
        "problems",
        wanted=wanted,
        shown=shown,
        more=address(visit.request, *here, **wanted.query, after=str(shown.more)),
        sorted_by={s: _sorted(visit, wanted, s) for s in SORTS},
        standings=STANDINGS,
        unended=UNENDED,
        sorts=SORTS,
        contracts=contracts,
        newest={t.subject: t for t in newest},
        held=[h for h in held if agreement_lines.held_for(visit.catalogue, h, visit.agency)],
        latest=problem_page.latest_acceptance(visit, LONGEST_ACCEPTANCE),
        longest=LONGEST_REASON,
    )


def _sorted(visit: Visit, wanted: Wanted, sort: str) -> str:
    query = {**wanted.query, "sort": sort}
    return address(visit.request, visit.agency, "problems", **query)


def problem(visit: Visit) -> Response:
    """One problem, with a page of its rows under their masks."""
    found = line(visit, there(visit.problem))
    before = id_of(visit.request.query_params.get("before", "")) or 0
    with hub(visit) as connection:
        rows = problem_page.rows(connection, visit, found, before)
        course = problem_page.course(connection, visit, found.problem)
        counties = problem_page.counties(connection, found.problem)
        events = quality_problems.events(connection, found.problem.id)
    here = (visit.agency, "problems", str(found.problem.id))
    return page(
        visit,
        "problem",
        line=found,
        words=problem_page.rule_words(visit, found),
        rows=rows,
        more=address(visit.request, *here, before=str(rows.more)),
        check_address=address(
            visit.request, visit.agency, "self_check", dataset=found.problem.dataset
        ),
        course=course,
        counties=counties,
        receivers=problem_page.receivers(visit, found.problem),
        events=events,
        handback=visit.catalogue.agencies[visit.agency].handback,
        most_in_workbook=problem_downloads.MOST_IN_A_WORKBOOK,
        latest=problem_page.latest_acceptance(visit, LONGEST_ACCEPTANCE),
        longest=LONGEST_REASON,
        longest_text=LONGEST_TEXT,
    )


def row(visit: Visit) -> Response:
    """One rejected row under the masks of its fields; with a form that reveals it."""
    return _row_page(visit, None)


def reveal(visit: Visit) -> Response:
    """One rejected row with its values in clear, for a reason; audited before it is shown."""
    reason = security.written(visit.form, "reason", LONGEST_REASON)
    found = there(visit.problem)
    with hub(visit) as connection:
        kept = quarantine.revealed(connection, [visit.record], visit.site.desk().keys)
    if not kept:
        return _row_page(visit, None)  # its values are gone: the page says so
    ((_, values),) = kept
    body: dict[str, object] = {"record": visit.record, "reason": reason}
    note(visit, "access.reveal", found.dataset, body)
    return _row_page(visit, values)


def _row_page(visit: Visit, values: dict[str, str | None] | None) -> Response:
    found = line(visit, there(visit.problem))
    with hub(visit) as connection:
        which = quality_problems.rows(connection, found.problem.id, visit.record + 1, 1)
        shown = problem_page.masked(connection, visit, Masked(found.contract), which)
        reasons = quarantine.reasons(connection, visit.record)
    if not shown or shown[0].row.id != visit.record:
        raise HTTPException(404)  # it came right a moment ago
    broken: dict[str, list[str]] = {}
    for field, rule in reasons:
        broken.setdefault(field, []).append(rule_name(visit, found.contract, rule))
    return page(
        visit,
        "row",
        line=found,
        shown=shown[0],
        clear=values,
        broken=broken,
        longest=LONGEST_REASON,
    )


def rows_file(visit: Visit) -> Response:
    """The problem's open rows as a file for correction."""
    return problem_downloads.download(visit, line(visit, there(visit.problem)))


def acknowledge_problem(visit: Visit) -> Response:
    """Somebody of the agency cares for the problem."""
    found = _seen(visit)
    with hub(visit) as connection:
        quality_problems.acknowledge(connection, [found], _said(visit))
    return _back_to(visit, found)


def accept_problem(visit: Visit) -> Response:
    """The problem is left as it is until a day, for a reason."""
    found, said = _seen(visit), _acceptance(visit)
    with hub(visit) as connection:
        quality_problems.accept(connection, [found], said)
    return _back_to(visit, found)


def reopen_problem(visit: Visit) -> Response:
    """What was accepted is accepted no more."""
    found = _seen(visit)
    reason = security.written(visit.form, "reason", LONGEST_REASON)
    with hub(visit) as connection:
        quality_problems.reopen(connection, found, _said(visit, reason))
    return _back_to(visit, found)


def comment_problem(visit: Visit) -> Response:
    """Somebody says something of the problem."""
    found = there(visit.problem)
    text = security.written(visit.form, "text", LONGEST_TEXT)
    with hub(visit) as connection:
        quality_problems.comment(connection, found, _said(visit, text))
    return _back_to(visit, found)


def bulk(visit: Visit) -> Response:
    """Several problems are acknowledged, or accepted, at once: all of them or none."""
    action = visit.form.get("action", "")
    if action not in BULK:
        raise HTTPException(422, "action")
    chosen = [_chosen(visit, name) for name in visit.form if name.startswith("problem-")]
    if not chosen:
        raise HTTPException(422, "none_chosen")
    said = _acceptance(visit) if action == "accept" else _said(visit)
    act = quality_problems.accept if action == "accept" else quality_problems.acknowledge
    with hub(visit) as connection:
        act(connection, chosen, said)
    return back(visit, "problems")


def _chosen(visit: Visit, name: str) -> KnownProblem:
    """A problem of a bulk form, as the person has seen it; another agency's does not exist."""
    with hub(visit) as connection:
        found = quality_problems.get(connection, (id_of(name.removeprefix("problem-")) or 0))
    if found is None or not has_dataset(visit.catalogue, visit.agency, found.dataset):
        raise HTTPException(404)
    return _as_seen(found, visit.form[name])


def _seen(visit: Visit) -> KnownProblem:
    """The problem, as the person has seen it."""
    return _as_seen(there(visit.problem), visit.form.get("version", ""))


def _as_seen(found: KnownProblem, version: str) -> KnownProblem:
    if version != str(found.version) or found.ended_at is not None:
        raise HTTPException(409, "problem_changed")
    return found


def _said(visit: Visit, text: str = "", until: date | None = None) -> Said:
    return Said(visit.visitor.name, visit.site.settings.now(), text, until)


def _acceptance(visit: Visit) -> Said:
    """Why, and until which day.

    Raises:
        HTTPException: 422: no day, or none of the next year.
    """
    reason = security.written(visit.form, "reason", LONGEST_REASON)
    today = visit.site.settings.now().date()
    try:
        until = date.fromisoformat(visit.form.get("until", ""))
    except ValueError:
        raise HTTPException(422, "until") from None
    if not 0 <= (until - today).days <= LONGEST_ACCEPTANCE:
        raise HTTPException(422, "until")
    return _said(visit, reason, until)


def _back_to(visit: Visit, found: KnownProblem) -> Response:
    return back(visit, "problems", str(found.id))
