"""A steward checks a file before it is sent. Nothing is kept but that it was checked.

The guard has checked everything that stands in `Visit`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import BoundedSemaphore
from typing import BinaryIO

from fastapi import HTTPException
from fastapi.responses import Response, StreamingResponse

from onecard.errors import (
    OnecardError,
    ProtocolError,
    SchemaMismatch,
    UsageError,
    as_onecard_error,
)
from onecard.operations.check_reading import FORMATS
from onecard.operations.file_check import FileCheck
from onecard.operations.upload_check import MOST_BYTES, PIECE, UploadedFile, check_upload
from onecard.portal.answers import field_name, note, page, rule_name
from onecard.portal.guard import Visit
from onecard.portal.reports import MEDIA
from onecard.portal.uploads import FILE, SentFile
from schemas.models.contract import Contract
from schemas.models.expected import expected

LISTED = 200
"""Reasons that the page lists row by row; the annotated copy has them all."""
AT_ONCE = BoundedSemaphore(2)
"""Files that a process checks at the same time: the other pages must go on."""
MEBIBYTE = 1024**2
NEED_CONTRACT = ("xml",)
"""Formats that are known by their suffix, but read only where the contract says how."""

_REFUSED: Sequence[tuple[type[OnecardError], str]] = (
    (SchemaMismatch, "columns"),
    (ProtocolError, "file"),
    (UsageError, "kind"),
)
"""Errors that are about the file, and how the page words each."""


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule that rows of the file break.

    Attributes:
        rows: how many.
        warns: they are taken all the same.
    """

    field: str
    rule: str
    expected: str
    rows: int
    warns: bool = False


@dataclass(frozen=True, slots=True)
class RowLine:
    """Why a row is wrong.

    Attributes:
        file: of an archive that the row stands in; else empty.
        number: of the row in its file, from 1.
    """

    file: str
    number: int
    line: RuleLine


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """What a check found, in the page's language.

    Attributes:
        more: reasons that are not among `rows`.
    """

    contract: Contract
    found: FileCheck
    rules: Sequence[RuleLine]
    rows: Sequence[RowLine]
    more: int


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """Why a file could not be checked: a kind of reason, and what the hub says of it."""

    kind: str
    says: str


def self_check(visit: Visit) -> Response:
    """The form for a file."""
    return _page(visit)


def check(visit: Visit) -> Response:
    """What is wrong with a file, by rule and by row, without a value of it."""
    contract, sent = _asked(visit)
    done = _checked(visit, contract, sent, None)
    return _page(visit, done if isinstance(done, RefusedFile) else _shown(visit, contract, done))


def annotated(visit: Visit) -> Response:
    """The annotated copy of a file; where no row is wrong there is none, and the page says so."""
    contract, sent = _asked(visit)
    done = _checked(visit, contract, sent, sent.copy)
    if isinstance(done, RefusedFile):
        return _page(visit, done)
    if not done.rejected:
        return _page(visit, _shown(visit, contract, done))
    name = f"checked-{contract.id.replace('/', '-')}.xlsx"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(sent.copy.tell()),
    }
    return StreamingResponse(_pieces(sent.copy), media_type=MEDIA[".xlsx"], headers=headers)


def _pieces(copy: BinaryIO) -> Iterator[bytes]:
    copy.seek(0)
    while piece := copy.read(PIECE):
        yield piece


def _asked(visit: Visit) -> tuple[Contract, SentFile]:
    """The dataset and the file that the form names.

    Raises:
        HTTPException: 422: no dataset of the agency, no file, or an empty one.
    """
    known = {c.id: c for c in visit.catalogue.datasets_of(visit.agency)}
    contract = known.get(visit.form.get("dataset", ""))
    if contract is None:
        raise HTTPException(422, "own_dataset")
    if visit.file is None:
        raise HTTPException(422, "no_file")
    if not visit.file.size:
        raise HTTPException(422, "empty_file")
    return contract, visit.file


def _checked(
    visit: Visit, contract: Contract, sent: SentFile, target: BinaryIO | None
) -> FileCheck | RefusedFile:
    """Check the file, and write into the audit log that it was checked.

    Raises:
        HTTPException: 429: others are being checked.
        OnecardError: something is wrong that is not the file; of one that is not ours, its type
            and place only, as its text may quote the file.
    """
    if not AT_ONCE.acquire(blocking=False):
        raise HTTPException(429, "busy")
    facts: dict[str, object] = {"copy": target is not None, "bytes": sent.size}
    try:
        found = check_upload(
            visit.site.settings, contract, UploadedFile(sent.name, sent.stream), target
        )
    except Exception as caught:  # noqa: BLE001 - whatever a reader makes of a hostile file
        error = as_onecard_error(caught)
        note(visit, "access.check", contract.id, {**facts, "refused": type(error).__name__})
        kind = next((name for of, name in _REFUSED if isinstance(error, of)), "")
        if not kind:
            raise error from None
        return RefusedFile(kind, str(error))
    finally:
        AT_ONCE.release()
    facts |= {"read": found.read, "rejected": found.rejected}
    note(visit, "access.check", contract.id, facts)
    return found


def _shown(visit: Visit, contract: Contract, found: FileCheck) -> CheckedFile:
    """The outcome in words."""

    def line(field: str, rule: str, rows: int, *, warns: bool = False) -> RuleLine:
        return RuleLine(
            field_name(visit, contract, field),
            rule_name(visit, contract, rule),
            expected(contract, field, rule, visit.language),
            rows,
            warns,
        )

    broken = Counter((b.field, b.rule) for b in found.broken)
    lines = {(field, rule): line(field, rule, rows) for (field, rule), rows in broken.items()}
    warned = [line(w["field"], w["rule"], w["rows"], warns=True) for w in found.warnings]
    packed = len({b.origin for b in found.broken}) > 1
    rows = [
        RowLine(b.origin if packed else "", b.number, lines[b.field, b.rule])
        for b in islice(found.broken, LISTED)
    ]
    rules = sorted(lines.values(), key=lambda of: (-of.rows, of.field, of.rule))
    more = len(found.broken) - len(rows) + found.more
    return CheckedFile(contract, found, [*rules, *warned], rows, more)


def _page(visit: Visit, outcome: CheckedFile | RefusedFile | None = None) -> Response:
    refused = outcome if isinstance(outcome, RefusedFile) else None
    answer = page(
        visit,
        "self_check",
        contracts=visit.catalogue.datasets_of(visit.agency),
        chosen=visit.form.get("dataset", visit.request.query_params.get("dataset", "")),
        kinds=[s.removeprefix(".") for s, kind in FORMATS.items() if kind not in NEED_CONTRACT],
        most=MOST_BYTES // MEBIBYTE,
        file=FILE,
        checked=outcome if isinstance(outcome, CheckedFile) else None,
        refused=refused,
    )
    if refused:
        answer.status_code = 422
    return answer
