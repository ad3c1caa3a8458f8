"""The agencies' HTTP APIs and their SFTP server, on threads of this process."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import asyncssh

from demo.http_api import Api

APIS = ("hrss_api", "health_api", "medical_insurance_api", "bank_api", "operator_api")
SFTP = "education_sftp"
SECRETS = "secrets.json"
POLL_SECONDS = 0.05
"""How long an HTTP server takes at most to see that it shall end."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the agencies' servers listen, all on 127.0.0.1.

    Attributes:
        http: port of each API, by connection id.
        sftp: port of the SFTP server.
        sftp_host_key: its public key, as OpenSSH writes one.
    """

    http: Mapping[str, int]
    sftp: int
    sftp_host_key: str


class AgencyServers:
    """All servers of a city; a context manager that listens on free ports until its end.

    The ports stay the same while the servers go from one city's folder to another's, so that one
    object can serve many cities, one after the other:

        with AgencyServers() as servers:
            with start(first, persons=300, seed=1, servers=servers): ...
            with start(second, persons=300, seed=2, servers=servers): ...

    `start` calls `DemoCity.serving`, which calls `serving`. A city that begins within another's
    has the servers until it ends, then the outer one has them back.
    """

    def __init__(self) -> None:
        self._apis = {name: Api(name, Path(), {}) for name in APIS}
        self._sftp = _Sftp()
        self._home: Path | None = None

    @property
    def addresses(self) -> Addresses:
        """Where the servers listen."""
        http = {name: int(api.server_address[1]) for name, api in self._apis.items()}
        return Addresses(http, self._sftp.port, self._sftp.host_key)

    @contextlib.contextmanager
    def serving(self, home: Path) -> Iterator[Addresses]:
        """Serve a city's folder; afterwards the one that was served before, if any."""
        before = self._home
        self.move(home)
        try:
            yield self.addresses
        finally:
            self._home = None
            if before is not None:
                self.move(before)

    def move(self, home: Path) -> None:
        """Serve this city's folder from now on: with its logins, as if freshly started."""
        logins = json.loads((home / SECRETS).read_text())
        for name, api in self._apis.items():
            api.move(home, logins[name])
        root = home / "sftp"
        root.mkdir(exist_ok=True)
        self._sftp.move(root, logins[SFTP])
        self._home = home

    def __enter__(self) -> AgencyServers:
        for api in self._apis.values():
            threading.Thread(target=api.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
        self._sftp.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for api in self._apis.values():
            api.shutdown()
            api.server_close()
        self._sftp.stop()


@dataclass
class _Sftp:
    """An SFTP server of one user, on a thread with a loop of its own; its folder can be changed."""

    host_key: str = ""
    port: int = 0
    _root: Path = field(default_factory=Path)
    _login: Mapping[str, str] = field(default_factory=dict)
    _clients: set[asyncssh.SSHServerConnection] = field(default_factory=set)

    def start(self) -> None:
        """Listen, with a host key made now."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        key = asyncssh.generate_private_key("ssh-ed25519")
        self.host_key = key.export_public_key().decode().strip()
        self._server = self._run(self._listen(key))
        self.port = self._server.get_port()

    def move(self, root: Path, login: Mapping[str, str]) -> None:
        """Serve this folder to this user; who is connected is cut off."""
        self._root, self._login = root, login
        self._run(self._cut_off())

    def stop(self) -> None:
        """Stop listening, cut off who is connected, end the thread."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Any) -> Any:  # noqa: ANN401 - a coroutine and what it returns
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self, key: asyncssh.SSHKey) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: _Login(self._login, self._clients),
            server_host_keys=[key],
            sftp_factory=lambda channel: asyncssh.SFTPServer(
                channel, chroot=os.fsencode(self._root)
            ),
        )

    async def _cut_off(self) -> None:
        for client in list(self._clients):
            client.abort()
            await client.wait_closed()

    async def _close(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        await self._cut_off()


class _Login(asyncssh.SSHServer):
    """Password login of one user."""

    def __init__(
        self, login: Mapping[str, str], clients: set[asyncssh.SSHServerConnection]
    ) -> None:
        self._login, self._clients = login, clients

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Note who is connected."""
        self._connection = conn
        self._clients.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncssh's face
        """Forget who is gone."""
        self._clients.discard(self._connection)

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - asyncssh's face
        """Ask everybody for a password."""
        return True

    def password_auth_supported(self) -> bool:
        """Passwords only."""
        return True

    def validate_password(self, username: str, password: str) -> bool:
        """Whether it is the one user."""
        known = self._login["login"] == username
        return hmac.compare_digest(password.encode(), self._login["password"].encode()) and known
