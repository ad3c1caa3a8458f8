"""F07, F13, F14: files over SFTP that are not ready, not whole or not the same, end to end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from onecard.errors import SourceUnavailable
from tests.cities import Cities
from tests.faults.proxy import TcpProxy, tcp_proxy
from tests.faults.sources import World, world

PAYMENTS = "education/campus_payment"


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("files"), cities) as found:
        yield found


@pytest.fixture(scope="module")
def proxy(city: World) -> Iterator[TcpProxy]:
    with tcp_proxy("127.0.0.1", int(city.connection("education_sftp")["port"])) as found:
        city.through("education_sftp", found.port)
        yield found


@pytest.fixture
def outbox(city: World, proxy: TcpProxy) -> Iterator[Outbox]:
    """The agency's folder before the first night; put back at the end."""
    found = Outbox(city.stage.city.home / "sftp" / "outbox" / "campus_payment")
    proxy.clean()
    city.forget(PAYMENTS)
    yield found
    found.put(found.whole)


class Outbox:
    """The agency's one file and its manifest."""

    def __init__(self, folder: Path) -> None:
        (self.file,) = folder.glob("*.csv")
        self.note = Path(f"{self.file}.manifest.json")
        self.whole = self.file.read_bytes()
        self.rows = int(json.loads(self.note.read_text())["rows"])

    def put(self, data: bytes, *, rows: int | None = None, of: bytes | None = None) -> None:
        """The file, and a manifest that may be of other bytes."""
        self.file.write_bytes(data)
        digest = hashlib.sha256(data if of is None else of).hexdigest()
        self.note.write_text(json.dumps({"rows": rows or self.rows, "sha256": digest}))


def remark(city: World) -> str:
    """What the newest transfer says about files that it did not take."""
    with city.hub_database() as connection:
        row = connection.execute(
            "SELECT message FROM ledger.transfer WHERE subject = %s ORDER BY id DESC LIMIT 1",
            (PAYMENTS,),
        ).fetchone()
    return str(row[0])


@pytest.mark.fault("F07", "an SFTP session reset anywhere: unavailable, nothing published")
@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.9])
def test_a_session_that_is_reset(
    city: World, proxy: TcpProxy, outbox: Outbox, share: float
) -> None:
    city.collect(PAYMENTS)
    wanted = city.state(PAYMENTS)
    city.forget(PAYMENTS)
    proxy.cut(int(3_000 + len(outbox.whole) * share) if share else 0)
    city.fails(PAYMENTS, SourceUnavailable, "education_sftp")
    proxy.clean()
    city.collect(PAYMENTS)
    assert city.state(PAYMENTS) == wanted


@pytest.mark.fault("F13", "without manifest or unlike it: not one row; taken when it is right")
def test_a_growing_file_waits(city: World, outbox: Outbox) -> None:
    half = outbox.whole[: len(outbox.whole) // 2]
    outbox.note.unlink()
    outbox.file.write_bytes(half)
    assert city.collect(PAYMENTS).rows_read == 0
    outbox.put(half, of=outbox.whole)  # the manifest came before the file was whole
    assert city.collect(PAYMENTS).rows_read == 0
    outbox.put(outbox.whole, rows=outbox.rows + 1)
    assert city.collect(PAYMENTS).rows_read == 0
    outbox.put(outbox.whole)
    assert city.collect(PAYMENTS).rows_read == outbox.rows
    assert city.collect(PAYMENTS).rows_read == 0, "taken once"


@pytest.mark.fault("F13", "the ledger and the receipt name each file that was not taken")
def test_a_file_that_was_not_taken_is_named(city: World, outbox: Outbox) -> None:
    outbox.put(outbox.whole, rows=outbox.rows + 1)
    city.collect(PAYMENTS)
    assert "manifest.rows" in remark(city)
    outbox.note.unlink()
    city.collect(PAYMENTS)
    assert "waiting for" in remark(city)


@pytest.mark.fault("F14", "a replaced file is a new version: only its changed rows are published")
def test_a_replaced_file_is_a_new_version(city: World, outbox: Outbox) -> None:
    assert city.collect(PAYMENTS).rows_read == outbox.rows
    before = city.state(PAYMENTS)
    lines = outbox.whole.splitlines(keepends=True)
    outbox.put(b"".join(lines[:-1]), rows=outbox.rows - 1)
    counts = city.collect(PAYMENTS)
    assert counts.rows_read == outbox.rows - 1
    assert counts.published == 0
    assert city.state(PAYMENTS) == before, "a row that a new file lacks is not taken away"


@pytest.mark.fault("F15", "an emptied file takes no row away")
def test_an_emptied_file_takes_nothing_away(city: World, outbox: Outbox) -> None:
    city.collect(PAYMENTS)
    before = city.state(PAYMENTS)
    header = outbox.whole.splitlines(keepends=True)[0]
    outbox.file.write_bytes(header)
    note = {"rows": 0, "sha256": hashlib.sha256(header).hexdigest()}
    outbox.note.write_text(json.dumps(note))
    assert city.collect(PAYMENTS).rows_read == 0
    assert city.state(PAYMENTS) == before
