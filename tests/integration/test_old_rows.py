"""Rejected rows that time has passed: mended, superseded, gone; replayed only where none is newer."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from onecard.collect import mended
from onecard.crypto.keys import Key, KeyStore
from onecard.errors import ConfigError, OlderRow, PolicyError
from onecard.model.signoffs import SignOff
from onecard.operations.release import release
from onecard.operations.replay import replay
from onecard.store import database, live_keys, quarantine
from tests.small_hub import DATASET, DAY, SmallHub, small_hub

MIGRATIONS = Path(__file__).parents[2] / "sql/migrations/versions"
AT = "2026-11-09T10:00:00+08:00"


AT_MOST_50 = {
    "name": "most",
    "description": "不超过五十",
    "type": "custom",
    "engine": "onecard",
    "dimension": "accuracy",
    "severity": "error",
    "implementation": {"check": "range", "field": "amount", "max": 50},
}
"""A rule that came into the contract later."""


@pytest.fixture
def small(tmp_path: Path, hub_database: str, private_database: str) -> Iterator[SmallHub]:
    with small_hub(tmp_path, hub_database, private_database) as found:
        yield found


def status(small: SmallHub) -> list[str]:
    """Of all quarantined rows, sorted."""
    return sorted(found for _, found in small.records())


def rejected_then_published(small: SmallHub) -> int:
    """K1 is rejected in the first file and published from the second; returns its record."""
    small.files()
    small.put("01.csv", [("K1", "1O0", AT), ("K2", "5", AT)])
    assert small.collect().counts.quarantined == 1
    small.put("02.csv", [("K1", "100", AT)])
    assert small.collect().counts.published == 1
    ((record, _),) = small.records()
    return record


@pytest.mark.case("people-20", "a row whose record was read as a good one since is mended")
def test_a_newer_good_row_mends(small: SmallHub) -> None:
    rejected_then_published(small)
    assert status(small) == ["mended"]
    code, said = small.onecard("quarantine", "list", DATASET)
    assert (code, "mended" in said) == (0, False)
    code, said = small.onecard("quarantine", "list", DATASET, "--all", "--json")
    assert [(r["status"], r["ended_by"]) for r in json.loads(said)] == [("mended", 2)]


@pytest.mark.case("people-20", "mended back to the value that is published: unchanged, and mended")
def test_a_row_that_is_as_it_was_before_mends(small: SmallHub) -> None:
    small.files()
    for name, amount in (("01.csv", "100"), ("02.csv", "1O0"), ("03.csv", "100")):
        small.put(name, [("K1", amount, AT)])
        small.collect()
    assert (status(small), small.amounts()) == (["mended"], {"K1": "100.00"})


@pytest.mark.case("people-20", "rejected anew with other values: only the newest row is open")
def test_another_rejected_row_of_the_record_supersedes(small: SmallHub) -> None:
    small.files()
    for name, amount in (("01.csv", "1O0"), ("02.csv", "1OO"), ("03.csv", "x")):
        small.put(name, [("K1", amount, AT), ("K2", "y", AT)])
        small.collect()
    assert status(small) == ["held", "held", "superseded", "superseded"]


@pytest.mark.case("people-20", "a new quarantine key: still only the newest row is open")
def test_a_rejected_row_supersedes_one_under_an_older_key(small: SmallHub) -> None:
    small.files()
    for name, amount in (("01.csv", "1O0"), ("02.csv", "1OO"), ("03.csv", "1OO")):
        small.put(name, [("K1", amount, AT), ("K2", "y", AT)])
        small.collect()
        assert small.onecard("keys", "rotate", "quarantine", "--epoch", name[:2])[0] == 0
    assert status(small) == ["held", "held", *["superseded"] * 4]


@pytest.mark.case("people-20", "looked up one by one or read together, the same rows end")
@pytest.mark.parametrize("dear", [0, 1_000_000])
def test_both_ways_to_find_what_waits(
    small: SmallHub, monkeypatch: pytest.MonkeyPatch, dear: int
) -> None:
    monkeypatch.setattr(mended, "DEAR", dear)
    small.files()
    for name, amounts in (("01.csv", ["x", "x", "x"]), ("02.csv", ["1", "y"])):
        small.put(name, [(f"K{n}", amount, AT) for n, amount in enumerate(amounts)])
        small.collect()
    assert status(small) == ["held", "held", "mended", "superseded"]


@pytest.mark.case("people-20", "an older version that is read again mends nothing")
def test_an_older_version_does_not_mend(small: SmallHub) -> None:
    small.files(sequence=True)
    header = "code,amount,updated,seq"
    for name, amount, seq in (("01.csv", "x", 5), ("02.csv", "1", 4), ("03.csv", "2", 6)):
        small.put(name, [("K1", amount, AT, seq)], header)
        small.collect()
        assert status(small) == (["mended"] if name == "03.csv" else ["held"]), name


@pytest.mark.case("people-20", "only what waits goes back to its agency, the rest by --all")
def test_hand_back_sends_what_waits(small: SmallHub) -> None:
    file = small.home / "schemas" / "agencies.yaml"
    text = file.read_text(encoding="utf-8")
    old = "connection: hrss_db, treatment: masked, options: {schema: inbox, table: 'handback_{dataset}'}"
    assert old in text
    new = "connection: small_db, treatment: plain, options: {table: 'handback_{dataset}'}"
    file.write_text(text.replace(old, new), encoding="utf-8")
    small.agency(
        "CREATE TABLE handback_small (hub_record bigint PRIMARY KEY, hub_row bigint, hub_origin text,"
        " hub_reasons text, code text, amount text, updated text, delivery_id varchar(32),"
        " received_at timestamp)"
    )
    small.table()
    small.insert([(f"K{n:02}", "x" if n < 14 else "1", AT) for n in range(30)])
    small.collect()
    small.agency("UPDATE small SET amount = '5' WHERE code < 'K10'")
    small.collect()
    code, said = small.onecard("quarantine", "hand-back", "hrss")
    assert (code, "4 rows sent back" in said) == (0, True), said
    code, said = small.onecard("quarantine", "hand-back", "hrss", "--all")
    assert (code, "14 rows sent back" in said) == (0, True), said


@pytest.mark.case("people-20", "a whole reading ends what is mended or deleted at its source")
def test_a_whole_reading_ends_rows(small: SmallHub) -> None:
    small.table()
    rows = [(f"K{n}", "x" if n < 3 else "1", AT) for n in range(30)]
    small.insert(rows)
    assert small.collect().counts.quarantined == 3
    small.agency("UPDATE small SET amount = '7' WHERE code = 'K0'")
    small.agency("DELETE FROM small WHERE code = 'K1'")
    small.collect()
    assert status(small) == ["gone", "held", "mended"]


@pytest.mark.case("older-2", "an increment that reads no rejected row ends none")
def test_an_increment_ends_nothing_that_it_did_not_read(small: SmallHub) -> None:
    small.table(cursor=True)
    small.insert([(f"K{n}", "x" if n < 3 else "1", AT) for n in range(30)])
    small.collect()
    small.insert([("K90", "1", "2026-11-11T12:00:00+08:00")])
    small.collect()
    assert status(small) == ["held"] * 3
    small.agency(
        "UPDATE small SET amount = '7', updated = '2026-11-12T12:00:00+08:00' WHERE code = 'K0'"
    )
    small.collect()
    assert status(small) == ["held", "held", "mended"]


READINGS: dict[str, tuple[dict[str, list[tuple[str, str]]], list[str], str]] = {
    "a good row behind it": ({"02.csv": [("K1", "99"), ("K1", "20")]}, ["mended"], "20.00"),
    "a good row before it": ({"02.csv": [("K1", "20"), ("K1", "99")]}, ["held"], "99.00"),
    "one of another record": ({"02.csv": [("K1", "99"), ("K2", "20")]}, ["held"], "99.00"),
    "in a later file": ({"02.csv": [("K1", "99")], "03.csv": [("K1", "20")]}, ["mended"], "20.00"),
    "in an earlier file": ({"02.csv": [("K1", "20")], "03.csv": [("K1", "99")]}, ["held"], "99.00"),
    "what is published": ({"02.csv": [("K1", "99"), ("K1", "1")]}, ["mended"], "1.00"),
    "published before it": ({"02.csv": [("K1", "1"), ("K1", "99")]}, ["held"], "99.00"),
    "rejected again": (
        {"02.csv": [("K1", "99"), ("K1", "98")]},
        ["held", "superseded"],
        "98.00",
    ),
    "the same once more": (
        {"02.csv": [("K1", "99"), ("K2", "1"), ("K1", "20"), ("K1", "99")]},
        ["held"],
        "99.00",
    ),
    "rejected, good, rejected": (
        {"02.csv": [("K1", "99"), ("K2", "1"), ("K1", "20"), ("K1", "97"), ("K3", "x")]},
        ["held", "held", "superseded"],
        "97.00",
    ),
    "older files come late": ({"00.csv": [("K1", "99")]}, ["mended"], "1.00"),
}
"""Files of one night after K1 is 1: how its rejected rows end, and what K1 is when all are replayed."""


@pytest.mark.case("older-8", "what stands behind a rejected row in its own reading ends its wait")
@pytest.mark.parametrize("reading", READINGS)
def test_a_reading_ends_what_it_overtakes(small: SmallHub, reading: str) -> None:
    files, ends, wins = READINGS[reading]
    small.files(quality=[AT_MOST_50])
    small.put("01.csv", [("K1", "1", AT), *((f"Z{n}", "1", AT) for n in range(30))])
    small.collect()
    for name, rows in files.items():
        small.put(name, [(*row, AT) for row in rows])
    done = small.collect()
    assert done.counts.quarantined == sum(
        a in ("99", "98", "97", "x") for f in files.values() for _, a in f
    )
    assert status(small) == ends
    ended = {
        found
        for (found,) in small.ask("SELECT ended_by FROM quarantine.record WHERE status <> 'held'")
    }
    assert ended <= {done.transfer}
    small.files()
    small.onecard("quarantine", "replay", "--reason", "r", "--dataset", DATASET)
    assert small.amounts()["K1"] == wins


@pytest.mark.case(
    "older-8", "where the contract names a sequence, a lower one behind it ends nothing"
)
@pytest.mark.parametrize(("seq", "ends"), [(1, ["held"]), (2, ["mended"]), (3, ["mended"])])
def test_a_lower_sequence_overtakes_nothing(small: SmallHub, seq: int, ends: list[str]) -> None:
    small.files(quality=[AT_MOST_50], sequence=True)
    header = "code,amount,updated,seq"
    small.put("01.csv", [("K1", "99", AT, 2), ("K1", "20", AT, seq)], header)
    small.collect()
    assert status(small) == ends


@pytest.mark.case("older-8", "a sequence beyond what PostgreSQL counts compares as it is")
@pytest.mark.parametrize(("sign", "ends"), [("", "held"), ("-", "mended")])
def test_a_sequence_that_no_column_holds(small: SmallHub, sign: str, ends: str) -> None:
    small.files(sequence=True)
    rejected = ("K1", "99", AT, f"{sign}99999999999999999999")
    small.put("01.csv", [rejected, ("K1", "20", AT, 7)], "code,amount,updated,seq")
    assert small.collect().counts.quarantined == 1
    assert (status(small), small.amounts()) == ([ends], {"K1": "20.00"})


@pytest.mark.case("older-8", "where other fields order rows, the place alone ends none")
def test_a_rejected_row_that_its_contract_calls_newer_waits(small: SmallHub) -> None:
    small.files(quality=[AT_MOST_50], order=["updated"])
    small.put("01.csv", [("K1", "99", AT), ("K1", "20", "2026-11-01T10:00:00+08:00")])
    small.collect()
    assert (status(small), small.amounts()) == (["held"], {"K1": "20.00"})


@pytest.mark.case("older-8", "a key that PostgreSQL cannot hold is nobody's, and fails no reading")
def test_a_key_with_a_nul(small: SmallHub) -> None:
    small.files("jsonl")
    file = small.home / "files" / "in" / "01.jsonl"
    rows = [("K\0", "x"), ("K1", "x"), ("K1", "20")]
    lines = [json.dumps({"code": c, "amount": a, "updated": AT}) for c, a in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert small.collect().counts.quarantined == 2
    assert (status(small), small.amounts()) == (["held", "mended"], {"K1": "20.00"})
    contract = small.hub.catalogue.contract(DATASET)
    with database.connect(small.hub_url, autocommit=True) as connection:
        wanted = {1: ("K1",), 2: ("K\0",), 3: ("K\ud800",), 4: ("K2",)}
        assert live_keys.live(connection, contract, wanted) == {1}


@pytest.mark.case(
    "older-8", "keys of rejected rows are looked up once; only one that is gone is left"
)
def test_the_keys_of_rejected_rows(small: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    small.files()
    looked: list[int] = []
    keys_of = KeyStore.quarantines

    def noted(store: KeyStore) -> dict[str, Key]:
        looked.append(1)
        return keys_of(store)

    def silent(_: KeyStore) -> dict[str, Key]:
        msg = "the key source does not answer"
        raise PolicyError(msg)

    def gone(_: KeyStore) -> dict[str, Key]:
        return {}

    for night, (found, ends) in enumerate(((noted, "mended"), (gone, "held"), (silent, ""))):
        monkeypatch.setattr(KeyStore, "quarantines", found)
        codes = [f"{night}{n}" for n in range(5)]
        rows = [*((c, "x", AT) for c in codes), *((c, "1", AT) for c in codes)]
        small.put(f"{night}.csv", rows)
        if ends:
            small.collect()
            last = "SELECT status FROM quarantine.record ORDER BY id DESC LIMIT 5"
            assert small.ask(last) == [(ends,)] * 5
        else:
            with pytest.raises(PolicyError, match="does not answer"):
                small.collect()
    assert len(looked) == 1


@pytest.mark.case("older-8", "what was held before the database's upgrade is released after it")
def test_what_was_staged_before_the_upgrade_is_released(small: SmallHub) -> None:
    small.files()
    small.put("01.csv", [(f"A{n}", "x", AT) for n in range(30)])
    with pytest.raises(Exception, match="is held: rejected_share"):
        small.collect()
    revision = runpy.run_path(str(MIGRATIONS / "0028_staged_places.py"))
    with database.connect(small.hub_url, autocommit=True) as connection:
        connection.execute(
            "ALTER TABLE staging.hrss__small__1__bad DROP COLUMN place, DROP COLUMN ended"
        )
        for _ in range(2):  # tables that have the columns keep them
            for statement in revision["STATEMENTS"]:
                connection.execute(statement.encode())
    release(small.hub, "1", SignOff("张主任", "核实"))
    assert status(small) == ["held"] * 30


@pytest.mark.case("older-1", "the old row of a record that is published since is refused")
def test_a_replay_of_an_older_row_is_refused(small: SmallHub) -> None:
    record = rejected_then_published(small)
    with pytest.raises(OlderRow, match=rf"{record} of {DATASET} is mended: .*transfer 2"):
        replay(small.hub, record, "try")
    code, said = small.onecard("quarantine", "replay", str(record), "--reason", "try", "--json")
    assert (code, json.loads(said)["summary"]) == (1, {"older": 1})
    assert small.amounts()["K1"] == "100.00"


def lengthened(small: SmallHub) -> int:
    """A row that the contract of now takes and that of then did not; its record is newer by now."""
    small.files(quality=[AT_MOST_50])
    small.put("01.csv", [("K1", "99", AT), ("K2", "5", AT)])
    small.collect()
    small.put("02.csv", [("K1", "20", AT)])
    small.collect()
    small.files()
    return int(small.records()[0][0])


@pytest.mark.case("older-1", "refused by the registry itself, with both times and no value")
def test_the_registry_decides_which_is_newer(small: SmallHub) -> None:
    record = lengthened(small)
    small.ask("UPDATE quarantine.record SET status = 'held', ended_by = NULL RETURNING id")
    with pytest.raises(OlderRow) as caught:
        replay(small.hub, record, "try")
    said = str(caught.value)
    assert "rejected by transfer 1 on 2026-11-10 02:00" in said
    assert "been published anew, by transfer 2 on 2026-11-11 02:00" in said
    assert "99" not in said
    assert small.amounts()["K1"] == "20.00"
    assert small.ask("SELECT max(id) FROM ledger.transfer") == [(2,)], "nothing was begun"


@pytest.mark.case("older-1", "only by force and with a reason, which is audited")
def test_force_is_audited(small: SmallHub) -> None:
    record = lengthened(small)
    with pytest.raises(ConfigError, match="needs a reason"):
        replay(small.hub, record, " ", force=True)
    code, said = small.onecard(
        *("quarantine", "replay", str(record), "--force", "--reason", "来函核实")
    )
    assert (code, "published" in said) == (0, True)
    assert small.amounts()["K1"] == "99.00"
    ((body,),) = small.ask("SELECT body FROM ledger.audit WHERE kind = 'quarantine.replayed'")
    assert json.loads(body) == {"force": True, "reason": "来函核实", "record": record}
    with pytest.raises(ConfigError, match="is replayed"):
        replay(small.hub, record, "again", force=True)


@pytest.mark.case("older-1", "a record that was deleted since does not come back by an old row")
def test_a_deleted_record_stays_deleted(small: SmallHub) -> None:
    record = lengthened(small)
    small.ask("UPDATE quarantine.record SET status = 'held', last_transfer = 2 RETURNING id")
    small.ask(
        "UPDATE registry.hrss__small SET _deleted_at = %s WHERE code = 'K1' RETURNING code",
        DAY + timedelta(days=3),
    )
    with pytest.raises(OlderRow, match="has been deleted on 2026-11-13 02:00"):
        replay(small.hub, record, "try")


@pytest.mark.case("older-1", "where the contract names a sequence, that decides")
@pytest.mark.parametrize(("seq", "wins"), [(1, False), (2, False), (3, True)])
def test_the_sequence_decides(small: SmallHub, seq: int, *, wins: bool) -> None:
    small.files(sequence=True)
    header = "code,amount,updated,seq"
    small.put("01.csv", [("K1", "1", AT, 1)], header)
    small.collect()
    small.put("02.csv", [("K1", "x", AT, seq)], header)
    small.collect()
    ((record, _),) = small.records()
    small.put("03.csv", [("K1", "20", AT, 2)], header)
    small.collect()
    with database.connect(small.hub_url, autocommit=True) as connection:
        _, values = quarantine.reveal(connection, record, small.hub.keys)
    assert values["seq"] == str(seq)
    small.ask("UPDATE quarantine.record SET status = 'held' RETURNING id")
    if wins:
        assert not replay(small.hub, record, "try").done  # still no number: it breaks its rule
        return
    with pytest.raises(OlderRow, match=r"got a higher seq|been published anew"):
        check_typed(small, record)


def check_typed(small: SmallHub, record: int) -> None:
    """As `replay`, of a row that its contract takes now."""
    from onecard.collect.again import OnceMore, RejectedRow

    with database.connect(small.hub_url, autocommit=True) as connection:
        found, values = quarantine.reveal(connection, record, small.hub.keys)
    row = RejectedRow(record, found.last_transfer, found.last_seen)
    contract = small.hub.catalogue.contract(DATASET)
    OnceMore(contract, small.hub.tools(DATASET), row).allowed({**values, "amount": "3"})


@pytest.mark.case("older-1", "a row of a field that the contract has no more is not half published")
def test_a_contract_that_has_other_fields_since(small: SmallHub) -> None:
    extra = {
        "name": "note",
        "businessName": "note",
        "physicalName": "note",
        "logicalType": "string",
        "logicalTypeOptions": {"maxLength": 9},
        "classification": "L2",
        "customProperties": [
            {"property": "semantic", "value": "text"},
            {"property": "pii", "value": "NONE"},
        ],
    }
    small.files(fields=[extra])
    small.put("01.csv", [("K1", "x", AT, "memo")], "code,amount,updated,note")
    small.collect()
    ((record, _),) = small.records()
    small.files(fields=[{**extra, "name": "remark"}])
    with pytest.raises(PolicyError, match="has no more note and has remark since"):
        replay(small.hub, record, "try")


@pytest.mark.case("older-1", "a replay does not take the place of a transfer that is held")
def test_no_replay_while_the_dataset_is_held(small: SmallHub) -> None:
    small.files()
    small.put("01.csv", [("K1", "x", AT)])
    small.collect()
    small.put("02.csv", [(f"A{n}", "x", AT) for n in range(30)])
    with pytest.raises(Exception, match="is held: rejected_share"):
        small.collect()
    ((record, _),) = small.records()
    with pytest.raises(PolicyError, match=r"transfer 2 is held.*onecard release 2"):
        replay(small.hub, record, "try")
    code, said = small.onecard("release", "2", "--by", "张主任", "--reason", "核实")
    assert code == 0, said


@pytest.mark.case("people-21", "several ids or a filter, each by itself, with a summary")
def test_many_rows_are_replayed(small: SmallHub) -> None:
    small.files(quality=[AT_MOST_50])
    small.put("01.csv", [("K1", "91", AT), ("K2", "92", AT), ("K3", "x", AT), ("K4", "94", AT)])
    small.collect()
    small.put("02.csv", [("K4", "4", AT)])
    small.collect()
    small.files()
    code, said = small.onecard("quarantine", "replay", "--reason", "r")
    assert (code != 0, "say which rows" in said) == (True, True)
    words = ("quarantine", "replay", "--reason", "r", "--json")
    code, said = small.onecard(*words, "--dataset", DATASET, "--rule", "most")
    assert (code, json.loads(said)["summary"]) == (0, {"published": 2})
    ids = [str(record) for record, _ in small.records()]
    code, said = small.onecard(*words, *ids)
    assert (code, json.loads(said)["summary"]) == (1, {"refused": 2, "rejected": 1, "older": 1})
    assert small.amounts() == {"K1": "91.00", "K2": "92.00", "K4": "4.00"}


@pytest.mark.case("people-1", "newest first, how many more, and filters")
def test_the_list_is_newest_first_and_says_what_it_leaves_out(small: SmallHub) -> None:
    small.files()
    small.put("01.csv", [(f"A{n}", "x", AT) for n in range(15)])
    small.collect()
    small.put("02.csv", [(f"B{n}", "x", "y") for n in range(4)])
    small.collect()
    words = ("quarantine", "list", DATASET)
    code, said = small.onecard(*words, "--limit", "4")
    assert (code, "15 more" in said, "02.csv" in said, "01.csv" in said) == (0, True, True, False)
    many = json.loads(small.onecard(*words, "--json")[1])
    assert [r["transfer"] for r in many] == [2] * 4 + [1] * 15

    def some(*more: str) -> int:
        code, said = small.onecard(*words, "--json", *more)
        assert code == 0, said
        return len(json.loads(said))

    assert some("--rule", "type") == 19
    assert some("--rule", "updated type") == 4
    assert some("--transfer", "1") == 15
    assert some("--since", "2026-11-11") == 4
    assert some("--since", "2026-11-11T02:00:01+08:00") == 0
    assert small.onecard("quarantine", "list", "--dataset", "hrss/nope")[0] != 0
