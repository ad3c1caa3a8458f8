"""The demo's past: real nights in a row, and what stewards do about what they find.

`python -m demo.history --home H --seed S --persons N --first A --last B` runs the nights A to B in
this process as `onecard nightly` would, after the nights before A have run. It reads where things
are from the environment, as every process of the hub does. With `--verify` every inbox is compared
with its agreement after every night.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from demo.calendar import Day
from demo.rehearsal import Rehearsal
from demo.run import DemoCity
from demo.verify_inboxes import verify_inboxes
from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.model.tickets import Acting, Answer
from onecard.operations import night
from onecard.reconcile.dataset import reconcile
from onecard.stewardship import challenges
from onecard.stewardship.challenges import Challenge
from onecard.store import database, rule_counts, tickets

WORKERS = 4
WEEK = 7
DELETING = ("health/death_notice", "hrss/ecard_binding")
"""Datasets whose sources delete rows."""
CHALLENGED = 6
"""Every so many days a consumer challenges the finding with the largest loss."""


def main() -> int:
    """Run the nights; returns 1 when one failed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--persons", type=int, required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--last", type=int, required=True)
    parser.add_argument("--verify", action="store_true")
    wanted = parser.parse_args()
    postgres = os.environ["ONECARD_DEMO_AGENCIES"]
    city = DemoCity(
        wanted.home / "city",
        postgres,
        seed=wanted.seed,
        persons=wanted.persons,
        mariadb_url=os.environ.get("ONECARD_DEMO_MARIADB"),
    )
    failed = 0
    for number in range(wanted.first, wanted.last + 1):
        city.prepare(number)
        hub = _hub(number)
        outcome = night.run(hub, workers=WORKERS)
        failed += len(outcome.failed) + len(outcome.held)
        for subject, message in {**outcome.failed, **outcome.held}.items():
            sys.stderr.write(f"night {number}: {subject}: {message}\n")
        if wanted.verify:
            failed += _differing(hub, city, number)
        weekly(hub, number)
        stewards(hub, number)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
    return 1 if failed else 0


def _differing(hub: Hub, city: DemoCity, number: int) -> int:
    """How many inboxes are not as their agreements say, after saying which."""
    wrong = [(n, v) for n, v in verify_inboxes(hub, city).items() if not v.same]
    for name, verdict in wrong:
        sys.stderr.write(f"night {number}: inbox of {name}: {verdict}\n")
    return len(wrong)


def live(stage: Rehearsal, numbers: Iterable[int]) -> Hub:
    """Run these nights, with what stewards do, in this process; returns the last night's hub."""
    hub = stage.hub(0)
    for number in numbers:
        if number:
            stage.city.prepare(number)
        hub = stage.hub(number)
        night.run(hub)
        weekly(hub, number)
        stewards(hub, number)
    return hub


def weekly(hub: Hub, number: int) -> None:
    """On every seventh day, look which rows their sources have deleted without a word."""
    if number % WEEK == WEEK - 1:
        for dataset in DELETING:
            reconcile(hub, dataset)


def stewards(hub: Hub, number: int) -> None:
    """What people do on that day: challenge the worst finding, answer, close what is mended."""
    now = hub.settings.now()
    acting = Acting("演练专员", now)
    with database.connect(hub.address, autocommit=True) as connection:
        if number % CHALLENGED == 0:
            since = now - timedelta(days=CHALLENGED)
            worst = rule_counts.worst_unchallenged(connection, since)
            if worst:
                text = "核对发现该规则不合格行较多，请在源系统更正。"
                challenges.open_challenge(
                    hub,
                    Challenge(worst.dataset, "bureau", text, rule=worst.rule, at_field=worst.field),
                )
        for ticket in tickets.listed(connection, None):
            age = (now - ticket.opened_at).days
            if ticket.status == "open" and age == 1:
                tickets.acknowledge(connection, ticket.id, acting)
            # Every third is answered too late: its deadline is a week of working days.
            if ticket.status == "acknowledged" and age == (14 if ticket.id % 3 == 0 else 4):
                answer = "已在源系统更正并核对。"
                tickets.answer(connection, ticket.id, Answer("corrected", answer), acting)
            if ticket.status == "answered" and ticket.seen is not None:
                tickets.close(connection, ticket.id, {"seen": ticket.seen}, acting)


def _hub(number: int) -> Hub:
    environment = {**os.environ, "ONECARD_NOW": Day(number).night.isoformat()}
    return Hub(Settings.load(environment), EnvironmentConnections(environment))


if __name__ == "__main__":
    sys.exit(main())
