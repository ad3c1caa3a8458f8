"""The correction loop on a real hub: challenged, answered, corrected at the source, seen, closed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from demo.rehearsal import Rehearsal
from onecard.app.wiring import Hub
from onecard.errors import ConfigError
from onecard.model.tickets import Acting, Answer, RefusedText, UnknownTicket, WrongState
from onecard.operations import night
from onecard.stewardship import challenges
from onecard.stewardship.challenges import Challenge
from onecard.store import audit, database, quarantine, tickets
from tests import forked
from tests.cities import Cities

CARDS, RULE, TABLE = "hrss/card_master", "issue_date_not_future", "card_master"


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Rehearsal]:
    """A city after the first night of one dataset."""
    home = tmp_path_factory.mktemp("challenges")
    with cities.start(home / "stage", persons=2_000, seed=31) as stage:
        stage.hub(0).collect(CARDS).run()
        yield stage


def onecard(
    stage: Rehearsal, *arguments: str, given: str = "", night: str | None = None
) -> tuple[int, str]:
    environment = stage.at(0) | ({"ONECARD_NOW": night} if night else {})
    done = forked.onecard(environment, *arguments, given=given)
    return done.returncode, done.stdout + done.stderr


def one(hub: Hub, statement: str) -> str:
    with database.connect(hub.address, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return str(row[0])


def held(hub: Hub) -> list[str]:
    """Numbers of the cards that the newest reading rejected for the one rule."""
    with database.connect(hub.address, autocommit=True) as connection:
        newest = connection.execute(
            "SELECT id FROM quarantine.record WHERE dataset = %s AND last_transfer ="
            " (SELECT max(last_transfer) FROM quarantine.record) ORDER BY id",
            (CARDS,),
        ).fetchall()
        found = [quarantine.reveal(connection, int(str(row[0])), hub.keys) for row in newest]
    return [
        str(values["card_no"])
        for record, values in found
        if {rule for _, rule in record.reasons} == {RULE}
    ]


def at_source(stage: Rehearsal, card: str, changes: dict[str, object]) -> int:
    """Correct a card in the bureau's own table; returns how many rows it has of it."""
    hub = stage.hub(0)
    contract = hub.catalogue.contract(CARDS)
    options = contract.source.options
    table = sql.Identifier(*filter(None, [options.get("schema"), options["table"]]))
    native = {contract.field(n).native: v for n, v in changes.items()}
    sets = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(n)) for n in native)
    statement = sql.SQL("UPDATE {} SET {} WHERE {} = %s").format(
        table, sets, sql.Identifier(contract.field("card_no").native)
    )
    with psycopg.connect(stage.city.postgres_url) as connection:
        return connection.execute(statement, (*native.values(), card)).rowcount


def opened(hub: Hub, card: str) -> int:
    return challenges.open_challenge(hub, Challenge(CARDS, "bank", "状态不符", (card,))).id


def seen(hub: Hub, ticket: int) -> int | None:
    with database.connect(hub.address, autocommit=True) as connection:
        found = tickets.get(connection, ticket)
    assert found is not None
    return found.seen


def test_a_published_record_corrected_at_its_source_is_seen_and_closed(
    collected: Rehearsal,
) -> None:
    hub = collected.hub(0)
    card = one(hub, "SELECT card_no FROM registry.hrss__card_master ORDER BY card_no LIMIT 1")
    other = one(hub, "SELECT max(card_no) FROM registry.hrss__card_master")
    code, said = onecard(
        collected,
        *("challenge", "open", "--dataset", CARDS, "--for", "bank", "--record"),
        *("--field", "card_status", "--statement", "卡状态与银行不符", "--json"),
        given=card + "\n",
    )
    assert code == 0, said
    ticket = json.loads(said)
    assert (ticket["agency"], ticket["for"], ticket["kind"]) == ("hrss", "bank", "record")
    assert card not in said
    number, untouched = str(ticket["id"]), opened(hub, other)
    assert challenges.review(collected.hub(0)) == []
    assert onecard(collected, "challenge", "acknowledge", number)[0] == 0
    code, said = onecard(collected, "challenge", "acknowledge", number)
    assert (code, "is acknowledged; only one that is open" in said) == (1, True)
    answer = ("challenge", "answer", number, "--outcome", "corrected", "--text", "已在源头更正")
    assert onecard(collected, *answer)[0] == 0
    code, said = onecard(collected, "challenge", "close", number)
    assert (code, "no collect has seen a correction" in said) == (1, True)

    later = hub.settings.now() + timedelta(hours=1)
    changes = {"card_status": "2", "source_updated_at": hub.settings.now()}
    assert at_source(collected, card, changes) >= 1
    transfer = collected.hub(0).collect(CARDS).run(whole=True).transfer
    code, said = onecard(collected, "challenge", "review", "--json", night=later.isoformat())
    assert json.loads(said) == [{"ticket": int(number), "transfer": transfer}]
    assert challenges.review(collected.hub(0)) == []
    assert seen(hub, untouched) is None
    code, said = onecard(collected, "challenge", "close", number)
    assert code == 0, said
    found = json.loads(onecard(collected, "challenge", "show", number, "--json")[1])
    assert [e["event"] for e in found["events"]] == [
        *("opened", "acknowledged", "answered", "seen", "closed")
    ]
    assert found["evidence"]["seen"] == transfer
    assert found["evidence"]["how"] == "published"
    code, said = onecard(
        collected, "challenge", "close", number, "--without-correction", "重复提出"
    )
    assert (code, "is closed" in said) == (1, True)


def test_a_rejected_record_is_seen_when_no_complete_reading_rejects_it(
    collected: Rehearsal,
) -> None:
    hub = collected.hub(0)
    mended, wrong, *_ = held(hub)
    first, second = opened(hub, mended), opened(hub, wrong)
    with database.connect(hub.address, autocommit=True) as connection:
        found = tickets.get(connection, first)
        assert found is not None
        assert found.baseline["quarantined"]
        assert not found.baseline["published"]
    good = {"issue_date": date(2020, 1, 2)}
    assert at_source(collected, mended, good) >= 1
    still = {"issue_date": date(2090, 1, 2)}
    assert at_source(collected, wrong, still) >= 1
    transfer = collected.hub(0).collect(CARDS).run(whole=True).transfer
    found = [s for s in challenges.review(hub) if s.ticket in (first, second)]
    assert [(s.ticket, s.transfer) for s in found] == [(first, transfer)]
    assert seen(hub, second) is None


def test_a_finding_is_seen_when_fewer_rows_fail_in_number_and_share(collected: Rehearsal) -> None:
    hub = collected.hub(0)
    count = int(
        one(
            hub,
            "SELECT sum(failed) FROM ledger.rule_count WHERE rule = 'issue_date_not_future' AND"
            f" transfer = (SELECT max(id) FROM ledger.transfer WHERE subject = '{CARDS}')",
        )
    )
    assert count > 1
    code, said = onecard(
        collected,
        *("challenge", "open", "--dataset", CARDS, "--for", "hrss", "--rule", RULE),
        *("--statement", "发卡日期在未来", "--json"),
    )
    assert code == 0, said
    ticket = json.loads(said)["id"]
    collected.hub(0).collect(CARDS).run(whole=True)
    assert [s for s in challenges.review(hub) if s.ticket == ticket] == []
    card, *_ = held(hub)
    assert at_source(collected, card, {"issue_date": date(2020, 1, 2)}) >= 1
    transfer = collected.hub(0).collect(CARDS).run(whole=True).transfer
    assert (ticket, transfer) in [(s.ticket, s.transfer) for s in challenges.review(hub)]
    with database.connect(hub.address, autocommit=True) as connection:
        *_, event = tickets.events(connection, ticket)
    assert (event.detail["failed"], event.detail["was"]) == (count - 1, count)


def test_deadlines_are_working_days_and_overdue_ones_are_listed(collected: Rehearsal) -> None:
    hub = collected.hub(0)
    card = one(hub, "SELECT min(card_no) FROM registry.hrss__card_master")
    opened(hub, card)
    challenges.open_challenge(hub, Challenge(CARDS, "hrss", "有误", rule=RULE))
    listed = json.loads(onecard(collected, "challenge", "list", "--json")[1])
    by_kind = {t["kind"]: t for t in listed if t["status"] == "open"}
    left = {kind: t["working_days_left"] for kind, t in by_kind.items()}
    assert left == {"record": 10, "finding": 5}
    assert onecard(collected, "challenge", "list", "--overdue", "--json")[1].strip() == "[]"
    last = date.fromisoformat(by_kind["record"]["due_on"])
    for day, late in ((last, False), (last + timedelta(days=1), True)):
        night = f"{day.isoformat()}T02:00:00+08:00"
        code, said = onecard(collected, "challenge", "list", "--overdue", "--json", night=night)
        assert code == 0
        listed = {t["id"] for t in json.loads(said)}
        assert (by_kind["record"]["id"] in listed) is late
    assert (
        json.loads(onecard(collected, "challenge", "list", "--agency", "bank", "--json")[1]) == []
    )


def test_a_deadline_in_a_year_without_known_holidays_says_so(collected: Rehearsal) -> None:
    code, said = onecard(
        collected,
        *("challenge", "open", "--dataset", CARDS, "--for", "bank", "--record"),
        *("--statement", "状态不符"),
        given="ZZ0000000\n",
        night="2098-12-30T02:00:00+08:00",
    )
    assert code == 0, said
    assert "warning: holidays of a year up to 2099 are not known" in said
    assert "not known to the hub" in said
    hub = collected.hub(0)
    assert one(hub, "SELECT clock FROM ledger.ticket ORDER BY id DESC LIMIT 1") == "weekdays"


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("410199199001011233 的状态不对", "id_number"),
        ("请联系 138 1234 5678", "mobile"),
        ("卡 6222020000000000000", "bank_card"),
    ],
)
def test_a_statement_with_personal_data_is_refused_and_not_repeated(
    collected: Rehearsal, statement: str, kind: str
) -> None:
    from onecard.base import personal

    assert [h.kind for h in personal.find(statement)] == [kind]
    before = one(collected.hub(0), "SELECT count(*) FROM ledger.ticket")
    code, said = onecard(
        collected,
        *("challenge", "open", "--dataset", CARDS, "--for", "bank", "--rule", RULE),
        *("--statement", statement),
    )
    assert code == 1
    assert f"it holds personal data ({kind})" in said
    assert not any(part in said for part in statement.split() if part.isdigit())
    assert one(collected.hub(0), "SELECT count(*) FROM ledger.ticket") == before


def test_wrong_names_and_keys_are_refused_with_what_is_known(collected: Rehearsal) -> None:
    opening = ("challenge", "open", "--for", "bank", "--statement", "x")
    code, said = onecard(collected, *opening, "--dataset", CARDS)
    assert (code, "--record / --rule" in said) == (2, True)
    code, said = onecard(collected, *opening, "--dataset", CARDS, "--rule", "no_such")
    assert (code, "no_such" in said) == (2, True)
    code, said = onecard(collected, *opening, "--dataset", CARDS, "--record", given="a\nSECRET7\n")
    assert (code, "the key has 1 values (card_no), not 2" in said) == (1, True)
    assert "SECRET7" not in said
    code, said = onecard(collected, "challenge", "show", "999999")
    assert (code, "no ticket 999999" in said) == (2, True)
    with pytest.raises(ConfigError, match="unknown field"):
        wanted = Challenge(CARDS, "bank", "x", ("k",), at_field="nope")
        challenges.open_challenge(collected.hub(0), wanted)


def test_states_evidence_and_events_hold_in_the_database_as_well(collected: Rehearsal) -> None:
    hub = collected.hub(0)
    now = hub.settings.now()
    card = one(hub, "SELECT min(card_no) FROM registry.hrss__card_master")
    ticket = opened(hub, card)
    by = Acting("a", now)
    with database.connect(hub.address, autocommit=True) as connection:
        with pytest.raises(WrongState, match="is open; only one that is answered can be closed"):
            tickets.close(connection, ticket, {"without_correction": "x"}, by)
        with pytest.raises(ConfigError, match="known: confirmed, corrected, rejected"):
            tickets.answer(connection, ticket, Answer("fine", "x"), by)
        tickets.answer(connection, ticket, Answer("confirmed", "复核无误"), by)
        with pytest.raises(WrongState, match="saw a correction; those that did: none"):
            tickets.close(connection, ticket, {"seen": 1}, by)
        with pytest.raises(RefusedText, match="reason: it is empty"):
            tickets.close(connection, ticket, {"without_correction": "  "}, by)
        with pytest.raises(UnknownTicket):
            tickets.acknowledge(connection, 10**9, by)
        tickets.close(connection, ticket, {"without_correction": "复核无误"}, by)
        for change in (
            f"UPDATE ledger.ticket SET answer = 'other' WHERE id = {ticket}",
            "UPDATE ledger.ticket SET due_on = due_on + 30",
            "DELETE FROM ledger.ticket_event",
            "TRUNCATE ledger.ticket CASCADE",
        ):
            with pytest.raises(psycopg.errors.RaiseException):
                connection.execute(change.encode())
        entries = [e for e in audit.newest(connection, 200) if e.kind.startswith("ticket.")]
        mine = [e.kind for e in reversed(entries) if json.loads(e.body)["ticket"] == ticket]
    assert mine == ["ticket.opened", "ticket.answered", "ticket.closed"]


def test_no_key_of_a_record_and_no_statement_stands_in_the_audit_log(collected: Rehearsal) -> None:
    hub = collected.hub(0)
    card = one(hub, "SELECT min(card_no) FROM registry.hrss__card_master")
    opened(hub, card)
    dump = one(hub, "SELECT json_agg(t)::text FROM ledger.ticket t")
    dump += one(hub, "SELECT json_agg(e)::text FROM ledger.ticket_event e")
    log = one(hub, "SELECT string_agg(body, ' ') FROM ledger.audit")
    assert card not in dump + log
    assert "状态不符" in dump
    assert "状态不符" not in log


def test_two_answers_at_once_count_once(collected: Rehearsal, tmp_path: Path) -> None:
    del tmp_path
    import threading

    hub = collected.hub(0)
    ticket = opened(hub, one(hub, "SELECT min(card_no) FROM registry.hrss__card_master"))
    outcomes: list[str] = []

    def answer(outcome: str) -> None:
        with database.connect(hub.address, autocommit=True) as connection:
            try:
                tickets.answer(
                    connection, ticket, Answer(outcome, "x"), Acting("a", hub.settings.now())
                )
                outcomes.append("done")
            except WrongState:
                outcomes.append("refused")

    threads = [threading.Thread(target=answer, args=(o,)) for o in ("confirmed", "rejected")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "refused"]


def test_the_night_itself_notes_what_it_has_seen(collected: Rehearsal) -> None:
    hub = collected.hub(0)
    card = one(hub, "SELECT max(card_no) FROM registry.hrss__card_master")
    ticket = opened(hub, card)
    changes = {"card_status": "2", "source_updated_at": hub.settings.now()}
    assert at_source(collected, card, changes) >= 1
    night.run(collected.hub(0))
    assert seen(hub, ticket) is not None
