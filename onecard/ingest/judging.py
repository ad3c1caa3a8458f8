"""What the gate says of a whole upload before it is collected: the very gate of the collect."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.files import contents
from connectors.files.text_file import Text
from connectors.push.options import PushSource
from connectors.push.read import TOTAL, is_of_another_number, text_of
from onecard.collect import drift_policy
from onecard.collect.context import CollectContext
from onecard.errors import ProtocolError, SchemaMismatch
from onecard.ports.row_gate import Reason
from onecard.ports.source import ReadRequest
from schemas.models.contract import Contract
from schemas.models.expected import expected

MOST_ROWS = 1000
"""Rejected rows that are told one by one; of more, their number by field and rule."""

Outcome = dict[str, Any]
"""JSON: counts, field and rule, numbers of rows; no value of a row."""

log = logging.getLogger(__name__)


class NotReadable(Exception):
    """An upload is not what its contract says; its text names columns, and no value."""


def judge(contract: Contract, tools: CollectContext, path: Path, upload: str) -> Outcome:
    """Read an upload as its collect will, and run the gate on every row; nothing is stored.

    Args:
        contract: of the dataset.
        tools: of its collect: the gate, and the clock.
        path: of the whole file.
        upload: its id.

    Raises:
        NotReadable: no row of it could be taken.
    """
    options = PushSource.model_validate(dict(contract.source.options))
    request = ReadRequest(contract.id, drift_policy.columns(contract), options, key=contract.key)
    file, now = text_of(path, upload, options), tools.settings.now()
    read, rejected = 0, 0
    reasons: Counter[Reason] = Counter()
    rows: list[dict[str, Any]] = []
    try:
        _check_number(contract, file, options)
        for chunk in contents.chunks(file, options.format, request):
            checked = tools.gate.check(chunk, now)
            read += chunk.batch.num_rows
            rejected += len(checked.rejected)
            for row in sorted(checked.rejected, key=lambda row: row.number):
                reasons.update(row.reasons)
                if len(rows) < MOST_ROWS:
                    rows.append(_row_reasons(row.number, row.reasons))
        drift_policy.enforce(contract, reasons)
    except (ProtocolError, SchemaMismatch) as error:
        raise NotReadable(str(error)) from None
    except (pa.ArrowException, UnicodeError) as error:
        msg = f"{contract.id}: {upload} cannot be read ({type(error).__name__})"
        raise NotReadable(msg) from None
    log.info("%s: an upload of %d row(s) is judged, %d rejected", contract.id, read, rejected)
    return {
        "read": read,
        "accepted": read - rejected,
        "rejected": rejected,
        "reasons": [_counted(contract, r, n) for r, n in sorted(reasons.items())],
        "rows": rows,
        "remarks": list(file.skipped.remarks(upload)),
    }


def _check_number(contract: Contract, file: Text, options: PushSource) -> None:
    if is_of_another_number(file, options):
        msg = f"{contract.id}: {file.origin}: refused as a whole: {TOTAL}"
        raise ProtocolError(msg)


def _row_reasons(number: int, reasons: tuple[Reason, ...]) -> dict[str, Any]:
    return {"row": number, "reasons": [{"field": r.field, "rule": r.rule} for r in reasons]}


def _counted(contract: Contract, reason: Reason, rows: int) -> dict[str, Any]:
    """A reason with its rows, and what the field takes, in both languages where there is a word."""
    found: dict[str, Any] = {"field": reason.field, "rule": reason.rule, "rows": rows}
    if form := expected(contract, reason.field, reason.rule):
        found["expected"] = form
        found["expected_zh"] = expected(contract, reason.field, reason.rule, "zh")
    return found
