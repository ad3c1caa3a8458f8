"""Files on their way into a local inbox: without a name until they are whole, and not copied."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pytest

from connectors.files import local
from connectors.files.connector import FilesConnector
from connectors.files.folder import NOTE_LIMIT, Folder, private_file
from connectors.files.folders import opened
from connectors.files.options import FilesSink
from onecard.base import files
from onecard.errors import SupersededError
from onecard.ports.sink import Parcel
from tests.connectors import systems

TARGET = "inbox/a01/d1.csv"
ROWS = b"410102" * 1_000


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with opened(systems.conn(conn_type="fs", extra={"path": str(tmp_path)})) as found:
        yield found


def held(home: Path) -> list[str]:
    return sorted(str(f.relative_to(home)) for f in home.rglob("*") if f.is_file())


def test_a_draft_has_no_name_until_it_is_put_in_place_and_is_not_copied(
    tmp_path: Path, folder: Folder
) -> None:
    during: list[list[str]] = []
    before = os.umask(0o027)
    try:
        with folder.draft("inbox/a01") as draft:
            draft.write_bytes(ROWS)
            made = draft.stat().st_ino
            assert held(tmp_path) == []
            folder.write(TARGET, draft, lambda: during.append(held(tmp_path)))
    finally:
        os.umask(before)
    (names,) = during
    assert [name.endswith(".part") for name in names] == [True]
    assert held(tmp_path) == [TARGET]
    there = (tmp_path / TARGET).stat()
    assert (there.st_ino, there.st_nlink, oct(there.st_mode)) == (made, 1, "0o100640")
    assert (tmp_path / TARGET).read_bytes() == ROWS


def test_it_replaces_what_has_its_name(tmp_path: Path, folder: Folder) -> None:
    for content in (ROWS, b"new"):
        with folder.draft("inbox/a01") as draft:
            draft.write_bytes(content)
            folder.write(TARGET, draft, systems.free)
    assert held(tmp_path) == [TARGET]
    assert (tmp_path / TARGET).read_bytes() == b"new"


def test_what_may_not_leave_leaves_nothing(tmp_path: Path, folder: Folder) -> None:
    def refuse() -> None:
        msg = "another process has done it"
        raise SupersededError(msg)

    with folder.draft("inbox/a01") as draft:
        draft.write_bytes(ROWS)
        with pytest.raises(SupersededError):
            folder.write(TARGET, draft, refuse)
    assert held(tmp_path) == []


def test_a_killed_process_leaves_nothing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with (
            opened(systems.conn(conn_type="fs", extra={"path": str(tmp_path)})) as folder,
            folder.draft("inbox/a01") as draft,
        ):
            draft.write_bytes(ROWS)
            os.write(writing, b"x")
            signal.pause()
    os.read(reading, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert held(tmp_path) == []


def test_a_draft_that_is_named_is_not_swept(tmp_path: Path, folder: Folder) -> None:
    with folder.draft("inbox/a01") as draft:
        draft.write_bytes(ROWS)
        folder.write(TARGET, draft, lambda: folder.sweep("inbox/a01"))
    assert (tmp_path / TARGET).read_bytes() == ROWS


def test_any_other_file_is_copied(tmp_path: Path, folder: Folder) -> None:
    source = tmp_path / "source"
    source.write_bytes(ROWS)
    folder.write(TARGET, source, systems.free)
    source.write_bytes(b"changed later")
    assert (tmp_path / TARGET).read_bytes() == ROWS


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system here")
def test_a_draft_of_another_file_system_is_copied(tmp_path: Path, folder: Folder) -> None:
    with files.nameless(Path("/dev/shm")) as draft:
        assert draft is not None
        draft.write_bytes(ROWS)
        folder.ready("inbox/a01", [draft])
        folder.write(TARGET, draft, systems.free)
    assert (tmp_path / TARGET).read_bytes() == ROWS


def test_where_files_must_have_names_it_is_a_temporary_file(
    tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def refusing(path: Any, flags: int, *more: Any, **options: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE and "inbox" in str(path):
            raise OSError(errno.EOPNOTSUPP, "not here")
        return real(path, flags, *more, **options)

    monkeypatch.setattr(os, "open", refusing)
    with folder.draft("inbox/a01") as draft:
        draft.write_bytes(ROWS)
        folder.ready("inbox/a01", [draft])
        folder.write(TARGET, draft, systems.free)
    assert held(tmp_path) == [TARGET]
    assert (tmp_path / TARGET).read_bytes() == ROWS


def test_room_is_asked_for_what_will_be_copied_only(
    tmp_path: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(local, "check_room", lambda _what, size, _free: asked.append(size))
    with folder.draft("inbox/a01") as draft, private_file() as other:
        draft.write_bytes(ROWS)
        other.write_bytes(ROWS)
        folder.ready("inbox/a01", [draft])
        folder.ready("inbox/a01", [draft, other])
    assert asked == [NOTE_LIMIT, NOTE_LIMIT + len(ROWS)]


class Sealer:
    """Turns a file round, and looks for what stands in clear where the inbox lies."""

    note: dict[str, Any] = {}  # noqa: RUF012 - the port's

    def __init__(self, inbox: Path) -> None:
        self._inbox = str(inbox)
        self.clear: list[bytes] = []

    def sealed(self, _part: int, plain: BinaryIO) -> Iterator[bytes]:
        for place in Path("/proc/self/fd").iterdir():
            if place.exists() and str(place.readlink()).startswith(self._inbox):
                self.clear.append(place.read_bytes())
        yield plain.read()[::-1]


def test_what_is_sealed_never_stands_in_clear_where_the_inbox_lies(tmp_path: Path) -> None:
    schema = pa.schema([("key", pa.string())])
    sealer = Sealer(tmp_path / "inbox")
    parcel = Parcel(
        delivery_id="d1",
        agreement="a01",
        schema=schema,
        key=("key",),
        batches=iter(pa.table([["410102"] * 100], schema=schema).to_batches()),
        manifest={},
        leave=systems.free,
        sign=systems.marked,
        sealer=sealer,  # type: ignore[arg-type]
    )
    at = systems.conn(conn_type="fs", extra={"path": str(tmp_path)})
    sink = FilesSink.model_validate({"directory": "inbox", "format": {"kind": "csv"}})
    assert FilesConnector().send(at, sink, parcel).rows == 100
    assert sealer.clear
    assert not any(sealer.clear)
    (sent,) = [f for f in (tmp_path / "inbox").rglob("*") if f.is_file() and "json" not in f.name]
    assert b"201014" in sent.read_bytes()
