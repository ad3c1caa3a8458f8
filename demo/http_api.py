"""The agencies' HTTP APIs and inboxes, with each one's own habits, on loopback."""

from __future__ import annotations

import hmac
import json
import os
import secrets
import sqlite3
import threading
import time
from array import array
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from onecard.base.platform_signature import Credential, SignatureForm, SignedCall, Verifier
from onecard.deliver.manifest import refusal

SIGNED = SignatureForm()
TOKEN_REQUESTS, TOKEN_SECONDS = 20, 30
PUBLIC_KEYS = "public_keys.json"
"""The hub's public keys, as each agency keeps them."""

BUSY_EVERY = 7
"""The health commission's API answers 429 to every seventh request."""


class Api(ThreadingHTTPServer):
    """One agency's API.

    Args:
        name: the connection id, which also chooses the habits.
        home: data in `home/http/*.sqlite`, inboxes in `home/inbox/<name>`.
        login: `{"login": …, "password": …}`.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, name: str, home: Path, login: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.name = name
        self.lock = threading.Lock()
        self.move(home, login)

    def move(self, home: Path, login: dict[str, str]) -> None:
        """Serve this folder with this login from now on, as a fresh server would."""
        with self.lock:
            self.home, self.login = home, login
            self.served = 0
            self.calls = Verifier()
            self.tokens: dict[str, tuple[float, int]] = {}

    def allows(self, headers: Any) -> bool:  # noqa: ANN401 - email.message.Message
        """Whether a request proves who it comes from."""
        if self.name == "health_api":
            return self._signed(headers)
        given = str(headers.get("Authorization", "")).removeprefix("Bearer ")
        if self.name == "medical_insurance_api":
            return self._token_lives(given)
        return hmac.compare_digest(given, self.login["password"])

    def new_token(self, body: dict[str, Any]) -> str | None:
        """A token for the right client."""
        if [body.get("client_id"), body.get("client_secret")] != list(self.login.values()):
            return None
        token = secrets.token_urlsafe(16)
        with self.lock:
            self.tokens[token] = (time.monotonic() + TOKEN_SECONDS, TOKEN_REQUESTS)
        return token

    def busy(self) -> bool:
        """Whether this request is turned away for now."""
        with self.lock:
            self.served += 1
            return self.name == "health_api" and self.served % BUSY_EVERY == 0

    def refuses(self, manifest: dict[str, Any]) -> bool:
        """Whether a manifest is not the hub's, or meant for somebody else.

        A repeated manifest is no fault here: it is stored already.
        """
        keys = self.home / PUBLIC_KEYS
        known = json.loads(keys.read_text()) if keys.exists() else {}
        return bool(refusal(manifest, known, self.name.removesuffix("_api")))

    def _token_lives(self, token: str) -> bool:
        with self.lock:
            until, left = self.tokens.get(token, (0.0, 0))
            self.tokens[token] = (until, left - 1)
            return time.monotonic() < until and left > 0

    def _signed(self, headers: Any) -> bool:  # noqa: ANN401 - email.message.Message
        call = SignedCall.of(SIGNED.header_prefix, headers.items())
        ours = Credential(self.login["login"], self.login["password"].encode(), SIGNED)
        return call is not None and self.calls.accept(call, ours) == "accepted"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Api

    def do_GET(self) -> None:
        """Serve a page of rows, or say how many rows of a delivery are in an inbox."""
        if not self._admitted():
            return
        path, query = self._target()
        parts = path.strip("/").split("/")
        if parts[0] == "inbox" and parts[2:] == ["count"]:
            folder = self.server.home / "inbox" / self.server.name
            held = count(folder, parts[1], query.get("deliveryId", ""))
            self._reply(200, json.dumps({"code": "00", "rows": held}))
            return
        pages = {
            "/card-status/events": _events,
            "/api/visits": _visits,
            "/api/deaths": _deaths,
            "/settlements": _settlements,
        }
        if path in pages:
            self._reply(200, pages[path](self.server.home / "http", query))
        else:
            self._reply(404, '{"code":"404"}')

    def do_POST(self) -> None:
        """Give a token, or store a delivered batch or manifest."""
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
        path, _ = self._target()
        if path == "/oauth/token":
            token = self.server.new_token(body)
            self._reply(
                200 if token else 401,
                json.dumps({"access_token": token, "expires_in": TOKEN_SECONDS}),
            )
        elif self._admitted():
            parts = path.strip("/").split("/")
            if parts[0] != "inbox" or len(parts) not in (2, 3):
                self._reply(404, '{"code":"404"}')
                return
            folder = self.server.home / "inbox" / self.server.name
            whole = len(parts) == 3
            with self.server.lock:
                refused = whole and self.server.refuses(body)
                code = "09" if refused else store(folder, parts[1], body, manifest=whole)
            self._reply(200, json.dumps({"code": code}))

    def log_message(self, *_: object) -> None:
        """Say nothing: requests carry personal data."""

    def _admitted(self) -> bool:
        if self.server.busy():
            self._reply(429, '{"code":"429"}', retry_after="0")
            return False
        if not self.server.allows(self.headers):
            self._reply(401, '{"code":"401"}')
            return False
        return True

    def _target(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        return parts.path, dict(parse_qsl(parts.query))

    def _reply(self, status: int, text: str, retry_after: str | None = None) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        if retry_after is not None:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(data)


def store(folder: Path, agreement: str, body: dict[str, Any], *, manifest: bool) -> str:
    """Keep a batch or manifest for good: `00` stored, `01` stored already."""
    folder.mkdir(parents=True, exist_ok=True)
    kind = "manifests" if manifest else "batches"
    name = f"{body['deliveryId']}-{body['digest']}" if manifest else str(body["batchId"])
    marker = folder / f"{agreement}.{kind}.ids"
    if marker.exists() and name in marker.read_text().splitlines():
        return "01"
    with (folder / f"{agreement}.{kind}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(body, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    with marker.open("a") as file:
        file.write(name + "\n")
    return "00"


def count(folder: Path, agreement: str, delivery: str) -> int:
    """How many rows of a delivery the stored batches hold, as far as they are not sealed."""
    file = folder / f"{agreement}.batches.jsonl"
    if not file.exists():
        return 0
    with file.open(encoding="utf-8") as lines:
        batches = [json.loads(line) for line in lines]
    return sum(len(b.get("rows", ())) for b in batches if b["deliveryId"] == delivery)


@dataclass(frozen=True, slots=True)
class Names:
    """What an API calls the parameters of a page."""

    since: str
    after: str = "after"
    limit: str = "limit"


def _page(file: Path, query: dict[str, str], names: Names) -> tuple[list[str], int | None]:
    """Bodies after the cursor, and the position to go on from (None at the end)."""
    limit, after = int(query.get(names.limit, "500")), int(query.get(names.after, "0"))
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "SELECT position, body FROM rows WHERE position > ? AND moment >= ?"
            " ORDER BY position LIMIT ?",
            (after, moment(query.get(names.since)), limit + 1),
        ).fetchall()
    more = len(rows) > limit
    rows = rows[:limit]
    return [body for _, body in rows], rows[-1][0] if more else None


def _of_card(file: Path, card: str) -> list[str]:
    """Bodies of all events of one card; it never has so many that they need pages."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "SELECT body FROM rows WHERE json_extract(body, '$.AAZ500') = ? ORDER BY position",
            (card,),
        ).fetchall()
    return [body for (body,) in rows]


def moment(text: str | None) -> int:
    """An ISO instant in microseconds since 1970; 0 for none."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000) if text else 0


def _events(folder: Path, query: dict[str, str]) -> str:
    file = folder / "card_status_event.sqlite"
    if "cardNo" in query:
        bodies, following = _of_card(file, query["cardNo"]), None
    else:
        bodies, following = _page(file, query, Names("since"))
    items, after = ",".join(bodies), json.dumps(_text(following))
    return f'{{"code":"00","data":{{"items":[{items}],"next":{after}}}}}'


def _visits(folder: Path, query: dict[str, str], name: str = "health_visit") -> str:
    bodies, following = _page(folder / f"{name}.sqlite", query, Names("updatedSince"))
    more = "false" if following is None else "true"
    return (
        f'{{"code":"00","result":{{"rows":[{",".join(bodies)}],'
        f'"nextCursor":{json.dumps(_text(following))},"hasMore":{more}}}}}'
    )


def _deaths(folder: Path, query: dict[str, str]) -> str:
    return _visits(folder, query, "death_notice")


def _settlements(folder: Path, query: dict[str, str]) -> str:
    size, number = int(query.get("pageSize", "500")), int(query.get("pageNum", "1"))
    since = moment(query.get("startTime"))
    file = folder / "med_settlement.sqlite"
    standing = _standing(file, since, file.stat().st_mtime_ns)
    total, page = len(standing), standing[(number - 1) * size : number * size]
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "SELECT body FROM rows WHERE position IN (SELECT value FROM json_each(?))"
            " ORDER BY position",
            (json.dumps(page.tolist()),),
        ).fetchall()
    return f'{{"total":{total},"list":[{",".join(body for (body,) in rows)}]}}'


@lru_cache(maxsize=4)
def _standing(file: Path, since: int, _changed: int) -> array[int]:
    """Positions of the rows from a moment on, in order; kept until the file changes."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "SELECT position FROM rows WHERE moment >= ? ORDER BY position", (since,)
        )
        return array("q", (position for (position,) in rows))


def _text(position: int | None) -> str | None:
    return None if position is None else str(position)
