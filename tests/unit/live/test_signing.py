"""Who signs the audit log for the lane: once for all that has ended since, and to the end."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from onecard.crypto import keys
from onecard.crypto.audit_format import read_anchor
from onecard.crypto.audit_verify import Verdict
from onecard.crypto.keys import KeyStore
from onecard.crypto.signing import Signer
from onecard.errors import FatalError, OnecardError, StorageError
from onecard.live import signing
from onecard.live.signing import LaneSigning
from onecard.store import audit, database, log_signing


@dataclass
class Log:
    """An empty audit log, and who signs it."""

    address: str
    signer: Signer
    folder: Path
    signing: LaneSigning

    def transfer(self) -> None:
        """An entry, and word of it."""
        with database.connect(self.address, autocommit=True) as connection:
            with connection.transaction():
                audit.append(connection, "delivery.confirmed", "f01", "lane", {})
            self.signing.later(connection, self.signer, self.folder)

    def signed(self) -> list[int]:
        """Sizes of the log that are signed, as the database has them."""
        with database.connect(self.address, autocommit=True) as connection:
            return [point.size for point in audit.checkpoints(connection)]

    def anchored(self) -> list[int]:
        """The same, as they stand in the anchor, line by line."""
        return [point.size for point in read_anchor(self.folder)]

    def verdict(self) -> Verdict:
        with database.connect(self.address, autocommit=True) as connection:
            return audit.verify_log(connection, self.folder, self.signer.holds)

    def block(self) -> None:
        """Nothing can be anchored: a file stands where the folder should."""
        self.folder.write_text("", encoding="utf-8")


@pytest.fixture
def log(hub_database: str, tmp_path: Path) -> Log:
    keys.create(tmp_path / "keys.json", ["operator"], "2026")
    signer = Signer("international", KeyStore(tmp_path / "keys.json"))
    return Log(hub_database, signer, tmp_path / "audit", LaneSigning(hub_database))


def test_one_signature_for_all_that_came_since(log: Log) -> None:
    for _ in range(3):
        log.transfer()
    assert (log.signed(), log.anchored()) == ([], [])
    log.signing.beat()
    log.transfer()
    log.signing.beat()
    log.signing.beat()  # nothing is left
    assert (log.signed(), log.anchored()) == ([3, 4], [3, 4])
    verdict = log.verdict()
    assert (verdict.ok, verdict.covered) == (True, 4)


def test_the_end_signs_what_is_left(log: Log) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=log.signing.run, args=(stop,))
    thread.start()
    log.transfer()
    stop.set()
    thread.join()
    assert log.anchored() == [1]


def test_what_cannot_be_signed_is_said_once_and_signed_later(
    log: Log, caplog: pytest.LogCaptureFixture
) -> None:
    log.block()
    log.transfer()
    with caplog.at_level(logging.WARNING, signing.__name__):
        log.signing.beat()
        log.transfer()
        log.signing.beat()
    assert len(caplog.records) == 1
    assert "the audit log is signed later: " in caplog.text
    log.folder.unlink()
    log.signing.beat()
    assert log.anchored() == [2]
    assert log.verdict().ok


def test_after_a_while_transfers_are_told(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.block()
    log.transfer()
    log.signing.beat()
    monkeypatch.setattr(signing, "LATE_S", 0.0)
    with pytest.raises(OnecardError, match="anchor"):
        log.transfer()
    log.folder.unlink()
    log.transfer()
    assert log.anchored() == [3], "signed by the transfer itself"


def test_what_another_process_has_left_is_signed_at_the_start(log: Log) -> None:
    log.signing.begin(log.signer, log.folder)
    log.signing.beat()
    assert log.anchored() == [], "an empty log"
    log.transfer()
    again = LaneSigning(log.address)
    again.begin(log.signer, log.folder)
    again.beat()
    assert log.anchored() == [1]


BROKEN = "the audit log is not sound: entry 1 of the audit log is missing or changed"


def spoil(log: Log) -> None:
    """Somebody changes the first entry."""
    with database.connect(log.address, autocommit=True) as connection:
        connection.execute("ALTER TABLE ledger.audit DISABLE TRIGGER ALL")
        connection.execute("UPDATE ledger.audit SET actor = 'nobody' WHERE seq = 1")


@pytest.mark.parametrize("ended", [0, 1], ids=["no transfer", "a transfer in the first second"])
def test_a_broken_log_is_not_signed_at_the_start(
    log: Log, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, ended: int
) -> None:
    log.transfer()
    spoil(log)
    log.signing = LaneSigning(log.address)
    log.signing.begin(log.signer, log.folder)
    for _ in range(ended):
        log.transfer()
    log.signing.beat()
    log.signing.beat()
    assert (log.signed(), log.anchored()) == ([], [])
    assert [r.getMessage() for r in caplog.records] == [f"the audit log is signed later: {BROKEN}"]
    monkeypatch.setattr(signing, "LATE_S", 0.0)
    with pytest.raises(FatalError, match=BROKEN):
        log.transfer()
    assert (log.signed(), log.anchored()) == ([], [])


def test_what_was_left_is_signed_after_an_error_of_the_database(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.transfer()
    again = LaneSigning(log.address)
    again.begin(log.signer, log.folder)

    def lost(*_: object) -> None:
        msg = "the connection is closed"
        raise psycopg.OperationalError(msg)

    with monkeypatch.context() as patched:
        patched.setattr(audit, "head", lost)
        again.beat()
    assert log.anchored() == []
    again.beat()
    assert log.anchored() == [1]


def test_what_was_left_is_looked_at_however_often_signing_fails(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.transfer()
    log.signing = LaneSigning(log.address)
    log.signing.begin(log.signer, log.folder)

    def no_room(*_: object) -> None:
        log.transfer()  # of another thread, meanwhile
        msg = "no room"
        raise StorageError(msg)

    with monkeypatch.context() as patched:
        patched.setattr(log_signing, "at_once", no_room)
        log.signing.beat()
    spoil(log)
    log.signing.beat()
    assert (log.signed(), log.anchored()) == ([], [])
