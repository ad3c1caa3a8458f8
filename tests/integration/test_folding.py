"""Old transfers of the live lane are folded: what anybody may ask of them is answered as before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from onecard.app.wiring import Hub
from onecard.model.tickets import NewTicket
from onecard.operations import housekeeping
from onecard.operations.housekeeping import keep_house
from onecard.stewardship import challenges, receipt_check
from onecard.store import (
    card_losses,
    database,
    deliveries,
    disclosures,
    finding_history,
    folding,
    published_row,
    receipt_search,
    receipts,
    report_facts,
    report_frames,
    tickets,
    transfer_history,
    transfer_lookup,
    usual_volumes,
)
from onecard.store.audit_proof import Beginnings
from onecard.store.card_losses import Loss, StatusTable
from onecard.store.database import Connection
from onecard.store.finding_history import WatchedRule
from onecard.store.receipt_search import SoughtReceipts
from onecard.store.receipts import Erasure
from onecard.store.referrer import Referrer
from onecard.store.report_frames import FRAMES, Span
from onecard.store.retention import FOLDED_AFTER
from quality.reports import facts as ledger_facts
from tests.cities import Cities
from tests.integration.test_live import BUSES, EVENTS, OPERATOR, Town, town_of

BATCHES = 9
LATER = FOLDED_AFTER.days + 1
"""A day on which the first day's transfers are old enough."""


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Town]:
    """A day of the lane: a batch for each event, and one delivery that its consumer has erased."""
    home = tmp_path_factory.mktemp("folding")
    with town_of(home, cities) as town, pytest.MonkeyPatch.context() as patch:
        patch.setattr(folding, "NEWEST", 2)
        patch.setattr(folding, "LEAST", 3)
        patch.setattr(folding, "PACK", 4)
        for _ in range(BATCHES):
            town.report()
            hub = town.stage.hub(0)
            hub.collect(EVENTS).run()
            for agreement in (BUSES, OPERATOR):
                hub.deliver(agreement).run()
        with connected(town) as connection:
            erased = Erasure(
                delivered(connection, BUSES)[2], datetime.now().astimezone(), "值班员", "销毁回执 1"
            )
            assert receipts.record_erasure(connection, erased)
        yield town


def connected(town: Town) -> Any:
    return database.connect(town.address, autocommit=True)


def delivered(connection: Connection, agreement: str) -> list[str]:
    """Ids of the agreement's deliveries, oldest first."""
    found = connection.execute(
        "SELECT delivery_id FROM (SELECT id, delivery_id FROM ledger.transfer WHERE subject = %(a)s"
        " UNION ALL SELECT id, delivery_id FROM ledger.folded WHERE subject = %(a)s) t"
        " WHERE delivery_id IS NOT NULL ORDER BY id",
        {"a": agreement},
    ).fetchall()
    return [str(delivery) for (delivery,) in found]


def answers(hub: Hub) -> dict[str, Any]:
    """What the ledger says to all who ask it for history."""
    now = hub.settings.now()
    span = Span(now - timedelta(days=400), now + timedelta(days=40))
    with database.connect(hub.address, autocommit=True) as connection:
        found: dict[str, Any] = {
            name: sorted(report_frames.frame(connection, name, span).rows(), key=repr)
            for name in FRAMES
        }
        found["first day"] = report_facts.first_day(connection)
        found["filled since"] = report_facts.filled_since(connection)
        found["complete readings"] = report_facts.complete_readings(connection, span.end)
        found["first time"] = transfer_history.first_time(connection)
        found["newest"] = transfer_history.latest(connection)
        found["confirmed"] = transfer_lookup.confirmed_deliveries(connection)
        found["receipts"] = sorted(map(asdict, receipts.newest(connection, 10_000)), key=repr)
        found["some receipts"] = receipts.newest(connection, 5)
        for agreement in (BUSES, OPERATOR):
            found[agreement] = of_agreement(connection, hub, agreement)
        found["usual"] = usual_volumes.read_before(connection, EVENTS, whole=False, last=2)
        found["there"] = usual_volumes.there_before(connection, EVENTS, last=2)
        found["published"] = published(connection, hub)
        found["broken"] = [
            finding_history.last_broken(connection, WatchedRule(EVENTS, rule, ""))
            for rule in sorted(finding_history.ever_failed(connection, EVENTS, ""))
        ]
    return found


def of_agreement(connection: Connection, hub: Hub, agreement: str) -> dict[str, Any]:
    known = hub.catalogue.agreement(agreement)
    moments = [hub.settings.now() + timedelta(days=days) for days in (0, 89, 91, 400)]
    keys = hub.keys.token_epochs(known.consumer)
    persons = [
        p
        for (p,) in connection.execute(
            "SELECT DISTINCT person_id18 FROM registry.hrss__card_master"
        ).fetchall()
    ]
    of = disclosures.of_agreement(connection, agreement)
    month = Span(hub.settings.now() - timedelta(days=30), hub.settings.now())
    events = StatusTable(EVENTS, "hrss__card_status_event")
    return {
        "sendings": [
            deliveries.sendings(connection, agreement, m, there)
            for m in moments
            for there in lying(delivered(connection, agreement))
        ],
        "lapsed": [deliveries.last_lapsed(connection, agreement, m) for m in moments],
        "overdue": [receipts.overdue_erasures(connection, agreement, m) for m in moments],
        "usual": deliveries.usual_rows(connection, agreement, 2),
        "days": sorted(deliveries.rows_by_day(connection, agreement, month.start.date())),
        "sent": receipts.sent(connection, agreement, known.consumer),
        "disclosed": (of.persons.tolist(), of.transfers),
        "persons": [
            disclosures.of_person(
                connection, [agreement], [hub.suite.digests(k.secret, [p])[0] for k in keys]
            )
            for p in persons
        ],
        "losses": card_losses.counts(
            connection, agreement, events, Loss(("01", "02", "03", "08"), 60), month
        ),
    }


def lying(all_of_them: list[str]) -> list[list[str]]:
    """What may lie in an inbox: all of it, nothing, the newest, one from between, a stranger's."""
    strange = "a-readme"
    return [all_of_them, [], all_of_them[-1:], [*all_of_them[3:4], strange], [strange]]


def published(connection: Connection, hub: Hub) -> list[Any]:
    contract = hub.catalogue.contract(EVENTS)
    names = ", ".join(contract.key)
    rows = connection.execute(
        f"SELECT {names} FROM registry.hrss__card_status_event ORDER BY 1".encode()
    ).fetchall()
    return [
        published_row.of(connection, contract, dict(zip(contract.key, row, strict=True)))
        for row in rows
    ]


def test_whatever_is_asked_is_answered_as_before(lane: Town) -> None:
    hub = lane.stage.hub(LATER)
    before, monthly = answers(hub), facts(hub)
    assert any(before[BUSES]["persons"])
    assert before[BUSES]["lapsed"][2] is not None
    assert before[BUSES]["days"]
    lines = "SELECT count(*) FROM ledger.transfer WHERE subject = %s"
    had = {s: lane.ask(lines, s)[0][0] for s in (EVENTS, BUSES, OPERATOR)}
    done = keep_house(hub)
    done.check()
    assert done.folded > 3 * (BATCHES - 4)
    left = {s: lane.ask(lines, s)[0][0] for s in (EVENTS, BUSES, OPERATOR)}
    assert sum(had.values()) - sum(left.values()) == done.folded
    assert lane.ask("SELECT count(*) > 2 FROM ledger.lane_pack")[0][0]
    after = answers(hub)
    for name, said in before.items():
        assert after[name] == said, name
    assert facts(hub) == monthly
    assert all(hub.signer.suite == r["suite"] for r in after["receipts"])
    again = keep_house(hub)
    again.check()
    assert again.folded == 0


def facts(hub: Hub) -> Any:
    """What the monthly report reads of the ledger, for the figures of its tables and section four."""
    now = hub.settings.now()
    month = ledger_facts.Period(now.date().replace(day=1), now.date() + timedelta(days=1))
    with database.connect(hub.address, autocommit=True) as connection:
        found = ledger_facts.read(connection, month, now)
    return {name: sorted(frame.rows(), key=repr) for name, frame in found.frames.items()}


def test_each_line_of_a_day_is_what_its_transfers_were(lane: Town) -> None:
    keep_house(lane.stage.hub(LATER))
    days = lane.ask(
        "SELECT direction, subject, first, last, transfers, rows_read, published"
        " + unchanged + quarantined + deduplicated + filtered_by_policy, sent_rows,"
        " digest, took_times FROM ledger.lane_day"
    )
    lanes = {("collect", EVENTS), ("deliver", BUSES), ("deliver", OPERATOR)}
    assert {(d[0], d[1]) for d in days} == lanes
    for direction, subject, first, last, number, read, parts, sent, digest, times in days:
        packed = lane.ask(
            "SELECT transfer, body, signature FROM ledger.folded_receipt WHERE subject = %s"
            " AND transfer BETWEEN %s AND %s ORDER BY transfer",
            subject,
            first,
            last,
        )
        assert len(packed) == number == sum(times)
        made = b"".join(hashlib.sha256(b.encode()).digest() + s for _, b, s in packed)
        assert hashlib.sha256(made).digest() == digest
        said = lane.ask(
            "SELECT body FROM ledger.audit WHERE kind = 'transfers.folded' AND subject = %s",
            subject,
        )
        assert any(digest.hex() in body and f'"transfers":{number}' in body for (body,) in said)
        if direction == "collect":
            assert read == parts
        else:
            counted = "SELECT sum(sent_rows) FROM ledger.folded WHERE subject = %s AND id BETWEEN"
            assert lane.ask(f"{counted} %s AND %s", subject, first, last) == [(sent,)]


def test_a_receipt_goes_only_where_a_pack_has_it_word_for_word(lane: Town) -> None:
    keep_house(lane.stage.hub(LATER))
    newest = "(SELECT max(transfer) FROM ledger.receipt)"
    for statement in (
        f"DELETE FROM ledger.receipt WHERE transfer = {newest}",
        "UPDATE ledger.receipt SET body = body",
        "DELETE FROM ledger.lane_pack",
        "UPDATE ledger.lane_day SET transfers = transfers + 1",
        "TRUNCATE ledger.lane_pack",
    ):
        with (
            pytest.raises(psycopg.errors.RaiseException, match="append-only"),
            psycopg.connect(lane.address) as connection,
        ):
            connection.execute(statement.encode())


def test_a_fold_that_is_cut_off_has_changed_nothing(
    lane: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        lane.report()
        hub = lane.stage.hub(1)
        hub.collect(EVENTS).run()
        hub.deliver(BUSES).run()
    later = lane.stage.hub(LATER + 1)
    before = answers(later)

    def cut_off(*_arguments: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(housekeeping.audit, "append", cut_off)
    with connected(lane) as connection, pytest.raises(KeyboardInterrupt):
        housekeeping.fold(later, connection)
    monkeypatch.undo()
    assert answers(later) == before


def test_the_last_days_stay_as_they_are(lane: Town) -> None:
    count = "SELECT count(*) FROM ledger.transfer"
    before = lane.ask(count)
    assert keep_house(lane.stage.hub(FOLDED_AFTER.days)).folded == 0
    assert lane.ask(count) == before


def test_an_erasure_of_a_folded_delivery_is_recorded(lane: Town) -> None:
    hub = lane.stage.hub(LATER)
    keep_house(hub)
    limit = datetime.now().astimezone() + timedelta(days=1)  # transfers end by the database's clock
    with connected(lane) as connection:
        ((delivery,),) = connection.execute(
            "SELECT delivery_id FROM ledger.folded WHERE subject = %s AND sent_rows > 0"
            " ORDER BY id DESC LIMIT 1",
            (OPERATOR,),
        ).fetchall()
        overdue = receipts.overdue_erasures(connection, OPERATOR, limit)
        erased = Erasure(str(delivery), datetime.now().astimezone(), "值班员", "销毁回执 2")
        assert receipts.record_erasure(connection, erased)
        assert not receipts.record_erasure(connection, erased)
        assert receipts.overdue_erasures(connection, OPERATOR, limit) == overdue - 1


def test_a_folded_receipt_is_found_and_verified(
    lane: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = lane.stage.hub(LATER)
    keep_house(hub)
    folded = lane.ask(
        "SELECT id, subject, delivery_id, day FROM ledger.folded WHERE direction = 'deliver'"
        " ORDER BY id DESC"
    )
    assert folded
    known = Beginnings()
    with connected(lane) as connection:
        for transfer, subject, delivery, day in folded:
            for sought in (
                SoughtReceipts(None, transfer=transfer),
                SoughtReceipts({subject}, delivery=delivery),
            ):
                (line,) = receipt_search.search(connection, sought, 5).lines
                assert (line.transfer, line.folded) == (transfer, True)
                assert (line.subject, line.delivery) == (subject, delivery)
            listed = receipt_search.search(connection, SoughtReceipts({subject}, day=day), 500)
            assert transfer in {line.transfer for line in listed.lines}
            strange = SoughtReceipts({"f99-nothing"}, transfer=transfer)
            assert receipt_search.search(connection, strange, 5).lines == []
        stored = receipts.load(connection, folded[0][0])
        assert stored is not None
        kept = json.dumps(receipt_check.document(stored)).encode()
        found = receipt_check.check(hub, connection, receipt_check.read(kept), known)
        assert (found.signed, found.recorded, found.holds) == (True, "same", True)
        every = set(receipts.newest(connection, 10_000))
        for packs, limit in ((receipt_search.PACKS, 500), (2, 3)):
            monkeypatch.setattr(receipt_search, "PACKS", packs)
            assert walked(connection, limit) == sorted((r.transfer for r in every), reverse=True)


def walked(connection: Connection, limit: int) -> list[int]:
    """Transfers of all receipts, page by page."""
    seen, before = [], 0
    while True:
        found = receipt_search.search(connection, SoughtReceipts(None, before=before), limit)
        seen += [line.transfer for line in found.lines]
        if not found.more:
            return seen
        before = found.more


def test_a_correction_that_only_a_folded_collect_has_seen_is_noted(lane: Town) -> None:
    hub = lane.stage.hub(LATER)
    keep_house(hub)
    contract = hub.catalogue.contract(EVENTS)
    names = ", ".join(f"{name}::text" for name in contract.key)
    key, published = lane.ask(
        f"SELECT ARRAY[{names}], _transfer_id FROM registry.hrss__card_status_event"
        " WHERE _transfer_id IN (SELECT id FROM ledger.folded WHERE direction = 'collect') LIMIT 1"
    )[0]
    referrer = Referrer(contract, hub.keys.quarantine(), hub.settings.suite)
    (ref,) = referrer.refs([key])
    now = hub.settings.now()
    new = NewTicket(
        agency="hrss",
        opened_for="transport",
        opened_by="值班员",
        kind="record",
        dataset=EVENTS,
        statement="状态与现场不符",
        opened_at=now,
        due_on=now.date(),
        record_ref=ref,
        key_epoch=referrer.key.epoch,
        suite=referrer.suite,
        baseline={"after": 0, "version": 0, "published": True, "quarantined": []},
    )
    with connected(lane) as connection:
        ticket = tickets.open_ticket(connection, new)
        seen = [s.transfer for s in challenges.review(hub) if s.ticket == ticket]
        assert seen == [published]
        assert challenges.review(hub) == []
