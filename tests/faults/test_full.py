"""F2: the disk is full, or fails, at each write: nothing half, nothing published, mended by room."""

from __future__ import annotations

import os
import signal
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from connectors.files.folders import opened
from connectors.sql import dialects
from onecard.base import files as whole_file
from onecard.crypto import keys
from onecard.errors import SupersededError
from onecard.model.transfers import Transfer
from onecard.store import database, transfer_history
from tests.connectors import systems
from tests.faults import writes
from tests.faults.harness import Harness, stopped
from tests.faults.limits import limited
from tests.faults.server import OwnServer, mounted, unmount
from tests.forked import LIMIT_S
from tests.sampling import sampled

Write = Callable[[Path], None]


def held(home: Path) -> dict[str, bytes]:
    """All files below a folder but locks, with their contents."""
    files = (f for f in sorted(home.rglob("*")) if f.is_file() and ".lock" not in f.name)
    return {str(f.relative_to(home)): f.read_bytes() for f in files}


FILES: tuple[tuple[Write, int], ...] = (
    (writes.init_keys, 100),
    (writes.note_alarms, 100),
    (writes.write_page, 1_000),
    (writes.write_workbook, 1_000),
    (writes.write_anchor, 100),
    (writes.write_local, 5_000),
    (writes.write_draft, 5_000),
    (writes.write_sftp, 5_000),
)


@pytest.mark.fault(
    "F02", "no file is there by half under its name; with room the same run writes it"
)
@pytest.mark.parametrize(("write", "limit"), FILES, ids=[w.__name__ for w, _ in FILES])
def test_a_file_that_does_not_fit(tmp_path: Path, write: Write, limit: int) -> None:
    (tmp_path / "source").write_bytes(b"410102" * 2_000)
    before = held(tmp_path)
    kind, says, code = limited(limit, write, tmp_path)
    assert (kind, code) == ("StorageError", 1), says
    assert "written" in says
    assert "410102" not in says
    found = held(tmp_path)
    assert {n: c for n, c in found.items() if c} == before
    assert not [n for n in found if ".part" in n or n.startswith(".")]
    write(tmp_path)
    after = held(tmp_path)
    assert set(after) > set(before)
    kind, says, code = limited(limit, write, tmp_path)
    if write is not writes.init_keys:  # which never overwrites
        assert (kind, code) == ("StorageError", 1), says
    assert held(tmp_path) == after, "what was there is there still"


@pytest.mark.fault("F02", "a rotation without room leaves the key file as it was")
def test_keys_are_never_there_by_half(tmp_path: Path) -> None:
    writes.init_keys(tmp_path)
    before = held(tmp_path)
    for limit in (0, 10, 500):
        kind, says, _ = limited(limit, writes.rotate_keys, tmp_path)
        assert kind == "StorageError"
        assert "key file" in says
        assert held(tmp_path) == before
    writes.rotate_keys(tmp_path)
    assert keys.KeyStore(tmp_path / "keys.json").signing().epoch == "2027"


@pytest.mark.fault("F02", "an anchor that got half a line is as before")
def test_half_a_line_of_the_anchor_is_taken_back(tmp_path: Path) -> None:
    writes.write_anchor(tmp_path)
    before = held(tmp_path)
    (size,) = map(len, before.values())
    kind, says, _ = limited(size + 20, writes.write_anchor, tmp_path)
    assert kind == "StorageError"
    assert "anchor of the audit log" in says
    assert held(tmp_path) == before


@pytest.mark.fault("F02", "no room for temporary files: named, and nothing is left")
def test_a_temporary_file_that_does_not_fit(tmp_path: Path) -> None:
    kind, says, _ = limited(1_000, writes.write_temporary, tmp_path)
    assert kind == "StorageError"
    assert f"temporary file in {tempfile.gettempdir()}" in says


@pytest.mark.fault("F02", "an inbox in SQLite without room: rolled back; with room it is delivered")
def test_a_table_that_does_not_fit(tmp_path: Path) -> None:
    def rows() -> int:
        with closing(sqlite3.connect(tmp_path / "inbox.sqlite")) as inbox:
            there = inbox.execute("SELECT 1 FROM sqlite_master WHERE name = 'inbox'").fetchone()
            count = "SELECT count(*) FROM inbox"
            return int(inbox.execute(count).fetchone()[0]) if there else 0

    kind, says, code = limited(32_768, writes.fill_table, tmp_path)
    assert (kind, code) == ("StorageError", 1), says
    assert "no room" in says
    assert rows() == 0
    writes.fill_table(tmp_path)
    assert rows() == 500


def test_sqlites_own_word_for_a_full_database_is_understood(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "small.sqlite")) as small:
        small.execute("CREATE TABLE t (x)")
        small.execute("PRAGMA max_page_count = 3")
        with pytest.raises(sqlite3.OperationalError) as caught:
            small.execute("INSERT INTO t VALUES (zeroblob(100000))")
    assert dialects.called("sqlite").meaning(caught.value) == "full"


@pytest.mark.fault("F34", "drafts of killed attempts go with the next one; live ones stay")
@pytest.mark.parametrize("kind", ["fs", "sftp"])
def test_drafts_are_swept(tmp_path: Path, kind: str) -> None:
    inbox = tmp_path / "inbox" / "a01"
    inbox.mkdir(parents=True)
    dead = inbox / ".d0.parquet.part"
    dead.write_bytes(b"half")
    local = systems.conn(conn_type="fs", extra={"path": str(tmp_path)})
    if kind == "fs":
        with opened(local) as folder, whole_file.replacing(inbox / "d1.parquet") as live:
            folder.sweep("inbox/a01")
            assert list(inbox.iterdir()) == [live]
        assert [f.name for f in inbox.iterdir()] == ["d1.parquet"]
        return
    with systems.sftp(tmp_path) as at, opened(at) as folder:
        folder.sweep("inbox/a01")
        folder.sweep("inbox/none")
    assert list(inbox.iterdir()) == []


# --- the hub's own database


FULL = """
CREATE FUNCTION public.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
END $$;
"""
PLACES = (
    ("ledger.transfer", "INSERT"),
    ("ledger.rule_count", "INSERT"),
    ("ledger.finding", "INSERT"),
    ("quarantine.record", "INSERT"),
    ("ledger.dataset", "UPDATE OF version"),
    ("ledger.receipt", "INSERT"),
    ("ledger.audit", "INSERT"),
    ("ledger.audit_checkpoint", "INSERT"),
    ("ledger.delivery_window", "INSERT"),
    ("ledger.disclosure", "INSERT"),
    ("ledger.delivered", "INSERT"),
)
QUICK = (
    ("quarantine.record", "INSERT"),
    ("ledger.audit_checkpoint", "INSERT"),
    ("ledger.disclosure", "INSERT"),
)
"""Before a publication, after its commit, and in a delivery."""


def last(harness: Harness) -> Transfer | None:
    """The newest transfer."""
    with database.connect(harness.address, autocommit=True) as connection:
        found = transfer_history.since(connection)
    return found[-1] if found else None


def failed(harness: Harness) -> None:
    """The night ended with 1 for want of room; its message says where, and no value."""
    said = harness.report.read_text().strip().splitlines()[-1]
    assert said.startswith("onecard.errors.StorageError: the hub's database has no room"), said
    assert "53100" in said


@pytest.mark.fault("F02", "the hub's database has no room at one write: the next run ends the same")
@pytest.mark.parametrize(("table", "when"), sampled(PLACES, QUICK), ids=[t for t, _ in PLACES])
def test_the_database_has_no_room(
    harness: Harness, wanted: dict[str, object], table: str, when: str
) -> None:
    harness.fresh()
    with database.connect(harness.address, autocommit=True) as connection:
        connection.execute(FULL.encode())
        trigger = f"CREATE TRIGGER full_disk BEFORE {when} ON {table} EXECUTE FUNCTION full_disk()"
        connection.execute(trigger.encode())
    assert harness.run() == 1
    failed(harness)
    newest = last(harness)
    after_commit = table == "ledger.audit_checkpoint"
    assert newest is None or (newest.status in ("published", "confirmed")) is after_commit
    with database.connect(harness.address, autocommit=True) as connection:
        connection.execute(f"DROP TRIGGER full_disk ON {table}".encode())
    harness.rerun()
    assert harness.problems() == []
    assert harness.state() == wanted


class Disk:
    """A tablespace of a megabyte; where none can be mounted, triggers that answer as if."""

    def __init__(self, server: OwnServer, harness: Harness, folder: Path | None) -> None:
        self._server, self._harness, self._folder = server, harness, folder

    def use(self) -> None:
        """The case's new tables lie there from here on."""
        if self._folder:
            name = self._harness.clone
            self._server.execute(f'ALTER DATABASE "{name}" SET default_tablespace = small')

    def fill(self, *tables: str) -> None:
        """Leave no room; for the stand-in, at these tables."""
        if self._folder:
            free = os.statvfs(self._folder)
            (self._folder / "filler").write_bytes(b"\0" * (free.f_bavail * free.f_bsize))
            return
        with database.connect(self._harness.address, autocommit=True) as connection:
            connection.execute(FULL.encode())
            for table in tables:
                connection.execute(
                    f"CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table}"
                    " EXECUTE FUNCTION full_disk()".encode()
                )

    def free(self) -> None:
        """Make room."""
        if self._folder:
            (self._folder / "filler").unlink()
            return
        with database.connect(self._harness.address, autocommit=True) as connection:
            connection.execute(b"DROP FUNCTION public.full_disk() CASCADE")


@contextmanager
def disk(server: OwnServer, harness: Harness) -> Iterator[Disk]:
    """The small disk, mounted and taken away."""
    with tempfile.TemporaryDirectory(prefix="own-disk-") as home:
        Path(home).chmod(0o755)
        folder = Path(home) / "small"
        if not mounted(folder, "1m"):
            yield Disk(server, harness, None)
            return
        try:
            (space := folder / "space").mkdir()
            for path in (folder, space):
                server.own(path)
            server.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
            yield Disk(server, harness, folder)
        finally:
            harness.drop()
            server.execute("DROP TABLESPACE IF EXISTS small")
            unmount(folder)


@pytest.mark.fault("F02", "a really full disk while rows are staged: nothing is left of them")
def test_a_full_disk_while_staging(
    harness: Harness, server: OwnServer, wanted: dict[str, object]
) -> None:
    with disk(server, harness) as small:
        harness.fresh()
        small.use()
        harness.report.unlink(missing_ok=True)
        process = harness.start(ONECARD_STOP_AT="stage.created#2")
        pid = stopped(process)
        small.fill("staging.housing_fund__hf_account__2")
        os.kill(pid, signal.SIGCONT)
        process.join(LIMIT_S)
        assert process.exitcode == 1
        failed(harness)
        newest = last(harness)
        assert newest
        assert newest.status == "failed"
        with database.connect(harness.address, autocommit=True) as connection:
            left = connection.execute(
                "SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'"
            ).fetchone()
        assert left == (0,), "what fills the disk is dropped even before the next run"
        small.free()
        harness.rerun()
        assert harness.problems() == []
        assert harness.state() == wanted


@pytest.mark.fault("F02", "a really full disk while rows are merged: the old version stays")
def test_a_full_disk_while_publishing(
    harness: Harness, server: OwnServer, wanted: dict[str, object]
) -> None:
    with disk(server, harness) as small:
        harness.fresh()
        small.use()
        harness.rerun()
        with database.connect(harness.address, autocommit=True) as connection:
            for statement in (
                "UPDATE registry.hrss__card_master SET _row_hash = 0, _deleted_at = now()",
                "VACUUM FULL registry.hrss__card_master",
                "UPDATE ledger.dataset SET checkpoint = '{}' WHERE dataset = 'hrss/card_master'",
            ):
                connection.execute(statement.encode())
        before = harness.state()
        harness.report.unlink(missing_ok=True)
        process = harness.start(ONECARD_STOP_AT="audit.recorded#3")
        pid = stopped(process)
        small.fill("registry.hrss__card_master")
        os.kill(pid, signal.SIGCONT)
        process.join(LIMIT_S)
        assert process.exitcode == 1
        failed(harness)
        after = harness.state()
        assert after["hrss/card_master"] == before["hrss/card_master"]
        small.free()
        harness.rerun()
        assert harness.problems() == []
        found = harness.state()
        assert found["quarantine"] == wanted["quarantine"]
        assert found["inboxes"] == wanted["inboxes"]
        assert found["hrss/card_master"] != before["hrss/card_master"]


@pytest.mark.fault("F44", "a file that was copied while another did the work replaces nothing")
@pytest.mark.parametrize("kind", ["fs", "sftp"])
def test_a_file_asks_once_more_before_it_takes_its_name(tmp_path: Path, kind: str) -> None:
    inbox, ours = tmp_path / "inbox" / "a01", tmp_path / "ours"
    inbox.mkdir(parents=True)
    ours.write_bytes(b"ours")
    file = inbox / "d1.parquet"

    def fallen() -> None:
        assert len(list(inbox.iterdir())) == 1, "its draft is there, whole"
        file.write_bytes(b"another's")
        msg = "another process has taken this work over"
        raise SupersededError(msg)

    with ExitStack() as stack:
        local = systems.conn(conn_type="fs", extra={"path": str(tmp_path)})
        at = local if kind == "fs" else stack.enter_context(systems.sftp(tmp_path))
        folder = stack.enter_context(opened(at))
        with pytest.raises(SupersededError):
            folder.write("inbox/a01/d1.parquet", ours, fallen)
        assert file.read_bytes() == b"another's"
        assert list(inbox.iterdir()) == [file]
        folder.write("inbox/a01/d1.parquet", ours, lambda: None)
        assert file.read_bytes() == b"ours"
        assert list(inbox.iterdir()) == [file]


@pytest.mark.fault("F34", "a draft that a killed delivery left in an inbox goes with the next one")
def test_a_draft_that_is_left_is_a_problem_until_the_next_delivery(harness: Harness) -> None:
    harness.fresh()
    home = harness.stage.home
    inbox = harness.stage.city.home / "transport" / "inbox" / "f01-hrss-transport-card-status"
    inbox.mkdir(parents=True)
    (inbox / ".f01-00000001-aaaa.parquet.part").write_bytes(b"half")
    temporary = home / "tmp" / "onecard-left"
    temporary.parent.mkdir(exist_ok=True)
    temporary.write_bytes(b"half")
    found = [p for p in harness.problems() if "draft" in p]
    assert [p.split()[1].rsplit("/", 1)[1] for p in found] == [
        ".f01-00000001-aaaa.parquet.part",
        "onecard-left",
    ]
    temporary.unlink()
    harness.rerun()
    assert harness.problems() == []
