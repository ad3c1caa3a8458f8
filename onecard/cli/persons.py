"""Commands about one person: who received their data; and the proofs of transfers."""

from __future__ import annotations

import json as json_module
import sys
from typing import Annotated, Any

import typer

from onecard.app.wiring import Hub
from onecard.base import personal
from onecard.base.settings import ZONE
from onecard.base.timespan import instant
from onecard.cli import output
from onecard.cli.operate import Json, why
from onecard.crypto import suites
from onecard.crypto.keys import token_purpose
from onecard.errors import ConfigError
from onecard.store import audit, database, disclosures, receipts
from onecard.store.receipts import Erasure
from schemas.models import codes


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("disclosures")(disclosed)
    group = typer.Typer(help="Signed receipts of transfers, and erasures.")
    group.command("list")(receipt_list)
    group.command("show")(receipt_show)
    group.command("erased")(receipt_erased)
    app.add_typer(group, name="receipts")


def disclosed(
    *,
    person: Annotated[
        bool, typer.Option("--person", help="Ask for an ID number (prompt or standard input).")
    ],
    reason: Annotated[str, why("Why it is looked up; audited.")],
    json: Json = False,
) -> None:
    """Who received one person's data, when, for which purpose and on which basis."""
    with output.errors_as_exit_codes():
        if not person:
            msg = "say --person; the ID number is read from a prompt or standard input"
            raise ConfigError(msg)
        hub = Hub()
        found = look_up(hub, _id_number(), reason)
        if json:
            output.emit(found)
            return
        columns = ("at", "consumer", "agreement", "status", "purpose", "basis", "fields")
        rows = [[str(line[c]) for c in columns] for line in found]
        output.table("disclosures", columns, rows)
        output.say(f"{len(found)} deliveries")


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


def look_up(hub: Hub, id_number: str, reason: str) -> list[dict[str, Any]]:
    """Deliveries that held a person, oldest first; the look-up itself is audited."""
    found: list[dict[str, Any]] = []
    known = {i.purpose for i in hub.keys.listed()}
    reference = ""
    with database.connect(hub.address, autocommit=True) as connection:
        for consumer in sorted(hub.catalogue.agencies):
            if token_purpose(consumer) not in known:
                continue
            keys = hub.keys.token_epochs(consumer)
            digests = [hub.suite.digests(k.secret, [id_number])[0] for k in keys]
            reference = reference or digests[0][:8].hex()
            ids = [a.id for a in hub.catalogue.agreements.values() if a.consumer == consumer]
            found += [
                _line(hub, consumer, d) for d in disclosures.of_person(connection, ids, digests)
            ]
        with connection.transaction():
            body = {"person": reference, "reason": reason, "deliveries": len(found)}
            audit.append(connection, "access.disclosures", "person", hub.settings.actor, body)
    return sorted(found, key=lambda line: str(line["at"]))


def _line(hub: Hub, consumer: str, entry: disclosures.Disclosure) -> dict[str, Any]:
    """What the receipt says of a delivery; a delivery that was cut off has its state only."""
    agreement = hub.catalogue.agreement(entry.agreement)
    said = json_module.loads(entry.receipt) if entry.receipt else {}
    purpose = str(said.get("purpose", agreement.purpose))
    return {
        "at": f"{entry.at.astimezone(ZONE):%Y-%m-%d %H:%M:%S}",
        "consumer": hub.catalogue.agencies[consumer].title,
        "agreement": f"{entry.agreement} {said.get('agreementVersion', agreement.version)}",
        "transfer": entry.transfer,
        "status": entry.status,
        "purpose": f"{purpose} {codes.labels('purpose').get(purpose, '')}",
        "basis": said.get("basis", f"{agreement.basis.statute} {agreement.basis.article}"),
        "fields": "、".join(said.get("columns", agreement.names)),
    }


def receipt_list(*, last: Annotated[int, typer.Option(min=1)] = 20, json: Json = False) -> None:
    """The newest receipts, and whether their signatures hold."""
    with output.errors_as_exit_codes():
        hub = Hub()
        with database.connect(hub.address, autocommit=True) as connection:
            found = receipts.newest(connection, last)
        lines = []
        for receipt in found:
            said = json_module.loads(receipt.body)
            subject = said.get("agreement") or said.get("dataset")
            valid = "valid" if holds(hub, receipt) else "INVALID"
            lines.append((receipt.transfer, subject, said["outcome"], receipt.suite, valid))
        if json:
            names = ("transfer", "subject", "outcome", "suite", "signature")
            output.emit([dict(zip(names, line, strict=True)) for line in lines])
        else:
            output.table(
                "receipts", ("transfer", "subject", "outcome", "suite", "signature"), lines
            )


def holds(hub: Hub, receipt: receipts.Receipt) -> bool:
    """Whether a receipt's signature is the hub's."""
    suite = suites.suite(receipt.suite)
    public = suite.public(hub.keys.signing_of(receipt.key_epoch).secret)
    return suite.verify(public, receipt.body.encode(), receipt.signature)


def receipt_show(transfer: Annotated[int, typer.Argument(help="Id of a transfer.")]) -> None:
    """One receipt as it was signed, and whether its signature holds."""
    with output.errors_as_exit_codes():
        hub = Hub()
        with database.connect(hub.address, autocommit=True) as connection:
            found = receipts.load(connection, transfer)
        if found is None:
            msg = f"transfer {transfer} has no receipt; see `onecard receipts list`"
            raise ConfigError(msg)
        output.emit(json_module.loads(found.body))
        output.say(f"signature {'valid' if holds(hub, found) else 'INVALID'} ({found.suite})")
    if not holds(hub, found):
        raise typer.Exit(1)


def receipt_erased(
    delivery: Annotated[str, typer.Argument(help="Delivery id of the erased copy.")],
    *,
    by: Annotated[str, typer.Option("--by", help="Who confirms the erasure.")],
    document: Annotated[str, typer.Option("--document", help="The consumer's erasure receipt.")],
    at: Annotated[str, typer.Option("--at", help="When, ISO 8601 with offset; default now.")] = "",
) -> None:
    """Record a consumer's confirmation that it erased a delivery (PR-17)."""
    with output.errors_as_exit_codes():
        hub = Hub()
        moment = instant(at, "--at") if at else hub.settings.now()
        with (
            database.connect(hub.address, autocommit=True) as connection,
            connection.transaction(),
        ):
            if not receipts.record_erasure(connection, Erasure(delivery, moment, by, document)):
                msg = f"no confirmed delivery {delivery!r} without an erasure receipt"
                raise ConfigError(msg)
            audit.append(connection, "copy.erased", delivery, by, {"document": document})
        output.say(f"{delivery}: erasure recorded")
