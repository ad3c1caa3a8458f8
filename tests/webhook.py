"""A webhook on loopback, as alarms are sent to: it keeps what arrives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

HOOK = "{kind: webhook, connection: alarm_hook, path: /hooks/onecard}"
"""The channel in ONECARD_ALARMS."""


class Hook(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HookHandler)
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[str | None] = []
        self.status = 200


class HookHandler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == 200:
            self.server.bodies.append(json.loads(body))
            self.server.headers.append(self.headers["Authorization"])
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def listening() -> Iterator[Hook]:
    """A webhook that answers while the block runs."""
    with Hook() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def to_hook(hook: Hook) -> dict[str, str]:
    where = {"conn_type": "http", "host": "127.0.0.1", "port": hook.server_port}
    return {"AIRFLOW_CONN_ALARM_HOOK": json.dumps(where | {"password": "token-1"})}
