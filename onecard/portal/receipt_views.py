"""Receipts: looked up, read in words, kept as files, and documents that somebody holds verified.

Below an agency's pages only receipts that concern it; engineers see all. Each look is on record.
The guard has checked everything that stands in `Visit`.
"""

from __future__ import annotations

import json

from fastapi import HTTPException
from fastapi.responses import Response

from onecard.portal import agreement_lines, receipt_lines, security
from onecard.portal.answers import hub, note, page
from onecard.portal.guard import Visit
from onecard.portal.objects import there
from onecard.portal.pages import Words, address
from onecard.portal.proofs import proving
from onecard.portal.typed import LONGEST, whole_day, whole_number
from onecard.portal.uploads import FILE
from onecard.portal.view import Routes
from onecard.stewardship import receipt_check
from onecard.stewardship.receipt_check import CheckedDocument, Inclusion, UnreadDocument
from onecard.store import receipt_search
from onecard.store.receipt_search import SoughtReceipts
from onecard.store.receipts import Receipt

PAGE = 50
LOOK = "access.receipt"
LONGEST_PASTE = 20_000
"""Characters of a document that is pasted; a longer one is given as a file."""


def _place(visit: Visit) -> str:
    """First part of the address: the agency, or the engineer's desk."""
    return visit.agency or "engineer"


def receipt_list(visit: Visit) -> Response:
    """Receipts that are looked for, the newest first."""
    query = visit.request.query_params
    boxes = {
        name: security.sought(query, name, LONGEST)
        for name in ("transfer", "delivery", "subject", "day")
    }
    before = whole_number(security.sought(query, "before", LONGEST))
    known = agreement_lines.subjects(visit.catalogue, visit.agency)
    allowed = known if visit.agency else None
    if boxes["subject"]:
        if visit.agency and boxes["subject"] not in known:
            raise HTTPException(404)
        allowed = [boxes["subject"]]
    sought = SoughtReceipts(
        allowed,
        whole_number(boxes["transfer"]),
        boxes["delivery"],
        whole_day(boxes["day"]),
        before,
    )
    with hub(visit) as connection:
        found = receipt_search.search(connection, sought, PAGE)
    filled = {name: text for name, text in boxes.items() if text}
    note(visit, LOOK, _place(visit), {**filled, "before": before, "shown": len(found.lines)})
    return page(
        visit,
        "receipts",
        place=_place(visit),
        boxes=boxes,
        found=found,
        known=known,
        more=address(visit.request, _place(visit), "receipts", **filled, before=str(found.more)),
        longest=LONGEST,
    )


def receipt(visit: Visit) -> Response:
    """One receipt in words, and whether its signature is the hub's."""
    found = there(visit.receipt)
    note(visit, LOOK, receipt_check.about(found), {"transfer": found.transfer})
    return _receipt_page(visit, found, None)


def receipt_file(visit: Visit) -> Response:
    """One receipt as a document that anybody can keep and have verified."""
    found = there(visit.receipt)
    note(visit, LOOK, receipt_check.about(found), {"transfer": found.transfer, "file": True})
    text = json.dumps(receipt_check.document(found), ensure_ascii=False, indent=1)
    name = f"receipt-{found.transfer}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text + "\n", media_type="application/json", headers=headers)


def verify_receipt(visit: Visit) -> Response:
    """Whether the receipt's digest stands in the audit log that was signed."""
    found, desk = there(visit.receipt), visit.site.desk()
    with proving(visit) as known, hub(visit) as connection:
        inclusion = receipt_check.included(desk, connection, found, known)
    told = inclusion.proof.outcome if inclusion.proof else "absent"
    note(visit, LOOK, receipt_check.about(found), {"transfer": found.transfer, "verified": told})
    return _receipt_page(visit, found, inclusion)


def _receipt_page(visit: Visit, found: Receipt, inclusion: Inclusion | None) -> Response:
    return page(
        visit,
        "receipt",
        place=_place(visit),
        receipt=receipt_lines.in_words(found, Words(visit.language), visit.catalogue),
        signed=receipt_check.holds(visit.site.desk(), found),
        inclusion=inclusion,
    )


def document_form(visit: Visit) -> Response:
    """The form for a receipt or a manifest that somebody holds."""
    return _document_page(visit, None)


def check_document(visit: Visit) -> Response:
    """Whether a document is the hub's, on record, and in the audit log; nothing of it is kept.

    Raises:
        HTTPException: 422: it is no such document, or about nothing of the agency.
    """
    data = visit.file.stream.read(receipt_check.LONGEST + 1) if visit.file else b""
    data = data or visit.form.get("text", "").strip().encode(errors="replace")
    if not data:
        raise HTTPException(422, "no_document")
    try:
        given = receipt_check.read(data)
    except UnreadDocument as error:
        raise HTTPException(422, error.reason) from None
    if visit.agency and not agreement_lines.has_subject(
        visit.catalogue, visit.agency, given.subject
    ):
        raise HTTPException(422, "not_concerned")
    with proving(visit) as known, hub(visit) as connection:
        found = receipt_check.check(visit.site.desk(), connection, given, known)
    body: dict[str, object] = {
        "document": given.kind,
        "signed": found.signed,
        "recorded": found.recorded,
        "verified": found.holds,
    }
    note(visit, LOOK, _place(visit), body)
    return _document_page(visit, found)


def _document_page(visit: Visit, found: CheckedDocument | None) -> Response:
    return page(
        visit,
        "receipt_check",
        place=_place(visit),
        found=found,
        file=FILE,
        longest=LONGEST_PASTE,
        most=receipt_check.LONGEST // 1024,
    )


def _routes(root: str) -> Routes:
    return (
        ("GET", f"{root}/receipts", receipt_list),
        ("GET", f"{root}/receipts/{{receipt}}", receipt),
        ("GET", f"{root}/receipts/{{receipt}}/file", receipt_file),
        ("POST", f"{root}/receipts/{{receipt}}/verify", verify_receipt),
        ("GET", f"{root}/receipt_check", document_form),
        ("POST", f"{root}/receipt_check", check_document),
    )


ENGINEER_ROUTES: Routes = _routes("/engineer")
ROUTES: Routes = _routes("/{agency}")
