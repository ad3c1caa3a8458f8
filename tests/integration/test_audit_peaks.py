"""A proof of one entry goes on from peaks that were kept, and from none that were not signed."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import psycopg
import pytest

from onecard.base.settings import Settings
from onecard.base.times import ZONE
from onecard.crypto import keys
from onecard.crypto.audit_format import anchor
from onecard.crypto.keys import KeyStore
from onecard.crypto.signing import Signer
from onecard.operations.housekeeping import keep_house
from onecard.store import audit, audit_peaks, audit_proof, database
from onecard.store.audit_proof import Beginnings, Proof

if TYPE_CHECKING:
    from onecard.ports.desk import Desk

NOW = datetime(2026, 11, 30, 2, tzinfo=ZONE)

STRIDE, ENTRIES = 10, 47
"""So many entries from one to the next here, and in all; each has its checkpoint."""
FEW = STRIDE
"""Entries that a proof may walk."""


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    keys.create(tmp_path / "keys.json", ["operator"], "2026")
    return Signer("international", KeyStore(tmp_path / "keys.json"))


@pytest.fixture
def address(hub_database: str, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(audit_peaks, "STRIDE", STRIDE)
    with database.connect(hub_database, autocommit=True) as connection:
        for number in range(ENTRIES):
            with connection.transaction():
                audit.append(connection, "test", f"subject {number}", "张三", {"number": number})
            audit.checkpoint(connection, signer)
    return hub_database


def keep(address: str) -> int:
    with database.connect(address, autocommit=True) as connection:
        return audit_peaks.keep(connection)


def sizes(address: str) -> list[int]:
    with psycopg.connect(address) as connection:
        found = connection.execute("SELECT size FROM ledger.audit_peaks ORDER BY size").fetchall()
    return [int(size) for (size,) in found]


def change(address: str, statement: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        for table in ("audit", "audit_checkpoint"):
            connection.execute(f"ALTER TABLE ledger.{table} DISABLE TRIGGER ALL".encode())
        connection.execute(statement.encode())


def proved(address: str, signer: Signer, seq: int, most: int = FEW) -> Proof:
    """By a process that knows nothing of the log yet."""
    with database.connect(address, autocommit=True) as connection:
        asked = audit.entry(connection, seq)
        assert asked is not None
        return audit_proof.prove(connection, asked, signer.holds, Beginnings(), most)


def test_peaks_are_kept_a_stride_at_a_time_and_once(address: str) -> None:
    assert keep(address) == 4
    assert sizes(address) == [10, 20, 30, 40]
    assert keep(address) == 0


def test_housekeeping_keeps_them(address: str, signer: Signer, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, keys_file=tmp_path / "keys.json", fixed_now=NOW)
    with database.connect(address, autocommit=True) as connection:
        anchor(tmp_path / "audit", audit.checkpoint(connection, signer))
    nothing = SimpleNamespace(contracts={}, agreements={})
    desk = SimpleNamespace(address=address, settings=settings, signer=signer, catalogue=nothing)
    assert keep_house(cast("Desk", desk)).verdict.ok
    assert sizes(address)[:4] == [10, 20, 30, 40]


def test_any_entry_is_proved_from_the_peaks_before_it(address: str, signer: Signer) -> None:
    assert proved(address, signer, 45).outcome == "more"
    keep(address)
    for seq in (1, 10, 11, 40, 41, 45, 47):
        assert proved(address, signer, seq).outcome == "holds", seq


def test_an_entry_holds_whatever_became_of_those_before_the_peaks(
    address: str, signer: Signer
) -> None:
    keep(address)
    change(address, "UPDATE ledger.audit SET leaf = sha256('x') WHERE seq = 3")
    assert proved(address, signer, 45).outcome == "holds"
    assert proved(address, signer, 7).outcome == "broken"


def test_what_was_changed_behind_the_peaks_is_found(address: str, signer: Signer) -> None:
    keep(address)
    change(address, "UPDATE ledger.audit SET leaf = sha256('x') WHERE seq = 43")
    assert proved(address, signer, 42).outcome == "holds"
    assert proved(address, signer, 45).outcome == "broken"


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE ledger.audit_peaks SET peaks = peaks[1:1] || sha256('x') WHERE size = 40",
        "UPDATE ledger.audit_peaks SET peaks = '{}' WHERE size = 40",
        "UPDATE ledger.audit_peaks SET size = 44 WHERE size = 40",
        "DELETE FROM ledger.audit_checkpoint WHERE size = 40",
        "UPDATE ledger.audit_checkpoint SET signature = 'x' WHERE size = 40",
    ],
)
def test_peaks_that_were_not_signed_are_not_gone_on_from(
    address: str, signer: Signer, tampering: str
) -> None:
    keep(address)
    change(address, tampering)
    assert proved(address, signer, 46).outcome == "more"
    assert proved(address, signer, 46, most=ENTRIES).outcome == "holds"


def test_false_peaks_are_dropped_and_kept_rightly_again(address: str, signer: Signer) -> None:
    keep(address)
    change(address, "UPDATE ledger.audit_peaks SET peaks = '{}' WHERE size > 20")
    assert keep(address) == 2
    assert sizes(address) == [10, 20, 30, 40]
    assert proved(address, signer, 45).outcome == "holds"


def test_nothing_is_kept_of_a_log_that_is_not_what_was_signed(address: str) -> None:
    change(address, "DELETE FROM ledger.audit WHERE seq = 15")
    assert keep(address) == 1
    assert sizes(address) == [10]
