"""Commands about one person: who received their data; and the proofs of transfers."""

from __future__ import annotations

import json as json_module
import sys
from typing import Annotated

import typer

from onecard.app.hub_desk import HubDesk
from onecard.base import personal
from onecard.cli import output
from onecard.cli.options import Json, moment, why
from onecard.errors import ConfigError, UsageError
from onecard.stewardship import disclosure_lookup
from onecard.stewardship.receipt_check import holds
from onecard.store import audit, database, expiry, receipts
from onecard.store.receipts import Erasure


def disclosed(
    *,
    person: Annotated[
        bool, typer.Option("--person", help="Ask for an ID number (prompt or standard input).")
    ],
    reason: Annotated[str, why("Why it is looked up; audited.")],
    json: Json = False,
) -> None:
    """Who received one person's data, when, for which purpose and on which basis.

    Args:
        person: ask for an ID number; required.
        reason: why it is looked up; audited.
        json: print JSON instead of text.
    """
    with output.errors_as_exit_codes():
        if not person:
            msg = "say --person; the ID number is read from a prompt or standard input"
            raise UsageError(msg)
        hub = HubDesk()
        found = disclosure_lookup.look_up(hub, _id_number(), reason)
        if json:
            output.emit(found)
            return
        columns = (
            "at",
            "consumer",
            "agreement",
            "status",
            "purpose",
            "basis",
            "fields",
            "delayed_until",
        )
        rows = [[line[c] for c in columns] for line in found]
        output.table("disclosures", columns, rows)
        output.say(f"{len(found)} deliveries and calls")


def _id_number() -> str:
    """From a hidden prompt, or the first line of standard input; never from the command line."""
    if sys.stdin.isatty():
        text = str(typer.prompt("ID number", hide_input=True))
    else:
        text = sys.stdin.readline()
    number = text.strip().upper()
    whole = personal.Hit("id_number", 0, len(number))
    if whole not in personal.find(number):
        msg = "standard input holds no valid 18-character ID number"
        raise ConfigError(msg)
    return number


def receipt_list(*, last: Annotated[int, typer.Option(min=1)] = 20, json: Json = False) -> None:
    """The newest receipts, and whether their signatures hold."""
    with output.errors_as_exit_codes():
        hub = HubDesk()
        with database.connect(hub.address, autocommit=True) as connection:
            found = receipts.newest(connection, last)
        lines = []
        for receipt in found:
            said = json_module.loads(receipt.body)
            subject = said.get("agreement") or said.get("dataset")
            valid = _verdict(valid=holds(hub, receipt))
            lines.append((receipt.transfer, subject, said["outcome"], receipt.suite, valid))
        if json:
            names = ("transfer", "subject", "outcome", "suite", "signature")
            output.emit([dict(zip(names, line, strict=True)) for line in lines])
        else:
            output.table(
                "receipts", ("transfer", "subject", "outcome", "suite", "signature"), lines
            )


def _verdict(*, valid: bool) -> str:
    return "valid" if valid else "INVALID"


def receipt_show(
    transfer: Annotated[int, typer.Argument(help="Id of a transfer.")], *, json: Json = False
) -> None:
    """One receipt as it was signed, and whether its signature holds.

    Args:
        transfer: its id.
        json: print one JSON document, in which the receipt stands beside the verdict.
    """
    with output.errors_as_exit_codes():
        hub = HubDesk()
        with database.connect(hub.address, autocommit=True) as connection:
            found = receipts.load(connection, transfer)
        if found is None:
            msg = f"transfer {transfer} has no receipt; see `onecard receipts list`"
            raise UsageError(msg)
        valid, receipt = holds(hub, found), json_module.loads(found.body)
        if json:
            facts = {"signature": _verdict(valid=valid), "suite": found.suite}
            output.emit({"transfer": transfer, **facts, "receipt": receipt})
        else:
            output.emit(receipt)
            output.say(f"signature {_verdict(valid=valid)} ({found.suite})")
    if not valid:
        raise typer.Exit(1)


def receipt_erased(
    delivery: Annotated[str, typer.Argument(help="Delivery id of the erased copy.")],
    *,
    by: Annotated[str, typer.Option("--by", help="Who confirms the erasure.")],
    document: Annotated[str, typer.Option("--document", help="The consumer's erasure receipt.")],
    at: Annotated[str, typer.Option("--at", help="When, ISO 8601 with offset; default now.")] = "",
) -> None:
    """Record a consumer's confirmation that it erased a delivery (PR-17).

    Args:
        delivery: id of the delivery that was erased.
        by: who confirms it.
        document: number of the consumer's receipt of erasure.
        at: ISO 8601 with offset; empty: now.
    """
    with output.errors_as_exit_codes():
        hub = HubDesk()
        erased_at = moment(at, "--at") if at else hub.settings.now()
        with (
            database.connect(hub.address, autocommit=True) as connection,
            connection.transaction(),
        ):
            if not receipts.record_erasure(connection, Erasure(delivery, erased_at, by, document)):
                msg = f"no confirmed delivery {delivery!r} without an erasure receipt"
                raise UsageError(msg)
            audit.append(connection, "copy.erased", delivery, by, {"document": document})
        output.say(f"{delivery}: erasure recorded")


def receipt_expired(
    *,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    json: Json = False,
) -> None:
    """The newest receipts of what the hub dropped after three years, and whether they hold.

    Args:
        limit: at most so many, the newest first.
        json: print one JSON document.
    """
    with output.errors_as_exit_codes():
        hub = HubDesk()
        with database.connect(hub.address, autocommit=True) as connection:
            found = [(r, r.holds(hub.signer)) for r in expiry.receipts(connection, limit)]
        told = [(r.seq, json_module.loads(r.body), _verdict(valid=v)) for r, v in found]
        if json:
            output.emit(
                {"receipts": [{"entry": n, "signature": v, "receipt": b} for n, b, v in told]}
            )
        else:
            output.table(
                "expired",
                ("entry", "at", "before", "months", "rows", "signature"),
                [
                    (n, b["at"], b["before"], ", ".join(b["months"]), sum(b["rows"].values()), v)
                    for n, b, v in told
                ],
            )
    if not all(valid for _, valid in found):
        raise typer.Exit(1)
