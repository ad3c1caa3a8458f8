"""`onecard check`: a dataset's gate on a local file, without a database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from connectors.files.skipped import Skipped
from onecard.base.settings import Settings
from onecard.operations import check_reading
from onecard.operations.check_reading import FileToRead, GivenFile, Layout
from onecard.ports.row_gate import Reason
from quality.rows.gate import compile_gate
from schemas.models.contract import Contract
from schemas.models.expected import expected

MOST_REASONS = 200_000
"""Reasons that are kept; further ones are counted."""


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A reason why a row was rejected.

    Attributes:
        place: of the row among all rows of the file, from 1.
        origin: the file of an archive that the row stood in, as it may be shown; else the file.
        number: of the row in its origin, from 1.
        field: empty for the whole record.
    """

    place: int
    origin: str
    number: int
    field: str
    rule: str


@dataclass(frozen=True, slots=True)
class FileCheck:
    """Outcome: rows read, accepted, rejected, and each reason by row number (from 1).

    Attributes:
        broken: the first reasons, row by row.
        more: reasons beyond those.
        rows: the same as `broken`, for people and programs: row, field, rule, and what is expected
            where that can be said; in an archive also the file.
        layout: as what the file was read: the contract's format, and what was asked for instead.
        warnings: accepted rows by field and rule that only warns.
        remarks: of the reading: lines that were no rows.
    """

    read: int
    accepted: int
    rejected: int
    broken: tuple[BrokenRule, ...]
    more: int
    rows: tuple[dict[str, Any], ...]
    layout: Layout
    warnings: tuple[dict[str, Any], ...] = ()
    remarks: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The outcome without any value of a row."""
        return {
            "read": self.read,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "rows": list(self.rows),
            "more": self.more,
            "format": self.layout,
            "warnings": list(self.warnings),
            "remarks": list(self.remarks),
        }


def check_file(
    settings: Settings, contract: Contract, file: Path, instead: Mapping[str, str]
) -> FileCheck:
    """Read the file as its format's connector does and run the gate on every row.

    The format is the contract's where it names one of the file's kind; columns are named as in the
    contract or by their native names.

    Args:
        settings: profile and clock of the hub.
        contract: of the dataset.
        file: of any kind that is read, as `check_reading.to_read` tells it.
        instead: parts of the format (encoding, delimiter, records) that are asked for instead.

    Raises:
        UsageError, ConfigError, SchemaMismatch, ProtocolError: as `check_reading.to_read` and
            `FileToRead.chunks`.
    """
    given = GivenFile(file, file.name)
    return checked(settings, contract, check_reading.to_read(contract, given, instead))


def checked(settings: Settings, contract: Contract, file: FileToRead) -> FileCheck:
    """Run the gate on every row of a file.

    Args:
        settings: profile and clock of the hub.
        contract: of the dataset.
        file: and how it is read.

    Raises:
        SchemaMismatch, ProtocolError: as `FileToRead.chunks`.
    """
    gate, now, skipped = compile_gate(contract, profile=settings.profile), settings.now(), Skipped()
    read = accepted = rejected = more = 0
    broken: list[BrokenRule] = []
    warned: Counter[Reason] = Counter()
    for chunk in file.chunks(skipped):
        found = gate.check(chunk, now)
        for row in sorted(found.rejected, key=lambda r: r.number):
            place = read + row.number - chunk.first_row + 1
            kept = row.reasons[: MOST_REASONS - len(broken)]
            more += len(row.reasons) - len(kept)
            broken += [BrokenRule(place, chunk.origin, row.number, r.field, r.rule) for r in kept]
        read += chunk.batch.num_rows
        accepted += len(found.good)
        rejected += len(found.rejected)
        warned.update(found.warnings)
    warnings = tuple(
        {"field": reason.field, "rule": reason.rule, "rows": number}
        for reason, number in sorted(warned.items())
    )
    rows = _rows(contract, broken, file.origin)
    counts = (read, accepted, rejected)
    remarks = skipped.remarks(file.origin)
    return FileCheck(*counts, tuple(broken), more, rows, file.layout, warnings, remarks)


def _rows(contract: Contract, broken: list[BrokenRule], origin: str) -> tuple[dict[str, Any], ...]:
    """The reasons as they are shown."""

    @cache
    def form(field: str, rule: str) -> dict[str, str]:
        found = expected(contract, field, rule)
        return {"expected": found} if found else {}

    return tuple(
        ({"file": b.origin} if b.origin != origin else {})
        | {"row": b.number, "field": b.field, "rule": b.rule}
        | form(b.field, b.rule)
        for b in broken
    )
