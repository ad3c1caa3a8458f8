"""What an agency brings is collected like any other source: whole, judged, in order, once."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import logging
import os
import random
import socket
import stat
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

import connectors
from connectors.push.spool import held
from onecard.base.platform_signature import signed_headers
from onecard.errors import HoldError, NotCollected
from onecard.ingest import announced, codes, receiving
from onecard.live.lane import Lane
from onecard.live.pace import Pace
from onecard.model.uploads import Declared, Upload
from onecard.operations.housekeeping import keep_house
from onecard.reconcile.dataset import reconcile
from onecard.store import uploads
from onecard.store.database import Connection
from schemas.lint.check import lint
from schemas.models.problem import Problem
from tests.brought import (
    BRINGS,
    HEADER,
    HEALTH,
    HRSS,
    Town,
    csv_of,
    some,
    town_of,
    without_changes,
)
from tests.cities import empty_hub
from tests.small_hub import DATASET, small_hub
from tests.waiting import until

KINDS = {kind: connectors.options(kind) for kind in connectors.KINDS}
SPOILT = [
    ("bad1", "no number", "2026-11-09T08:00:00+08:00"),
    ("bad2", "1.00", "yesterday"),
    ("c" * 30, "1.00", "2026-11-09T08:00:00+08:00"),
]


@pytest.fixture
def town(tmp_path: Path, hub_database: str) -> Iterator[Town]:
    with town_of(tmp_path / "hub", hub_database) as found, found.serving():
        yield found


def new() -> str:
    return str(uuid.uuid4())


def test_an_upload_is_judged_at_once_collected_and_removed(town: Town) -> None:
    upload, data = new(), csv_of([*some(5), *SPOILT])
    answer = town.post(data, upload)
    assert answer.status_code == 200
    told = answer.json()
    outcome = told.pop("outcome")
    assert told == {
        "code": "00",
        "upload": upload,
        "state": "waiting",
        "received": len(data),
        "length": len(data),
    }
    assert (outcome["read"], outcome["accepted"], outcome["rejected"]) == (8, 5, 3)
    assert [(row["row"], row["reasons"]) for row in outcome["rows"]] == [
        (6, [{"field": "amount", "rule": "type"}]),
        (7, [{"field": "updated", "rule": "type"}]),
        (8, [{"field": "code", "rule": "max_length"}]),
    ]
    assert outcome["reasons"][0]["expected_zh"].startswith("十进制数")
    (file,) = town.lying
    assert file.endswith(f".{upload}.upload")
    assert stat.S_IMODE((town.folder / file).stat().st_mode) == 0o600
    assert stat.S_IMODE(town.folder.stat().st_mode) == 0o700
    done = town.small.collect()
    assert (done.counts.rows_read, done.counts.published, done.counts.quarantined) == (8, 5, 3)
    assert town.lying == []
    later = town.status(upload).json()
    assert (later["state"], later["transfer"]) == ("published", done.transfer)
    assert later["outcome"] == outcome
    assert town.small.collect().counts.rows_read == 0
    origins = town.small.ask("SELECT DISTINCT origin FROM quarantine.record")
    assert origins == [(upload,)], "a rejected row is found by its upload"


def test_what_is_published_equals_the_same_file_in_a_folder(
    town: Town, tmp_path: Path, quick_postgres: str, shared_folder: Path
) -> None:
    rows = [*some(300), *SPOILT, ("c000001", "2.00", "2026-11-09T09:00:00+08:00")]
    data = csv_of(rows).replace(b"c000007,1.00", b'"c000007,1.00') + b"\n\nc9,1\n"
    assert town.code(data) == "00"
    town.small.collect()
    columns = "SELECT code, amount, updated, _row_hash FROM registry.hrss__small ORDER BY code"
    reasons = "SELECT row_number, reasons FROM quarantine.record ORDER BY row_number, reasons::text"
    counts = (
        "SELECT rows_read, published, unchanged, quarantined, deduplicated FROM ledger.transfer"
    )
    with (
        empty_hub(quick_postgres, shared_folder) as other,
        small_hub(tmp_path / "other", other, other) as folder,
    ):
        folder.files()
        (folder.home / "files" / "in" / "one.csv").write_bytes(data)
        folder.collect()
        for statement in (columns, reasons, counts):
            assert town.small.ask(statement) == folder.ask(statement)
        assert len(town.small.ask(columns)) == 299


def cut_off(town: Town, data: bytes, upload: str, offset: int, sent: int) -> None:
    """Announce all the rest, send some of it, and go."""
    headers = town.headers(data, upload, offset)
    lines = [f"POST /ingest/{DATASET} HTTP/1.1", "Host: hub", "Transfer-Encoding: chunked"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    host, port = town.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as line:
        piece = data[offset : offset + sent]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        line.sendall(head + b"%x\r\n" % len(piece) + piece + b"\r\n")
        until(lambda: received(town, upload) >= offset + sent, "the bytes are on disk")
    until(lambda: is_free(town, upload), "the door has let go")


def is_free(town: Town, upload: str) -> bool:
    """Whether the door has let go of a part."""
    with held(town.folder / f"{upload}.part") as descriptor:
        return descriptor is not None


def received(town: Town, upload: str) -> int:
    part = town.folder / f"{upload}.part"
    return part.stat().st_size if part.exists() else 0


@pytest.mark.fault("F07", "a line that breaks costs what is not on disk, and nothing else")
def test_an_upload_goes_on_where_the_line_broke(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "WRITTEN", 1)
    chance, upload, data = random.Random(7), new(), csv_of(some(2000))
    offset = 0
    for _ in range(8):
        sent = chance.randrange(1, (len(data) - offset) // 3)
        cut_off(town, data, upload, offset, sent)
        offset += sent
        assert town.status(upload).json()["received"] == offset
    assert town.status(upload, "HEAD").headers[announced.OFFSET] == str(offset)
    assert town.code(data, upload, offset) == "00"
    assert town.small.collect().counts.published == 2000


def test_a_repetition_is_told_the_same_and_loads_nothing(town: Town) -> None:
    upload, data = new(), csv_of([*some(3), *SPOILT])
    first = town.post(data, upload).json()
    assert town.post(data, upload).json() == first
    town.small.collect()
    again = town.post(data, upload).json()
    assert without_changes(again) == without_changes(first)
    assert again["state"] == "published"
    assert town.lying == []
    assert town.small.collect().counts.rows_read == 0
    other = csv_of(some(4))
    assert town.code(other, upload) == codes.CONFLICT.code
    assert len(town.ledger()) == 1


def test_parts_follow_each_other_without_gap_or_overlap(town: Town) -> None:
    upload, data = new(), csv_of(some(100))
    assert town.post(data, upload, 0, 50).json()["received"] == 50
    for offset in (0, 49, 51, len(data)):
        answer = town.post(data, upload, offset)
        assert answer.json()["code"] == codes.OFFSET.code
        assert answer.headers[announced.OFFSET] == "50"
    beyond = town.post(data, upload, 50, body=data[50:] + b"x")
    assert beyond.json()["code"] == codes.BODY.code
    chunks = town.post(data, upload, 50, body=iter([data[50:], b"x"]))
    assert chunks.json()["code"] == codes.BODY.code
    there = town.status(upload).json()["received"]
    assert town.code(data, upload, there) == "00"
    assert town.small.collect().counts.published == 100


def test_bytes_that_are_not_those_announced_are_dropped(town: Town) -> None:
    upload, data = new(), csv_of(some(100))
    wrong = data.replace(b"c000009", b"c000008")
    answer = town.post(data, upload, body=wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, codes.DIGEST.code)
    assert answer.headers[announced.OFFSET] == "0"
    assert town.code(data, upload) == "00"
    assert town.small.collect().counts.published == 100


def test_bytes_that_come_again_after_a_judgement_are_held_against_the_digest(town: Town) -> None:
    upload, data = new(), csv_of(some(100))
    assert town.code(data, upload, 0, 50) == "01"
    town.small.ask("UPDATE ledger.upload SET outcome = '{}' RETURNING upload")  # killed before
    (town.folder / f"{upload}.part").unlink()  # its place was given, and its file is lost since
    wrong = data.replace(b"c000009", b"c000008")
    assert town.post(data, upload, body=wrong).json()["code"] == codes.DIGEST.code
    assert town.code(data, upload) == "00"


def test_another_number_of_rows_than_a_line_says_refuses_an_upload(town: Town) -> None:
    total = {"kind": "csv", "above": 1, "total": {"pattern": "共([0-9]+)条"}}
    town.contract(total)
    data = csv_of(some(3))
    answer = town.post("共4条\n".encode() + data)
    assert (answer.status_code, answer.json()["code"]) == (422, codes.NOT_READABLE.code)
    assert "file.total" in answer.json()["outcome"]["problem"]
    assert town.lying == []
    assert town.code("共3条\n".encode() + data) == "00"
    assert town.small.collect().counts.published == 3


def test_what_is_not_proved_is_refused_and_leaves_nothing(town: Town) -> None:
    upload, data = new(), csv_of(some(3))
    good = town.headers(data, upload)
    forged = good | {"gjgxjhpt_sign": "A" * 43 + "="}
    foreign = town.headers(data, upload, credential=HEALTH)
    altered = [
        good | {name: value}
        for name, value in (
            (announced.ID, new()),
            (announced.OFFSET, "1"),
            (announced.LENGTH, str(len(data) + 1)),
            (announced.DIGEST, hashlib.sha256(b"other").hexdigest()),
        )
    ]
    nothing = {k: v for k, v in good.items() if not k.startswith("gjgxjhpt_")}
    for headers in (forged, foreign, *altered, nothing):
        body = data[:-1] if headers.get(announced.OFFSET) == "1" else data
        answer = requests.post(
            f"{town.url}/ingest/{DATASET}", data=body, headers=headers, timeout=60
        )
        assert (answer.status_code, answer.json()) == (401, {"code": codes.NOT_PROVED.code})
    elsewhere = requests.post(f"{town.url}/ingest/hrss/other", data=data, headers=good, timeout=60)
    assert elsewhere.json() == {"code": codes.NOT_PROVED.code}
    assert town.status(upload, credential=HEALTH).json() == {"code": codes.NOT_PROVED.code}
    assert town.ledger() == []
    assert not town.folder.exists()
    headers = town.headers(data, upload)
    for wanted in ("00", codes.REPLAYED.code):
        answer = requests.post(
            f"{town.url}/ingest/{DATASET}", data=data, headers=headers, timeout=60
        )
        assert answer.json()["code"] == wanted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (announced.ID, "410199199001010014"),
        (announced.ID, "../../etc/passwd"),
        (announced.ID, "6F1C0D5E-0000-4000-8000-000000000001"),
        (announced.OFFSET, "-1"),
        (announced.OFFSET, "01"),
        (announced.LENGTH, "0"),
        (announced.LENGTH, "9" * 16),
        (announced.DIGEST, "sha-256=abc"),
        (announced.DIGEST, ""),
    ],
)
def test_headers_of_another_form_are_refused(town: Town, name: str, value: str) -> None:
    assert town.code(b"x", headers={name: value}) == codes.MALFORMED.code
    assert not town.folder.exists()


def test_what_comes_in_clear_from_elsewhere_is_refused(town: Town) -> None:
    """By what the proxy on this machine says of the caller."""
    data = csv_of(some(3))
    for address, scheme, code in (
        ("10.1.2.3", "http", codes.IN_CLEAR.code),
        ("10.1.2.3", "https", "00"),
        ("127.0.0.1", "http", "00"),
    ):
        said = {"X-Forwarded-For": address, "X-Forwarded-Proto": scheme}
        assert town.code(data, headers=said) == code


def test_two_calls_of_one_upload_do_not_mix(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "WRITTEN", 1)
    upload, data = new(), csv_of(some(1000))
    go_on = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield data[:100]
        assert go_on.wait(30)
        yield data[100:]

    said: list[str] = []
    first = threading.Thread(target=lambda: said.append(town.code(data, upload, body=slowly())))
    first.start()
    until(lambda: received(town, upload) == 100, "the first has begun")
    assert town.code(data, upload) == codes.IN_HAND.code
    assert town.code(data, upload, 100) == codes.IN_HAND.code
    go_on.set()
    first.join()
    assert said == ["00"]
    assert town.small.collect().counts.published == 1000


@pytest.mark.fault("F33", "a packed body is refused unread, a packed upload is not unpacked")
def test_a_packed_body_is_refused_and_a_packed_file_is_told_as_one(town: Town) -> None:
    bomb = gzip.compress(b"0" * 20_000_000)
    for how in ("gzip", "identity", "br"):
        answer = town.post(bomb, headers={"Content-Encoding": how})
        assert (answer.status_code, answer.json()) == (413, {"code": codes.BODY.code})
    assert town.ledger() == []
    answer = town.post(bomb)
    assert answer.json()["code"] == codes.NOT_READABLE.code
    assert "gzip" in answer.json()["outcome"]["problem"]
    assert [state for state, *_ in town.ledger()] == ["refused"]
    assert town.lying == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            csv_of(some(3)).decode().replace(HEADER, "姓名,amount,updated").encode("gb18030"),
            "utf-8",
        ),
        (csv_of(some(3)).decode().encode("utf-16"), "UTF-16"),
        (b"code,amount\nx,1\n", "updated"),
        (b"code,amount,updated,more\nx,1,,y\n", "more"),
        (b'{"code": "x"}\n', "JSON"),
        (b"\n\n", "blank lines"),
    ],
)
@pytest.mark.fault("F27", "an upload in another encoding or form is refused as a whole, at once")
def test_what_cannot_be_read_is_refused_as_a_whole(town: Town, data: bytes, words: str) -> None:
    upload = new()
    answer = town.post(data, upload)
    assert (answer.status_code, answer.json()["code"]) == (422, codes.NOT_READABLE.code)
    assert words in answer.json()["outcome"]["problem"]
    assert town.post(data, upload).json() == answer.json()
    assert town.lying == []
    town.small.collect()
    assert town.code(csv_of(some(3))) == "00", "a good one behind it is not held up"


def test_a_last_line_that_is_cut_off_costs_its_row(town: Town) -> None:
    data = csv_of(some(3))[:-30]
    outcome = town.post(data).json()["outcome"]
    assert (outcome["read"], outcome["rejected"]) == (3, 1)
    assert (
        outcome["rows"] == [{"row": 3, "reasons": [{"field": "", "rule": "record.cells"}]}]
        or outcome["rows"][0]["row"] == 3
    )
    assert town.small.collect().counts.published == 2


def test_json_lines_in_chunks(town: Town) -> None:
    town.contract({"kind": "jsonl"})
    rows = [dict(zip(HEADER.split(","), map(str, row), strict=True)) for row in some(50)]
    rows[7]["amount"] = "x"
    data = "\n".join(json.dumps(row) for row in rows).encode() + b"\n{broken\n"
    upload = new()
    answer = town.post(data, upload, body=iter([data[:10], data[10:]]))
    assert [row["row"] for row in answer.json()["outcome"]["rows"]] == [8, 51]
    assert town.small.collect().counts.published == 49


def test_uploads_are_taken_in_their_order_and_the_newest_row_stays(town: Town) -> None:
    town.contract(order="arrival")
    for amount in ("1.00", "2.00", "3.00"):
        assert town.code(csv_of([("a", amount, ""), ("b", "9.00", "")])) == "00"
    done = town.small.collect()
    counts = done.counts
    assert (counts.rows_read, counts.published, counts.deduplicated) == (6, 2, 4)
    assert town.small.amounts() == {"a": "3.00", "b": "9.00"}
    assert town.ledger() == [("published", n, done.transfer) for n in (1, 2, 3)]
    assert town.code(csv_of([("a", "1.00", "")])) == "00"
    town.small.collect()
    assert town.small.amounts()["a"] == "1.00", "what arrives later is newer"


def test_one_that_got_its_place_late_replaces_nothing_newer(town: Town) -> None:
    town.contract(order="arrival")
    assert town.code(csv_of([("a", "1.00", ""), ("only", "5.00", "")])) == "00"
    (early,) = town.lying
    aside = town.small.home / "aside"
    (town.folder / early).rename(aside)
    assert town.code(csv_of([("a", "2.00", "")])) == "00"
    town.small.collect()
    aside.rename(town.folder / early)
    town.small.collect()
    assert town.small.amounts() == {"a": "2.00", "only": "5.00"}
    assert town.lying == []


def test_who_is_stopped_brings_nothing_and_goes_on_when_he_is_let(town: Town) -> None:
    upload, data = new(), csv_of(some(3))
    town.bring_blocks(hrss=BRINGS["hrss"].replace("}", ", stopped: true}"))
    assert town.code(data, upload) == codes.STOPPED.code
    town.bring_blocks(**{k: v for k, v in BRINGS.items() if k != "hrss"})
    assert town.code(data, upload) == codes.NOT_PROVED.code
    town.bring_blocks(**BRINGS)
    assert town.code(data, upload) == "00"


def test_how_much_may_lie_there_is_bounded(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    data = csv_of(some(100))
    size = len(data)
    town.contract(max_bytes=2 * size, waiting_bytes=3 * size)
    assert town.code(data * 3) == codes.TOO_LARGE.code
    for _ in range(3):
        assert town.code(data) == "00"
    answer = town.post(data)
    assert (answer.status_code, answer.json()["code"]) == (507, codes.NO_ROOM.code)
    assert answer.headers["Retry-After"] == "60"
    town.small.collect()
    assert town.code(data) == "00", "what is published makes room"
    monkeypatch.setattr("onecard.ingest.service.LEFT_FREE", 1 << 60)
    assert town.code(csv_of(some(2))) == codes.NO_ROOM.code
    monkeypatch.undo()
    town.bring_blocks(hrss="bring: {connection: hrss_bring, uploads_a_day: 1}")
    assert town.code(data) == "00"
    assert town.code(csv_of(some(2))) == codes.TOO_MANY.code


def test_a_part_that_stands_still_is_let_go_of_and_kept(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "PAUSE_S", 2.0)
    upload, data = new(), csv_of(some(1000))
    host, port = town.url.removeprefix("http://").split(":")
    line = http.client.HTTPConnection(host, int(port), timeout=30)
    line.putrequest("POST", f"/ingest/{DATASET}")
    for name, value in {**town.headers(data, upload), "Content-Length": str(len(data))}.items():
        line.putheader(name, value)
    line.endheaders()
    line.send(data[:500])
    answer = line.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (408, codes.SLOW.code)
    assert answer.headers[announced.OFFSET] == "500"
    line.close()
    assert town.code(data, upload, 500) == "00"


def test_what_waited_too_long_is_removed_and_said(town: Town) -> None:
    waiting, coming = new(), new()
    data = csv_of(some(10))
    assert town.code(data, waiting) == "00"
    assert town.code(data, coming, 0, 50) == "01"
    (town.folder / f"{new()}.part").write_bytes(b"left by nobody known")
    assert keep_house(town.small.hub).uploads == 0
    assert len(town.lying) == 2, "what is on record stays, what nobody knows does not"
    town.small.night += 8
    assert keep_house(town.small.hub).uploads == 2
    assert town.lying == []
    assert town.status(waiting).json()["code"] == codes.EXPIRED.code
    assert town.code(data, waiting) == codes.EXPIRED.code
    said = (
        "SELECT body::jsonb->>'upload' FROM ledger.audit WHERE kind = 'upload.expired' ORDER BY 1"
    )
    assert town.small.ask(said) == sorted([(waiting,), (coming,)])
    town.small.night += 400
    keep_house(town.small.hub)
    assert town.ledger() == []


def test_a_part_that_begins_while_the_house_is_kept_stays(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, upload, data = uploads.unfinished, new(), csv_of(some(10))
    assert town.code(data) == "00"

    def and_begins(connection: Connection, dataset: str) -> list[Upload]:
        found = asked(connection, dataset)
        assert town.code(data, upload, 0, 50) == "01"
        return found

    with monkeypatch.context() as patch:
        patch.setattr(uploads, "unfinished", and_begins)
        keep_house(town.small.hub)
    assert received(town, upload) == 50


def test_a_dataset_that_is_brought_in_changes_is_not_compared(town: Town) -> None:
    assert town.code(csv_of(some(3))) == "00"
    town.small.collect()
    with pytest.raises(NotCollected, match="changes"):
        reconcile(town.small.hub, DATASET)
    with pytest.raises(NotCollected, match="changes"):
        town.small.collect(whole=True)
    assert len(town.small.amounts()) == 3, "nothing is taken for deleted"


def test_what_is_missing_in_the_newest_whole_export_is_deleted_slowly(town: Town) -> None:
    town.contract(order="arrival", uploads="whole")
    assert town.code(csv_of(some(200))) == "00"
    town.small.collect()
    assert town.code(csv_of(some(195))) == "00"
    town.small.collect()
    (kept,) = town.lying
    assert kept.endswith(".kept"), "the newest export stays, for comparison"
    first = reconcile(town.small.hub, DATASET)
    assert (first.extra, first.tombstoned, first.rows_other) == (5, 0, 195)
    town.small.night += 8
    assert reconcile(town.small.hub, DATASET).tombstoned == 5
    assert len(town.small.amounts()) == 195
    assert town.code(csv_of(some(200))) == "00"
    town.small.collect()
    assert len(town.small.amounts()) == 200
    assert len(town.lying) == 1


@pytest.mark.fault("F34", "no value of a row leaves by log, answer, ledger or file name")
def test_no_value_of_a_row_is_said_anywhere(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    number, name = "410199199001010014", "金丝雀一"
    data = csv_of([*some(2), (number, name, name), (name, number, ""), (number * 2, "1", number)])
    heard = [
        town.post(data),
        town.post(data.replace(b"code,", b"name,")),
        town.post(f"{number},{name},x\n1,2,3\n".encode()),
    ]
    with suppress(HoldError):
        town.small.collect()
    spoken = "".join(answer.text + str(answer.headers) for answer in heard) + caplog.text
    spoken += str(town.small.ask("SELECT * FROM ledger.upload"))
    spoken += str(town.small.ask("SELECT message, checkpoint FROM ledger.transfer"))
    spoken += " ".join(map(str, town.small.home.rglob("*")))
    for value in (number, name, ascii(name)[1:-1], "41019919900101"):
        assert value not in spoken


def test_the_lane_collects_what_is_brought_once(town: Town) -> None:
    town.contract(lane="event")
    assert town.code(csv_of(some(3))) == "00"
    pace = Pace(look=0.1, busy=0.05, whole=0.5, first=0.1)
    lane = Lane(lambda: town.small.hub, pace)
    lane.start()
    published = "SELECT count(*) FROM ledger.transfer WHERE status = 'published'"
    try:
        until(lambda: [s for s, *_ in town.ledger()] == ["published"], "it is published")
        assert town.code(csv_of(some(3, "2.00"))) == "00"
        until(lambda: [s for s, *_ in town.ledger()] == ["published"] * 2, "both are")
        before = town.small.ask(published)
        time.sleep(3 * pace.whole)
        assert town.small.ask(published) == before, "what is removed is no news"
    finally:
        lane.end()


def test_the_door_describes_itself_and_is_healthy(town: Town) -> None:
    assert requests.get(f"{town.url}/healthz", timeout=60).json() == {"alive": True}
    assert requests.get(f"{town.url}/readyz", timeout=60).json() == {"ready": True}
    document = requests.get(f"{town.url}/ingest/openapi.json", timeout=60).json()
    assert set(document["paths"]) == {
        "/ingest/{agency}/{dataset}",
        "/ingest/{agency}/{dataset}/{upload}",
    }
    assert requests.get(f"{town.url}/ingest/{DATASET}", timeout=60).status_code == 405
    assert requests.post(f"{town.url}/ingest", timeout=60).status_code == 404
    path = f"/ingest/{DATASET}/{new()}"
    headers = signed_headers(HEALTH, announced.signed(path))
    assert requests.get(town.url + path, headers=headers, timeout=60).status_code == 401
    assert town.status(new()).json() == {"code": codes.NO_SUCH_UPLOAD.code}
    assert town.status("no-uuid").json() == {"code": codes.NO_SUCH_UPLOAD.code}


def test_the_door_is_not_ready_where_the_spool_is_gone(town: Town) -> None:
    (town.small.home / "spool").rmdir()
    ready = f"{town.url}/readyz"
    until(lambda: not requests.get(ready, timeout=60).json()["ready"], "it is not ready")
    assert town.code(csv_of(some(3))) == codes.UNAVAILABLE.code


def test_the_client_brings_in_parts_and_goes_on(town: Town) -> None:
    data = csv_of(some(3000))
    file, upload = town.file(data), new()
    client = town.client(part_bytes=len(data) // 7)
    assert town.code(data, upload, 0, 1234) == "01"
    told = client.bring(DATASET, file, upload)
    assert (told.code, told.content["outcome"]["accepted"]) == ("00", 3000)
    assert client.bring(DATASET, file, upload).content == told.content
    asked = client.ask(DATASET, upload)
    assert asked is not None
    assert asked.content["state"] == "waiting"


def test_the_command_line_brings(town: Town) -> None:
    file = town.file(csv_of([*some(3), *SPOILT]))
    code, said = town.small.onecard("bring", DATASET, str(file), "--at", town.url)
    assert (code, "read 6, accepted 3, rejected 3" in said) == (0, True), said
    assert "no number" not in said
    broken = town.file(b"no header\n")
    code, said = town.small.onecard("bring", DATASET, str(broken), "--at", town.url)
    assert (code, "names no column" in said) == (1, True), said
    code, said = town.small.onecard("bring", "hrss/other", str(file), "--at", town.url)
    assert code == 2


def test_memory_does_not_grow_with_the_upload(town: Town) -> None:
    """A quarter of a gigabyte goes to disk; what the gate reads at once is bounded as in collects."""
    piece = b"x" * (1 << 20)
    length = 256 * len(piece)
    upload = new()
    declared = Declared(DATASET, upload, length + 1, "0" * 64)
    part = announced.Announced(declared, 0)
    path = f"/ingest/{DATASET}"
    headers = signed_headers(HRSS, announced.signed(path, part)) | {
        announced.ID: upload,
        announced.OFFSET: "0",
        announced.LENGTH: str(length + 1),
        announced.DIGEST: "0" * 64,
    }
    most = [resident()]

    def pieces() -> Iterator[bytes]:
        for _ in range(256):
            most.append(resident())
            yield piece

    answer = requests.post(town.url + path, data=pieces(), headers=headers, timeout=120)
    assert answer.json()["received"] == length
    assert max(most) - most[0] < 48 * 1024**2


def resident() -> int:
    """Bytes of memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_what_is_begun_counts_by_what_it_announces(town: Town) -> None:
    data = csv_of(some(10))
    town.contract(max_bytes=len(data), waiting_bytes=len(data))
    assert town.code(data * 2) == codes.TOO_LARGE.code
    assert town.code(data, new(), 0, 10) == "01"
    assert town.code(data) == codes.NO_ROOM.code


def test_the_other_commands_know_what_is_brought(town: Town) -> None:
    """What the agency may try at home, and what an engineer looks at before the night."""
    town.contract({"kind": "csv", "encoding": "gb18030", "delimiter": ";"})
    data = csv_of([*some(3), *SPOILT]).decode().replace(",", ";").encode("gb18030")
    file = town.file(data)
    code, said = town.small.onecard("check", DATASET, str(file))
    assert (code, "read 6, accepted 3, rejected 3" in said) == (1, True), said
    code, said = town.small.onecard("drift", DATASET)
    assert code == 0, said
    assert town.code(data) == "00"
    code, said = town.small.onecard("drift", DATASET)
    assert code == 0, said
    code, said = town.small.onecard("collect", DATASET, "--dry-run")
    assert (code, len(town.lying)) == (0, 1), said
    said = town.small.onecard("doctor")[1]
    assert "the spool is there and can be written" in said
    code, said = town.small.onecard("collect", DATASET)
    assert (code, town.lying) == (0, []), said
    code, said = town.small.onecard("housekeeping", "--json")
    assert (code, json.loads(said)["uploads"]) == (0, 0), said


def test_lint_knows_what_is_brought(town: Town) -> None:
    town.contract(order="arrival")
    found = [p for p in lint(town.small.home / "schemas", connectors=KINDS) if _of_push(p)]
    assert [(p.field, p.rule) for p in found] == [("agencies.health.bring", "bring.no_dataset")]
    town.contract(waiting_bytes=1)
    found = [p for p in lint(town.small.home / "schemas", connectors=KINDS) if _of_push(p)]
    assert {p.rule for p in found} == {"bring.no_dataset", "contract.order", "push.waiting_bytes"}


def _of_push(problem: Problem) -> bool:
    return "bring" in problem.field or problem.file.name == "small.odcs.yaml"
