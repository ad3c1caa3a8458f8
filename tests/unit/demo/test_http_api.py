"""The agencies' HTTP habits: signatures, tokens, pages, refusals and idempotent inboxes."""

from __future__ import annotations

import base64
import hmac
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from demo import http_api, inbox
from demo.http_api import BUSY_EVERY, PUBLIC_KEYS, TOKEN_REQUESTS, Api, moment
from onecard.crypto import keys
from onecard.crypto.keys import KeyStore
from onecard.crypto.signing import Signer
from onecard.store.receipts import signed_manifest

LOGIN = {"login": "hub", "password": "not-a-secret"}
BEARER = {"Authorization": f"Bearer {LOGIN['password']}"}


def fill(home: Path, name: str, rows: int) -> None:
    folder = home / "http"
    folder.mkdir(exist_ok=True)
    with closing(sqlite3.connect(folder / f"{name}.sqlite")) as database, database:
        database.execute(
            "CREATE TABLE rows (position INTEGER PRIMARY KEY AUTOINCREMENT, moment INTEGER, body)"
        )
        database.executemany(
            "INSERT INTO rows (moment, body) VALUES (?, ?)",
            [
                (moment(f"2026-11-{n:02d}T08:00:00+08:00"), json.dumps({"n": n}))
                for n in numbers(rows)
            ],
        )


def numbers(rows: int) -> range:
    return range(1, rows + 1)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Any]:
    started: list[Api] = []

    def start(name: str) -> str:
        api = Api(name, tmp_path, LOGIN)
        threading.Thread(target=api.serve_forever, args=(0.02,), daemon=True).start()
        started.append(api)
        return f"http://127.0.0.1:{api.server_address[1]}"

    yield start
    for api in started:
        api.shutdown()
        api.server_close()


def signed(rid: str, *, password: str = LOGIN["password"], late_ms: int = 0) -> dict[str, str]:
    rtime = str(int(time.time() * 1000) - late_ms)
    text = f"{LOGIN['login']}{rid}{rtime}".encode()
    sign = base64.b64encode(hmac.digest(password.encode(), text, "sha256")).decode()
    return {
        "gjgxjhpt_sid": LOGIN["login"],
        "gjgxjhpt_rid": rid,
        "gjgxjhpt_rtime": rtime,
        "gjgxjhpt_sign": sign,
    }


def token(url: str, secret: str = LOGIN["password"]) -> dict[str, Any]:
    body = {"client_id": LOGIN["login"], "client_secret": secret}
    answer = requests.post(f"{url}/oauth/token", json=body, timeout=5)
    return {"status": answer.status_code, **answer.json()}


def test_a_keyset_is_walked_to_its_end(serve: Any, tmp_path: Path) -> None:
    fill(tmp_path, "card_status_event", 5)
    url, found, after = serve("hrss_api"), [], None
    while True:
        query = {"limit": 2, **({"after": after} if after else {})}
        page = requests.get(f"{url}/card-status/events", query, headers=BEARER, timeout=5).json()
        assert page["code"] == "00"
        found += [item["n"] for item in page["data"]["items"]]
        after = page["data"]["next"]
        if after is None:
            break
    assert found == [1, 2, 3, 4, 5]


def test_since_is_inclusive(serve: Any, tmp_path: Path) -> None:
    fill(tmp_path, "card_status_event", 5)
    query = {"since": "2026-11-03T00:00:00+00:00", "limit": 10}
    url = serve("hrss_api")
    page = requests.get(f"{url}/card-status/events", query, headers=BEARER, timeout=5).json()
    assert [item["n"] for item in page["data"]["items"]] == [3, 4, 5]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer other"}])
def test_a_wrong_bearer_token_is_refused(serve: Any, headers: dict[str, str]) -> None:
    answer = requests.get(f"{serve('hrss_api')}/card-status/events", headers=headers, timeout=5)
    assert answer.status_code == 401


def test_the_platform_signature_is_verified(serve: Any, tmp_path: Path) -> None:
    fill(tmp_path, "health_visit", 1)
    url = f"{serve('health_api')}/api/visits"
    assert requests.get(url, headers=signed("1"), timeout=5).json()["result"]["rows"] == [{"n": 1}]
    wrong = {
        "another key": signed("2", password="guess"),
        "stale": signed("3", late_ms=6 * 60 * 1000),
        "replayed": signed("1"),
        "none": {},
    }
    refused = {why: requests.get(url, headers=h, timeout=5).status_code for why, h in wrong.items()}
    assert refused == dict.fromkeys(wrong, 401)


def test_every_seventh_request_to_health_is_told_to_wait(serve: Any, tmp_path: Path) -> None:
    fill(tmp_path, "death_notice", 1)
    url = f"{serve('health_api')}/api/deaths"
    answers = [requests.get(url, headers=signed(str(n)), timeout=5) for n in range(2 * BUSY_EVERY)]
    busy = [n for n, answer in enumerate(answers, start=1) if answer.status_code == 429]
    assert busy == [BUSY_EVERY, 2 * BUSY_EVERY]
    assert "Retry-After" in answers[BUSY_EVERY - 1].headers


def test_a_token_ends_and_pages_are_numbered(serve: Any, tmp_path: Path) -> None:
    fill(tmp_path, "med_settlement", 5)
    url = serve("medical_insurance_api")
    assert token(url, "guess")["status"] == 401
    headers = {"Authorization": f"Bearer {token(url)['access_token']}"}
    query = {"pageNum": 2, "pageSize": 2}
    answers = [
        requests.get(f"{url}/settlements", query, headers=headers, timeout=5)
        for _ in range(TOKEN_REQUESTS + 1)
    ]
    assert answers[0].json() == {"total": 5, "list": [{"n": 3}, {"n": 4}]}
    assert [a.status_code for a in answers] == [200] * TOKEN_REQUESTS + [401]


def test_a_token_dies_of_age(serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "med_settlement", 1)
    monkeypatch.setattr(http_api, "TOKEN_SECONDS", 0)
    url = serve("medical_insurance_api")
    headers = {"Authorization": f"Bearer {token(url)['access_token']}"}
    assert requests.get(f"{url}/settlements", headers=headers, timeout=5).status_code == 401


def test_a_batch_is_stored_once_and_survives_the_server(serve: Any, tmp_path: Path) -> None:
    body = {"deliveryId": "d", "batchId": "d-1", "agreement": "f05", "sequence": 1, "digest": "x"}
    body |= {"rows": [{"card_no": "A00000001", "name": "𠮷·买买提"}]}
    for code in ("00", "01"):
        url = f"{serve('bank_api')}/inbox/f05"
        assert requests.post(url, json=body, headers=BEARER, timeout=5).json() == {"code": code}
    unsigned = {"deliveryId": "d", "digest": "x", "rows": 1, "consumer": "bank"}
    keys.create(tmp_path / "keys.json", ["bank"], "2026")
    signer = Signer("international", KeyStore(tmp_path / "keys.json"))
    (tmp_path / PUBLIC_KEYS).write_text(json.dumps(signer.public_keys()))
    for manifest, code in (
        (unsigned, "09"),
        (signed_manifest({**unsigned, "consumer": "operator"}, signer), "09"),
        (signed_manifest(unsigned, signer), "00"),
        (signed_manifest(unsigned, signer), "01"),
    ):
        answer = requests.post(f"{url}/manifest", json=manifest, headers=BEARER, timeout=5)
        assert answer.json() == {"code": code}
    held = inbox.http(tmp_path / "inbox" / "bank_api")
    assert {name: frame.to_dicts() for name, frame in held.items()} == {"f05": body["rows"]}


def test_an_inbox_asks_who_is_there(serve: Any, tmp_path: Path) -> None:
    url = f"{serve('operator_api')}/inbox/f07"
    answer = requests.post(url, json={"batchId": "1", "rows": []}, timeout=5)
    assert answer.status_code == 401
    assert not (tmp_path / "inbox").exists()


def test_an_unknown_path_is_not_there(serve: Any) -> None:
    url = serve("hrss_api")
    assert requests.get(f"{url}/cards", headers=BEARER, timeout=5).status_code == 404
    assert requests.post(f"{url}/cards", json={}, headers=BEARER, timeout=5).status_code == 404
