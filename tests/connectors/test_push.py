"""The spool as a source: each upload once, in order; what is published goes, and is no news."""

from __future__ import annotations

import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.push.connector import PushConnector
from connectors.push.options import PushSource
from connectors.push.read import PushReading
from connectors.push.spool import Spool, held
from onecard.errors import ConfigError, NotCollected
from onecard.ports.sink import Parcel
from onecard.ports.source import Column, ReadRequest
from tests.connectors.systems import conn

OPTIONS = {"format": {"kind": "csv"}}
DATASET = "agency/dataset"


class Folder:
    """A spool, and what is put into it."""

    def __init__(self, home: Path, **options: Any) -> None:
        self.connection = conn(conn_type="fs", extra={"path": str(home)})
        self.spool, self.number = Spool(self.connection, DATASET), 0
        self.spool.make()
        self.options = PushSource.model_validate(OPTIONS | options)
        self.connector = PushConnector()

    def put(self, *rows: str, number: int = 0) -> str:
        upload = str(uuid.uuid4())
        self.number = number or self.number + 1
        self.spool.part(upload).write_text("X\n" + "".join(f"{row}\n" for row in rows))
        self.spool.promote(upload, self.number)
        return upload

    def request(self, **more: Any) -> ReadRequest:
        return ReadRequest(DATASET, (Column("x", "X"),), self.options, **more)

    def read(self, checkpoint: Any = None, **more: Any) -> tuple[list[tuple[str, bool]], Any]:
        """Rows, each with whether it is late; and the next checkpoint."""
        known = {"checkpoint": checkpoint, "taken": checkpoint} if checkpoint else {}
        reading = self.connector.read(self.connection, self.request(**(known | more)))
        found = [(x, c.late) for c in reading for x in c.batch.column("x").to_pylist()]
        return found, reading.checkpoint

    def state(self, checkpoint: Any = None) -> str:
        request = self.request(checkpoint=checkpoint or {})
        return self.connector.state(self.connection, request).digest

    def release(self, checkpoint: Any) -> None:
        self.connector.release(self.connection, self.request(checkpoint=checkpoint))

    @property
    def names(self) -> list[str]:
        return sorted(f.name for f in self.spool.folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_nothing_was_ever_brought(tmp_path: Path) -> None:
    connection = conn(conn_type="fs", extra={"path": str(tmp_path)})
    request = ReadRequest(DATASET, (Column("x", "X"),), PushSource.model_validate(OPTIONS))
    reading = PushReading(connection, request)
    assert list(reading) == []
    assert reading.checkpoint == {"uploads": {}, "last": 0}


def test_uploads_are_read_in_order_and_once(folder: Folder) -> None:
    first, second = folder.put("a"), folder.put("b", "c")
    found, checkpoint = folder.read()
    assert found == [("a", False), ("b", False), ("c", False)]
    assert checkpoint == {"uploads": {first: 1, second: 2}, "last": 2}
    third = folder.put("d")
    assert folder.read(checkpoint) == (
        [("d", False)],
        {
            "uploads": {first: 1, second: 2, third: 3},
            "last": 3,
        },
    )
    folder.release(checkpoint)
    assert folder.read(checkpoint) == ([("d", False)], {"uploads": {third: 3}, "last": 3})


def test_one_that_lacks_rows_by_the_contract_of_today_is_refused_and_holds_up_no_other(
    tmp_path: Path,
) -> None:
    total = {"kind": "csv", "above": 1, "total": {"pattern": "X([0-9]+)"}}
    folder = Folder(tmp_path, format=total)
    lacking, whole = "X3\nX\na\n", "X1\nX\nb\n"
    for number, text in enumerate((lacking, whole), start=1):
        upload = str(uuid.uuid4())
        folder.spool.part(upload).write_text(text)
        folder.spool.promote(upload, number)
    first, second = (u.upload for u in folder.spool.lying())
    reading = folder.connector.read(folder.connection, folder.request())
    assert [x for c in reading for x in c.batch.column("x").to_pylist()] == ["b"]
    assert [(r.origin, r.rule) for r in reading.refused] == [(first, "file.total")]
    assert reading.checkpoint == {"uploads": {second: 2}, "last": 2}


def test_what_is_published_goes_and_is_no_news(folder: Folder) -> None:
    folder.put("a")
    before = folder.state()
    _, checkpoint = folder.read()
    folder.release(checkpoint)
    assert folder.names == ["000000000001.taken"]
    assert folder.state() == folder.state(checkpoint) == before
    folder.put("b")
    assert folder.state() != before
    _, checkpoint = folder.read(checkpoint)
    folder.release(checkpoint)
    folder.release(checkpoint)
    assert folder.names == ["000000000002.taken"]


def test_one_of_a_lower_number_is_read_too_and_is_late_where_arrival_counts(folder: Folder) -> None:
    folder.put("new", number=7)
    _, checkpoint = folder.read()
    folder.release(checkpoint)
    folder.put("old", number=3)
    assert folder.read(checkpoint)[0] == [("old", False)]
    assert folder.read(checkpoint, order_stated=True)[0] == [("old", True)]
    assert folder.read(checkpoint)[1]["last"] == 7


def test_changes_cannot_be_read_whole(folder: Folder) -> None:
    folder.put("a")
    _, checkpoint = folder.read()
    with pytest.raises(NotCollected, match="changes"):
        folder.read(taken=checkpoint)


def test_the_newest_whole_export_stays_and_can_be_read_again(tmp_path: Path) -> None:
    folder = Folder(tmp_path, uploads="whole")
    folder.put("a", "b")
    newest = folder.put("a")
    _, checkpoint = folder.read()
    with pytest.raises(NotCollected, match="no published upload"):
        folder.read(taken=checkpoint)
    folder.release(checkpoint)
    assert folder.names == [f"000000000002.{newest}.kept", "000000000002.taken"]
    assert folder.read(taken=checkpoint)[0] == [("a", False)]
    assert folder.read(checkpoint)[0] == []
    folder.put("c")
    assert folder.read(taken=checkpoint)[0] == [("a", False)], "what waits is not published"
    found, checkpoint = folder.read(checkpoint)
    assert found == [("c", False)]
    folder.release(checkpoint)
    assert [name[:13] for name in folder.names if name.endswith("kept")] == ["000000000003."]
    assert folder.read(taken=checkpoint)[0] == [("c", False)]


def test_strange_files_and_links_are_left_alone(folder: Folder, tmp_path: Path) -> None:
    upload = folder.put("a")
    (folder.spool.folder / "notes.txt").write_text("x")
    (folder.spool.folder / f"000000000009.{uuid.uuid4()}.upload").symlink_to(tmp_path / "secret")
    (folder.spool.folder / f"1.{upload}.upload").write_text("X\nz\n")
    assert folder.read()[0] == [("a", False)]


def test_a_part_is_of_one_process_alone(folder: Folder) -> None:
    path = folder.spool.part(str(uuid.uuid4()))
    with held(path) as mine, held(path) as other:
        assert mine is not None
        assert other is None
    with held(path) as mine:
        assert mine is not None
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "values",
    [
        {"conn_type": "fs"},
        {"conn_type": "fs", "extra": {"path": "/nowhere"}},
        {"conn_type": "sftp"},
    ],
)
def test_a_spool_is_a_folder_of_this_machine(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="system"):
        Spool(conn(**values), DATASET)


def test_nothing_is_delivered_into_a_spool(folder: Folder) -> None:
    parcel = cast("Parcel", SimpleNamespace(agreement="f00-test"))
    with pytest.raises(ConfigError, match="f00-test: nothing is delivered"):
        folder.connector.send(folder.connection, folder.options, parcel)


def test_an_upload_must_find_room() -> None:
    with pytest.raises(ValueError, match=r"push\.waiting_bytes"):
        PushSource.model_validate(OPTIONS | {"max_bytes": 10, "waiting_bytes": 9})
