"""A SOAP service on loopback: reads envelopes and their logins itself, and answers with rows."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest

CONTRACTS = Path(__file__).parent / "data" / "soap"
"""A folder of contracts without any, but with `services/*.wsdl`."""
READERS, ENCODED = "urn:culture:readers", "urn:culture:encoded"
ENVELOPES = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
TYPES = {"1.1": "text/xml; charset=utf-8", "1.2": "application/soap+xml; charset=utf-8"}
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
LOGIN, SECRET = "hub", "s3cret-pass"
OPTIONS: dict[str, Any] = {
    "wsdl": "services/readers.wsdl",
    "operation": "queryRows",
    "record": "/queryRowsResponse/rows/row",
    "namespaces": {"": READERS},
    "attempts": 3,
    "timeout_s": 5,
    "max_wait_s": 0.1,
}
KEYSET = {
    "kind": "keyset",
    "cursor_param": "query.after",
    "next": "/queryRowsResponse/next",
    "has_more": "/queryRowsResponse/more",
    "size_param": "query.size",
    "size": 10,
}
NUMBERED = {
    "kind": "page_number",
    "page_param": "query.page",
    "size_param": "query.size",
    "size": 10,
    "total": "/queryRowsResponse/total",
}


@dataclass
class Call:
    """A request as it came.

    Attributes:
        headers: names in lower case.
        params: leaves of the operation's request, by local name.
    """

    path: str
    headers: Mapping[str, str]
    version: str
    params: dict[str, str]
    token: Mapping[str, str]


@dataclass
class Reply:
    """What is answered instead of rows."""

    body: bytes
    status: int = 200
    kind: str = TYPES["1.1"]
    cut: int = 0
    encoding: str = ""


class Service(ThreadingHTTPServer):
    """The service.

    Attributes:
        rows: texts by column.
        login: `text`, `digest` or `signature`: what every call must bear.
        script: statuses to answer with before the real reply, and whole replies.
        instead: what is answered to every call.
        code: what stands in the answer's own code.
        moment: column by which `since` is understood.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.rows: list[dict[str, str | None]] = []
        self.login = ""
        self.script: list[int | Reply] = []
        self.instead: Reply | None = None
        self.code, self.moment = "0", "at"
        self.calls: list[Call] = []
        self.nonces: set[str] = set()

    def refusal(self, call: Call) -> str:
        """Why a call's login is refused; empty: it is right."""
        if self.login == "signature":
            values = {
                n: call.headers.get(f"gjgxjhpt_{n}", "") for n in ("sid", "rid", "rtime", "sign")
            }
            text = f"{values['sid']}{values['rid']}{values['rtime']}".encode()
            mac = hmac.digest(SECRET.encode(), text, hashlib.sha256)
            right = values["sign"] == base64.b64encode(mac).decode() and values["sid"] == LOGIN
            return "" if right else "sign"
        if not self.login:
            return ""
        token = call.token
        if token.get("Username") != LOGIN:
            return "user"
        if self.login == "text":
            return (
                ""
                if token.get("Password") == SECRET and token["Type"].endswith("#PasswordText")
                else "text"
            )
        nonce, created = token.get("Nonce", ""), token.get("Created", "")
        moment = datetime.fromisoformat(created)
        if nonce in self.nonces or abs(moment.timestamp() - time.time()) > 300:
            return "stale"
        self.nonces.add(nonce)
        made = hashlib.sha1(base64.b64decode(nonce) + created.encode() + SECRET.encode())
        right = token.get("Password") == base64.b64encode(made.digest()).decode()
        return "" if right and token["Type"].endswith("#PasswordDigest") else "digest"

    def answer(self, call: Call) -> bytes:
        """The rows that a call asks for."""
        asked = call.params
        since, key = asked.get("since"), asked.get("key")
        found = [
            r
            for r in self.rows
            if (
                not since
                or datetime.fromisoformat(str(r[self.moment])) >= datetime.fromisoformat(since)
            )
            and (not key or r["key"] == key)
        ]
        size = int(asked.get("size") or len(found) or 1)
        start = (int(asked["page"]) - 1) * size if "page" in asked else int(asked.get("after") or 0)
        more = start + size < len(found)
        return envelope(
            f'<queryRowsResponse xmlns="{READERS}"><code>{self.code}</code><rows>'
            + "".join(map(written, found[start : start + size]))
            + f"</rows><total>{len(found)}</total>"
            + (f"<next>{start + size}</next>" if more else "")
            + f"<more>{'true' if more else 'false'}</more></queryRowsResponse>",
            call.version,
        )


def written(row: Mapping[str, str | None]) -> str:
    """A row as an element; NULL by turns as xsi:nil and by its absence."""
    cells = []
    for place, (name, value) in enumerate(row.items()):
        if value is not None:
            cells.append(f'<{name} xsi:type="xsd:string">{escape(value)}</{name}>')
        elif place % 2:
            cells.append(f'<{name} xsi:nil="true"/>')
    return f"<row>{''.join(cells)}</row>"


def envelope(body: str, version: str = "1.1", head: str = "") -> bytes:
    """A document with that Body."""
    uri = ENVELOPES[version]
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="{uri}"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        f' xmlns:xsd="http://www.w3.org/2001/XMLSchema"><s:Header>{head}</s:Header>'
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault(code: str, text: str, version: str = "1.1", inner: str = "") -> bytes:
    """A fault; `inner` is a code of WS-Security inside of it."""
    if version == "1.1":
        own = f"w:{inner}" if inner else f"s:{code}"
        said = f"<faultcode>{own}</faultcode><faultstring>{text}</faultstring><detail><x>{text}</x></detail>"
    else:
        below = f"<s:Subcode><s:Value>w:{inner}</s:Value></s:Subcode>" if inner else ""
        said = (
            f"<s:Code><s:Value>s:{code}</s:Value>{below}</s:Code>"
            f'<s:Reason><s:Text xml:lang="zh">{text}</s:Text></s:Reason>'
            f"<s:Detail><x>{text}</x></s:Detail>"
        )
    return envelope(f'<s:Fault xmlns:w="{WSSE}">{said}</s:Fault>', version)


class _Handler(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        call = self._call()
        self.server.calls.append(call)
        self._reply(self._answer(call))

    def do_GET(self) -> None:
        self.server.calls.append(Call(self.path, {}, "", {}, {}))
        self._reply(Reply(b"<html/>", kind="text/html"))

    def log_message(self, *_: object) -> None:
        return

    def _call(self) -> Call:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        tree = ET.fromstring(body)
        headers = {k.lower(): v for k, v in self.headers.items()}
        (version,) = [v for v, uri in ENVELOPES.items() if tree.tag == f"{{{uri}}}Envelope"]
        told = tree.find(f"{{{ENVELOPES[version]}}}Body")
        assert told is not None
        leaves = {e.tag.rpartition("}")[2]: e.text or "" for e in told.iter() if not len(e)}
        token: dict[str, str] = {}
        for part in tree.iterfind(f".//{{{WSSE}}}UsernameToken/*"):
            token[part.tag.rpartition("}")[2]] = part.text or ""
            token |= {k: v for k, v in part.attrib.items() if k == "Type"}
        assert headers["content-type"].startswith(TYPES[version].partition(";")[0])
        action = "queryRows" if "queryRows" in body.decode() else "countRows"
        wanted = f'"{READERS}#{action}"'
        if "axis" not in self.path:
            told_action = (
                headers.get("soapaction") or headers["content-type"].partition("action=")[2]
            )
            assert told_action == wanted
        return Call(self.path, headers, version, leaves, token)

    def _answer(self, call: Call) -> Reply:
        server, kind = self.server, TYPES[call.version]
        step = server.script.pop(0) if server.script else None
        if isinstance(step, Reply):
            return step
        if step is not None:
            return Reply(b"busy", step, "text/plain")
        if server.refusal(call):
            said = fault(
                "Sender" if call.version == "1.2" else "Client",
                SECRET,
                call.version,
                "FailedAuthentication",
            )
            return Reply(said, 500, kind)
        return server.instead or Reply(server.answer(call), kind=kind)

    def _reply(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        if reply.encoding:
            self.send_header("Content-Encoding", reply.encoding)
        if reply.status in (429, 503):
            self.send_header("Retry-After", "0")
        self.end_headers()
        with suppress(ConnectionError):  # who has read enough hangs up
            self.wfile.write(reply.body[: len(reply.body) - reply.cut])
        if reply.cut:
            self.close_connection = True
            self.connection.close()


@contextmanager
def service(contracts: Path = CONTRACTS) -> Iterator[Service]:
    """A running service, with a folder of contracts in force.

    Args:
        contracts: the folder.
    """
    server = Service()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONECARD_SCHEMAS", str(contracts))
        try:
            yield server
        finally:
            server.shutdown()
            server.server_close()


def copied(folder: Path, *names: str) -> Path:
    """A folder of contracts of one's own, with the documents of these names.

    Args:
        folder: is made.
        *names: of documents; none: all.
    """
    (folder / "services").mkdir(parents=True)
    for name in names or [f.name for f in (CONTRACTS / "services").iterdir()]:
        data = (CONTRACTS / "services" / name).read_bytes()
        (folder / "services" / name).write_bytes(data)
    return folder
