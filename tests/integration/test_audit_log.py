"""The audit log in PostgreSQL: append-only, found out when it is not, verified by a third party."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from onecard.crypto import keys
from onecard.crypto.audit_format import anchor, canonical_json
from onecard.crypto.audit_verify import Verdict
from onecard.crypto.keys import KeyStore
from onecard.crypto.signing import Signer
from onecard.errors import InternalError
from onecard.store import (
    audit,
    audit_export,
    audit_proof,
    audit_queries,
    audit_search,
    database,
)
from onecard.store.audit_proof import Beginnings, Proof
from onecard.store.audit_search import Sought

ROOT = Path(__file__).parents[2]


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    keys.create(tmp_path / "keys.json", ["operator"], "2026")
    return Signer("international", KeyStore(tmp_path / "keys.json"))


@pytest.fixture
def address(hub_database: str, signer: Signer, tmp_path: Path) -> str:
    """A log of 40 entries, each with its checkpoint, anchored."""
    with database.connect(hub_database, autocommit=True) as connection:
        for number in range(40):
            with connection.transaction():
                audit.append(connection, "test", f"subject {number}", "张三", {"number": number})
            anchor(tmp_path / "anchor", audit.checkpoint(connection, signer))
    return hub_database


def verdict(address: str, signer: Signer, tmp_path: Path) -> Verdict:
    with database.connect(address, autocommit=True) as connection:
        return audit.verify_log(connection, tmp_path / "anchor", signer.holds)


def test_a_log_as_it_was_written_is_good(address: str, signer: Signer, tmp_path: Path) -> None:
    found = verdict(address, signer, tmp_path)
    assert (found.ok, found.entries, found.covered) == (True, 40, 40)


@pytest.mark.parametrize("verb", ["UPDATE {} SET kind = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_database_refuses_changes(address: str, verb: str) -> None:
    with (
        psycopg.connect(address) as connection,
        pytest.raises(psycopg.errors.RaiseException, match="append-only"),
    ):
        connection.execute(verb.format("ledger.audit").encode())


@pytest.mark.fault("F38", "changes behind the trigger are found in the database")
@pytest.mark.parametrize(
    ("tampering", "first_bad"),
    [
        ("UPDATE ledger.audit SET body = '{\"number\":99}' WHERE seq = 7", 7),
        ("UPDATE ledger.audit SET actor = '李四' WHERE seq = 1", 1),
        ("UPDATE ledger.audit SET at = at - interval '1 day' WHERE seq = 40", 40),
        ("DELETE FROM ledger.audit WHERE seq = 20", 20),
        ("DELETE FROM ledger.audit WHERE seq > 35", 36),
        (("UPDATE ledger.audit SET seq = CASE seq WHEN 8 THEN -9 ELSE -8 END WHERE seq IN (8, 9);"
         "UPDATE ledger.audit SET seq = -seq WHERE seq < 0"), 8),
        (("INSERT INTO ledger.audit SELECT 41, at, kind, subject, actor, body, leaf"
         " FROM ledger.audit WHERE seq = 40"), 41),
    ],
)  # fmt: skip
def test_who_switches_the_trigger_off_is_found_out(
    address: str, signer: Signer, tmp_path: Path, tampering: str, first_bad: int
) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger.audit DISABLE TRIGGER ALL")
        connection.execute(tampering.encode())
        connection.execute("ALTER TABLE ledger.audit ENABLE TRIGGER ALL")
    found = verdict(address, signer, tmp_path)
    assert (found.ok, found.first_bad) == (False, first_bad), found.problem


LANE = (
    ("collect.published", "hrss/card", {"receipt": "a1" * 32, "transfer": 7, "version": 3}),
    (
        "delivery.opened",
        "f01-x",
        {"delivery": "f01-x-8-0c", "fingerprint": "0f" * 32, "n": "f01-x"},
    ),
    ("delivery.confirmed", "f01-x", {"delivery": "f01-x-8-0c", "receipt": "b2" * 32}),
    ("delivery.confirmed", "f01-x", {"delivery": "f01-x-9", "receipt": "b2" * 32, "x": "c3" * 32}),
    ("delivery.confirmed", "f01-x", {"delivery": "f01-x-9", "note": "\x01\x02", "receipt": "no"}),
    ("delivery.confirmed", "c3", {"delivery": "c3-9", "receipt": "c3" * 32}),
)
"""Entries of which there are very many; not all have exactly one hash."""


@pytest.fixture
def lane(address: str, signer: Signer, tmp_path: Path) -> str:
    """Behind them, entries of the kinds whose hash is stored apart."""
    with database.connect(address, autocommit=True) as connection:
        for kind, subject, body in LANE:
            with connection.transaction():
                audit.append(connection, kind, subject, "lane", body)
        anchor(tmp_path / "anchor", audit.checkpoint(connection, signer))
    return address


def test_a_hash_that_is_stored_apart_is_part_of_the_text(
    lane: str, signer: Signer, tmp_path: Path
) -> None:
    with database.connect(lane, autocommit=True) as connection:
        found = audit.newest(connection, len(LANE))[::-1]
        stored = connection.execute("SELECT body, hash FROM ledger.audit ORDER BY seq").fetchall()
        audit_export.export(connection, tmp_path / "anchor", tmp_path / "out", signer.public_keys())
    assert [(e.kind, e.subject, e.body) for e in found] == [
        (kind, subject, canonical_json(body)) for kind, subject, body in LANE
    ]
    assert [hash_ is not None for _, hash_ in stored] == [False] * 40 + [True] * 3 + [False] * 2 + [
        True
    ]
    assert stored[42] == ('{"delivery":"\x02-8-0c","receipt":"\x01"}', bytes.fromhex("b2" * 32))
    assert verdict(lane, signer, tmp_path).covered == 46
    script = ROOT / "docs" / "verify_audit.py"
    assert subprocess.run([sys.executable, script, tmp_path / "out"], check=False).returncode == 0


@pytest.mark.fault("F38", "a hash that is stored apart cannot be changed, taken away or added")
@pytest.mark.parametrize(
    ("change", "seq"),
    [
        ("hash = set_byte(hash, 31, 1)", 41),
        ("hash = NULL", 42),
        ("subject = 'f02-x'", 43),
        ("body = replace(body, chr(1), '')", 43),
        ("hash = sha256('x')", 44),
        ("hash = sha256('x')", 7),
    ],
)
def test_a_changed_hash_is_found_out(
    lane: str, signer: Signer, tmp_path: Path, change: str, seq: int
) -> None:
    with psycopg.connect(lane, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger.audit DISABLE TRIGGER ALL")
        connection.execute(f"UPDATE ledger.audit SET {change} WHERE seq = {seq}".encode())
    found = verdict(lane, signer, tmp_path)
    assert (found.ok, found.first_bad) == (False, seq), found.problem


def test_a_log_without_its_anchor_is_not_good(address: str, signer: Signer, tmp_path: Path) -> None:
    (tmp_path / "anchor" / "checkpoints.jsonl").unlink()
    assert not verdict(address, signer, tmp_path).ok


def test_writers_take_turns(address: str, signer: Signer, tmp_path: Path) -> None:
    def write() -> None:
        with database.connect(address, autocommit=True) as connection:
            for number in range(25):
                with connection.transaction():
                    audit.append(connection, "parallel", "subject", "actor", {"number": number})

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = verdict(address, signer, tmp_path)
    assert (found.ok, found.entries) == (True, 140)


def test_an_entry_goes_with_its_transaction(address: str) -> None:
    with psycopg.connect(address) as connection:
        audit.append(connection, "lost", "subject", "actor", {})
        connection.rollback()
        assert audit.append(connection, "kept", "subject", "actor", {}) == 41
    with (
        psycopg.connect(address, autocommit=True) as connection,
        pytest.raises(InternalError, match="transaction"),
    ):
        audit.append(connection, "loose", "subject", "actor", {})


def test_a_third_party_verifies_an_export(address: str, signer: Signer, tmp_path: Path) -> None:
    target = tmp_path / "export"
    with database.connect(address, autocommit=True) as connection:
        anchored, known = tmp_path / "anchor", signer.public_keys()
        assert audit_export.export(connection, anchored, target, known) == 40

    def check() -> int:
        script = ROOT / "docs" / "verify_audit.py"
        return subprocess.run([sys.executable, script, target], check=False).returncode

    assert check() == 0
    entries = target / "entries.jsonl"
    sound = entries.read_text(encoding="utf-8")
    for spoilt in (sound.replace('"number":7', '"number":8'), sound.rsplit("\n", 2)[0] + "\n"):
        entries.write_text(spoilt, encoding="utf-8")
        assert check() == 1


def proved(
    address: str,
    signer: Signer,
    seq: int,
    known: Beginnings | None = None,
    most: int = audit_proof.MOST,
) -> Proof:
    with database.connect(address, autocommit=True) as connection:
        asked = audit.entry(connection, seq)
        assert asked is not None
        return audit_proof.prove(connection, asked, signer.holds, known or Beginnings(), most)


def tamper(address: str, statement: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        for table in ("audit", "audit_checkpoint"):
            connection.execute(f"ALTER TABLE ledger.{table} DISABLE TRIGGER ALL".encode())
        connection.execute(statement.encode())


def test_each_entry_is_proved_by_its_checkpoint(address: str, signer: Signer) -> None:
    known = Beginnings()
    for seq in (40, 1, 17, 18, 40):
        found = proved(address, signer, seq, known)
        assert found.outcome == "holds"
        assert found.checkpoint is not None
        assert found.checkpoint.size == found.upto == seq


def test_an_entry_that_nothing_vouches_for_is_said_to_be_unsigned(
    address: str, signer: Signer
) -> None:
    with database.connect(address, autocommit=True) as connection, connection.transaction():
        audit.append(connection, "late", "subject", "actor", {})
    found = proved(address, signer, 41)
    assert (found.outcome, found.checkpoint) == ("unsigned", None)


@pytest.mark.parametrize(
    ("tampering", "bad", "says"),
    [
        ("UPDATE ledger.audit SET body = '{}' WHERE seq = 20", 20, "was edited"),
        ("UPDATE ledger.audit SET at = at + interval '1 s' WHERE seq = 20", 20, "was edited"),
        ("DELETE FROM ledger.audit WHERE seq = 9", 9, "entry 9 is missing"),
        ("UPDATE ledger.audit SET leaf = sha256('x') WHERE seq = 9", 1, "not what was signed"),
        (
            "UPDATE ledger.audit_checkpoint SET signature = 'x' WHERE size = 20",
            None,
            "signature is not valid",
        ),
    ],
)
def test_what_was_tampered_with_is_not_proved(
    address: str, signer: Signer, tampering: str, bad: int | None, says: str
) -> None:
    """Nor by a process that has proved the same entry before."""
    known = Beginnings()
    assert proved(address, signer, 20, known).outcome == "holds"
    tamper(address, tampering)
    for remembered in (Beginnings(), known):
        found = proved(address, signer, 20, remembered)
        assert found.outcome == "broken"
        assert says in found.problem
        if bad is not None:
            assert found.first_bad == bad


def test_an_entry_stays_proved_beside_one_that_was_edited(address: str, signer: Signer) -> None:
    """The tree is of leaves: another entry's text is its own affair."""
    tamper(address, "UPDATE ledger.audit SET actor = '李四' WHERE seq = 9")
    assert proved(address, signer, 20).outcome == "holds"
    assert proved(address, signer, 9).first_bad == 9


def test_a_long_way_is_walked_in_steps(address: str, signer: Signer) -> None:
    known, ways = Beginnings(), []
    while (found := proved(address, signer, 40, known, most=15)).outcome == "more":
        ways.append(found.upto)
    assert (ways, found.outcome, found.upto) == ([15, 30], "holds", 40)


def test_another_log_at_the_same_address_is_walked_anew(address: str, signer: Signer) -> None:
    """A hub that was brought back from a backup goes on otherwise than the one before."""
    known = Beginnings()
    assert proved(address, signer, 31, known).outcome == "holds"
    tamper(address, "DELETE FROM ledger.audit; DELETE FROM ledger.audit_checkpoint;"
           "UPDATE ledger.audit_head SET size = 0, peaks = '{}'")  # fmt: skip
    with database.connect(address, autocommit=True) as connection:
        for number in range(35):
            with connection.transaction():
                audit.append(connection, "other", "subject", "actor", {"number": number})
        audit.checkpoint(connection, signer)
    assert proved(address, signer, 35, known).outcome == "holds"


def looked_for(address: str, sought: Sought, limit: int = 100) -> audit_search.FoundEntries:
    with database.connect(address, autocommit=True) as connection:
        return audit_search.search(connection, sought, limit)


def test_entries_are_found_page_by_page_each_once(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_search, "LOOKED", 7)
    seen, before, looks = [], 0, 0
    while True:
        found = looked_for(address, Sought(before=before), 3)
        seen += [e.seq for e in found.entries]
        looks += 1
        assert found.last - found.first < 7
        if not found.more:
            break
        before = found.more
    assert seen == list(range(40, 0, -1))
    assert looks < 20
    with database.connect(address, autocommit=True) as connection, connection.transaction():
        audit.append(connection, "delivery.confirmed", "f01", "王五", {"receipt": "5a" * 32})
    assert [e.seq for e in looked_for(address, Sought(kind="delivery")).entries] == [41]
    assert looked_for(address, Sought(kind="deliver")).entries == []
    assert [e.seq for e in looked_for(address, Sought(actor="王五", subject="f01")).entries] == [41]
    older = looked_for(address, Sought(actor="王五", before=41))
    assert (older.entries, older.more) == ([], 34)
    with database.connect(address, autocommit=True) as connection:
        assert audit_search.carrying(connection, "5a" * 32, "f01", 36) == 41
        assert audit_search.carrying(connection, "5a" * 32, "f01", 3) == 0
        assert audit_search.carrying(connection, "5b" * 32, "f01", 36) == 0


def test_entries_of_a_time_are_found_by_halving(address: str) -> None:
    """Whether or not an entry on the way is missing."""
    start = datetime(2026, 11, 1, tzinfo=UTC)
    tamper(
        address,
        "UPDATE ledger.audit SET at = '2026-11-01 00:00+00'::timestamptz + seq * interval '1 day'",
    )
    middle = Sought(since=start + timedelta(days=10), until=start + timedelta(days=13))
    found = looked_for(address, middle)
    assert [e.seq for e in found.entries] == [12, 11, 10]
    assert found.last - found.first < 5
    assert looked_for(address, Sought(since=start + timedelta(days=99))).entries == []
    assert looked_for(address, Sought(until=start)).entries == []
    tamper(address, "DELETE FROM ledger.audit WHERE seq IN (11, 20)")
    assert [e.seq for e in looked_for(address, middle).entries] == [12, 10]


def test_a_look_at_the_log_is_no_look_at_a_person(address: str) -> None:
    with database.connect(address, autocommit=True) as connection, connection.transaction():
        for kind in ("access.reveal", "access.audit", "access.receipt"):
            audit.append(connection, kind, "subject", kind, {"record": 5})
        found = audit_queries.accesses(connection)
    assert [access.operator for access in found] == ["access.reveal"]
