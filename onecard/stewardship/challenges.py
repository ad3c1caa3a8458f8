"""The correction loop (异议与校核): a challenge is opened, and a later collect sees the correction.

A record's correction is seen when its row is published in a newer version than there was when the
ticket was opened, or when a later complete reading of the source rejects it no more. A finding's
is seen when the newest collect counts fewer failing rows, in number and in share of what it read,
or passes the expectation. That is what the hub can see: whether the new value is the true one is
for whoever opened the ticket to say, who closes it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from onecard.base import workdays
from onecard.crypto.keys import KeyStore
from onecard.deliver.returned_rows import masked_rows
from onecard.errors import ConfigError, PolicyError, UsageError, unknown
from onecard.model.attachments import NewAttachment
from onecard.model.tickets import NewTicket, Ticket
from onecard.ports.desk import Desk
from onecard.stewardship.challenge_findings import finding_baseline, finding_now
from onecard.store import attachments, database, datasets, tickets, transfer_lookup
from onecard.store.database import Connection
from onecard.store.finding_history import WatchedRule
from onecard.store.record_refs import checked_key, held_in, locate, published_since
from onecard.store.referrer import Referrer
from schemas.models.catalogue import Catalogue
from schemas.models.contract import Contract
from schemas.models.service_levels import ChallengeKind

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What somebody finds wrong: the record of a key, or what a rule found.

    Attributes:
        opened_for: the agency whose challenge it is.
        key: values of the dataset's key; None for a finding.
        rule: name of the rule or expectation; for a record it may stay empty.
        at_field: field of the rule, or the field that is wrong; may stay empty.
        opened_by: who acts; empty: whoever runs the process.
    """

    dataset: str
    opened_for: str
    statement: str = field(repr=False)
    key: tuple[str, ...] | None = field(default=None, repr=False)
    rule: str = ""
    at_field: str = ""
    opened_by: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A ticket's correction as a collect has seen it.

    Attributes:
        transfer: the collect.
        detail: how, in numbers.
    """

    ticket: int
    transfer: int
    detail: Mapping[str, Any]


def open_challenge(
    hub: Desk, challenge: Challenge, attached: NewAttachment | None = None
) -> Ticket:
    """Open a ticket for the providing agency, with its deadline in working days.

    Args:
        hub: the hub.
        challenge: what is wrong.
        attached: a file that shows it; None: there is none.

    Raises:
        ConfigError: unknown dataset, agency, field or finding; a key that is no key.
        RefusedText: the statement is empty or holds personal data.
        PolicyError: no quarantine key.
    """
    contract = hub.catalogue.contract(challenge.dataset)
    _check_names(hub.catalogue, contract, challenge)
    with database.connect(hub.address, autocommit=True) as connection:
        new = _new_ticket(hub, connection, contract, challenge)
        with connection.transaction():
            ticket = tickets.open_ticket(connection, new)
            if attached is not None:
                attachments.add(connection, ticket, attached, hub.keys, hub.suite)
        found = tickets.get(connection, ticket)
    if found is None:
        msg = f"ticket {ticket} is gone right after it was opened"
        raise ConfigError(msg)
    return found


def _check_names(catalogue: Catalogue, contract: Contract, challenge: Challenge) -> None:
    if challenge.opened_for not in catalogue.agencies:
        raise UsageError(unknown("agency", challenge.opened_for, catalogue.agencies))
    if challenge.at_field and challenge.at_field not in contract.names:
        raise UsageError(f"{contract.id}: " + unknown("field", challenge.at_field, contract.names))
    if challenge.key is None and not challenge.rule:
        msg = "a challenge names a record or a rule"
        raise ConfigError(msg)


def _new_ticket(
    hub: Desk, connection: Connection, contract: Contract, challenge: Challenge
) -> NewTicket:
    kind: ChallengeKind = "finding" if challenge.key is None else "record"
    now = hub.settings.now()
    due = workdays.after(now.date(), hub.catalogue.service_levels.days(contract.agency, kind))
    if challenge.key is None:
        refs: dict[str, Any] = {}
        watched = WatchedRule(contract.id, challenge.rule, challenge.at_field)
        baseline = finding_baseline(connection, watched)
    else:
        refs, baseline = _record(hub, connection, contract, challenge.key)
    return NewTicket(
        agency=contract.agency,
        opened_for=challenge.opened_for,
        opened_by=challenge.opened_by or hub.settings.actor,
        kind=kind,
        dataset=contract.id,
        statement=challenge.statement,
        opened_at=now,
        due_on=due.day,
        clock=due.clock,
        field=challenge.at_field,
        rule=challenge.rule,
        baseline={"after": transfer_lookup.newest(connection), **baseline},
        **refs,
    )


def _record(
    hub: Desk, connection: Connection, contract: Contract, key: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """How the record is found again, and where it stands now."""
    values = checked_key(contract, key)
    referrer = Referrer(contract, hub.keys.quarantine(), hub.settings.suite)
    place = locate(connection, contract, values, hub.keys)
    (ref,) = referrer.refs([values])
    baseline = {
        "version": datasets.state(connection, contract.id).version,
        "published": place.published,
        "quarantined": list(place.quarantined),
    }
    refs = {"record_ref": ref, "key_epoch": referrer.key.epoch, "suite": referrer.suite}
    return {**refs, "shown_key": shown_key(contract, values)}, baseline


def shown_key(contract: Contract, key: Sequence[str]) -> str:
    """A record's key as people may read it: under the masks of its semantic types.

    Args:
        contract: of its dataset.
        key: values of its key, as `checked_key` gives them.

    Returns:
        Empty where no part of the key may be shown.
    """
    (row,) = masked_rows(contract, [dict(zip(contract.key, key, strict=True))]).to_dicts()
    parts = [row[name] for name in contract.key]
    return " / ".join(part or "—" for part in parts) if any(parts) else ""


def seen_by_collect(
    connection: Connection, catalogue: Catalogue, keys: KeyStore, now: datetime
) -> list[Sighting]:
    """Look for corrections of all tickets that are not closed, and note them as events.

    A dataset whose contract or key is gone is passed over with a warning; its tickets wait.

    Args:
        connection: of the hub's database.
        catalogue: contracts of the tickets' datasets.
        keys: with those under which the tickets were opened.
        now: the hub's time; it is that of the events.
    """
    waiting = [t for t in tickets.listed(connection, None) if t.status != "closed"]
    done: list[Sighting] = []
    for dataset, group in groupby(sorted(waiting, key=_by_dataset), key=lambda t: t.dataset):
        try:
            found = list(_seen_in(connection, catalogue.contract(dataset), list(group), keys))
        except (ConfigError, PolicyError) as error:
            log.warning("tickets of %s cannot be reviewed: %s", dataset, error)
            continue
        done += [
            seen
            for seen in found
            if tickets.saw(connection, seen.ticket, seen.transfer, seen.detail, now)
        ]
    return done


def review(hub: Desk) -> list[Sighting]:
    """`seen_by_collect` with everything of the hub; called after each night."""
    with database.connect(hub.address, autocommit=True) as connection:
        return seen_by_collect(connection, hub.catalogue, hub.keys, hub.settings.now())


def _by_dataset(ticket: Ticket) -> tuple[str, str, str, int]:
    return ticket.dataset, ticket.key_epoch, ticket.suite, ticket.id


def _seen_in(
    connection: Connection, contract: Contract, waiting: list[Ticket], keys: KeyStore
) -> Iterable[Sighting]:
    for ticket in (t for t in waiting if t.kind == "finding"):
        seen = finding_now(connection, ticket)
        if seen is not None:
            yield Sighting(ticket.id, *seen)
    records = [t for t in waiting if t.record_ref is not None]
    for (epoch, suite), group in groupby(records, key=lambda t: (t.key_epoch, t.suite)):
        referrer = Referrer(contract, keys.quarantine_of(epoch), suite)
        yield from _records_seen(connection, referrer, list(group), keys)


def _records_seen(
    connection: Connection, referrer: Referrer, group: list[Ticket], keys: KeyStore
) -> Iterable[Sighting]:
    """Records that were published anew, and rejected ones that are rejected no more."""
    by_ref = {bytes(t.record_ref or b"") for t in group}
    oldest = min(int(t.baseline["version"]) for t in group)
    newer = published_since(connection, referrer, by_ref, oldest)
    # Without a cursor a source may hand over news only (files): nothing follows from silence.
    complete = referrer.contract.source.cursor is not None
    whole = transfer_lookup.last_whole_collect(connection, referrer.contract.id) if complete else 0
    still: set[bytes] | None = None
    for ticket in group:
        ref, before = bytes(ticket.record_ref or b""), ticket.baseline
        version, transfer = newer.get(ref, (0, 0))
        if version > int(before["version"]):
            yield Sighting(ticket.id, transfer, {"how": "published", "version": version})
        elif before["quarantined"] and whole > int(before["after"]):
            if still is None:
                still = set(held_in(connection, referrer, whole, keys))
            if ref not in still:
                yield Sighting(ticket.id, whole, {"how": "rejected no more"})
