"""The command of every day's end: housekeeping."""

from __future__ import annotations

from onecard.app.hub_desk import HubDesk
from onecard.cli import output
from onecard.cli.options import Json
from onecard.operations.housekeeping import keep_house
from onecard.store.retention import YEARS


def housekeeping(*, json: Json = False) -> None:
    """Drop what was kept long enough, fold, verify the audit log; exit 1 if it was changed."""
    with output.errors_as_exit_codes():
        done = keep_house(HubDesk())
        found = done.verdict
        if json:
            output.emit(
                {
                    "purged": done.purged,
                    "expired_months": done.expired_months,
                    "expired_rows": done.expired_rows,
                    "folded": done.folded,
                    "uploads": done.uploads,
                    "attachments": done.attachments,
                    "audit": found.ok,
                    "entries": found.entries,
                }
            )
        else:
            output.say(
                f"{done.purged:,} rejected rows purged;"
                f" {done.expired_months:,} months of disclosures and calls dropped,"
                f" {done.expired_rows:,} rows older than {YEARS} years in all;"
                f" {done.folded:,} transfers of the live lane folded;"
                f" {done.uploads:,} uploads that waited too long removed;"
                f" {done.attachments:,} files of tickets erased;"
                f" {found.entries:,} audit entries"
            )
        done.check()
