"""F6: the audit store is down, locked, broken or cannot be anchored: no row reaches any inbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from onecard.base import timeouts
from onecard.errors import OnecardError
from onecard.store import database
from tests.cities import Cities
from tests.faults.harness import AGREEMENTS, DATASETS, Harness


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Harness]:
    """A city of 300 persons, whose registry is filled and from which nothing has left."""
    home = tmp_path_factory.mktemp("audit") / "stage"
    with (
        cities.start(home, persons=400, seed=23) as stage,
        Harness.of(stage) as made,
    ):
        made.fresh()
        for dataset in DATASETS:
            made.hub().collect(dataset).run()
        yield made


def statements(harness: Harness, *texts: str) -> None:
    """As the database's owner: the log's own triggers are off."""
    with database.connect(harness.address, autocommit=True) as connection:
        connection.execute(b"SET session_replication_role = replica")
        for text in texts:
            connection.execute(text.encode())


@contextmanager
def changed(harness: Harness, *texts: str) -> Iterator[None]:
    """The log tampered with, and put back."""
    keep = ("audit", "audit_head", "audit_checkpoint")
    statements(harness, *(f"CREATE TABLE public.kept_{t} AS TABLE ledger.{t}" for t in keep))
    anchor = harness.stage.home / "audit" / "checkpoints.jsonl"
    anchored = anchor.read_bytes()
    try:
        statements(harness, *texts)
        yield
    finally:
        for table in keep:
            statements(
                harness,
                f"DELETE FROM ledger.{table}",
                f"INSERT INTO ledger.{table} SELECT * FROM public.kept_{table}",
                f"DROP TABLE public.kept_{table}",
            )
        anchor.write_bytes(anchored)


@contextmanager
def refusing(harness: Harness) -> Iterator[None]:
    """A table that takes no entry."""
    statements(
        harness,
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '42501'; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON ledger.audit EXECUTE FUNCTION public.refuse()",
    )
    try:
        yield
    finally:
        statements(harness, "DROP FUNCTION public.refuse() CASCADE")


@contextmanager
def locked(harness: Harness) -> Iterator[None]:
    """Somebody keeps the log's head."""
    with database.connect(harness.address) as other:
        other.execute("SELECT FROM ledger.audit_head FOR UPDATE")
        yield
        other.rollback()


@contextmanager
def gone(harness: Harness) -> Iterator[None]:
    """The table is not there."""
    statements(harness, "ALTER TABLE ledger.audit RENAME TO audit_elsewhere")
    try:
        yield
    finally:
        statements(harness, "ALTER TABLE ledger.audit_elsewhere RENAME TO audit")


@contextmanager
def unanchored(harness: Harness) -> Iterator[None]:
    """A file is in the way of the anchor's folder."""
    folder = harness.stage.home / "audit"
    folder.rename(harness.stage.home / "kept")
    folder.write_text("in the way")
    try:
        yield
    finally:
        folder.unlink()
        (harness.stage.home / "kept").rename(folder)


NEWEST = "seq = (SELECT max(seq) FROM ledger.audit)"
BROKEN = {
    "newest entry deleted": (f"DELETE FROM ledger.audit WHERE {NEWEST}",),
    "newest entry changed": (f"UPDATE ledger.audit SET actor = 'nobody' WHERE {NEWEST}",),
    "an entry before it deleted": (
        "DELETE FROM ledger.audit WHERE seq = (SELECT max(seq) - 3 FROM ledger.audit)",
    ),
    "head behind its checkpoint": (
        f"DELETE FROM ledger.audit WHERE {NEWEST}",
        "UPDATE ledger.audit_head SET size = size - 1",
    ),
    "head without its entries": (
        "DELETE FROM ledger.audit",
        "DELETE FROM ledger.audit_checkpoint",
        "UPDATE ledger.audit_head SET size = 0, peaks = '{}'",
    ),
    "other peaks": ("UPDATE ledger.audit_head SET peaks = peaks[2:]",),
}


def down(harness: Harness, how: str) -> AbstractContextManager[None]:
    ways = {"refusing": refusing, "locked": locked, "gone": gone, "unanchored": unanchored}
    return changed(harness, *BROKEN[how]) if how in BROKEN else ways[how](harness)


@pytest.mark.fault("F06", "the audit store is down or broken: no row reaches any inbox")
@pytest.mark.parametrize("how", ["refusing", "locked", "gone", "unanchored", *BROKEN])
def test_nothing_leaves_without_an_audit_log(
    harness: Harness, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(timeouts.VARIABLE, "1")
    hub = harness.hub()
    agreements = AGREEMENTS[:1] if how == "locked" else AGREEMENTS
    with down(harness, how):
        for agreement in agreements:
            with pytest.raises(OnecardError) as caught:
                hub.deliver(agreement).run()
            assert caught.value.exit_code == 1
    assert {n: rows for n, rows in harness.inboxes().items() if rows} == {}
    assert files(harness) == []


def test_with_the_log_back_everything_arrives(harness: Harness) -> None:
    for agreement in AGREEMENTS:
        assert harness.hub().deliver(agreement).run().rows > 0
    assert sorted(n for n, rows in harness.inboxes().items() if rows) == sorted(AGREEMENTS)
    assert harness.problems() == []


def files(harness: Harness) -> list[Path]:
    """Whatever lies in the consumers' folders, drafts too."""
    city = harness.stage.city.home
    folders = (city / "inbox", city / "transport" / "inbox", city / "sftp" / "inbox")
    return [f for folder in folders for f in folder.rglob("*") if f.is_file()]
