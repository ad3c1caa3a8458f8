"""`python -m demo.serve --home DIR`: all HTTP APIs and the SFTP server in one process.

Prints one line of JSON with the ports when ready, and ends when its standard input closes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import asyncssh

from demo.http_api import Api

APIS = ("hrss_api", "health_api", "medical_insurance_api", "bank_api", "operator_api")


class _Login(asyncssh.SSHServer):
    """Password login of one user."""

    login: dict[str, str] = {}  # noqa: RUF012 - set once per process

    def begin_auth(self, username: str) -> bool:
        """Ask everybody for a password."""
        return bool(username) or True

    def password_auth_supported(self) -> bool:
        """Passwords only."""
        return True

    def validate_password(self, username: str, password: str) -> bool:
        """Whether it is the one user."""
        return [username, password] == list(self.login.values())


async def start_sftp(home: Path, login: dict[str, str]) -> tuple[Any, str]:
    """Start the SFTP server; returns it and its public host key."""
    key_file = home / "sftp_host_key"
    if not key_file.exists():
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(key_file))
        key_file.chmod(0o600)
    root = home / "sftp"
    root.mkdir(exist_ok=True)
    _Login.login = login
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=_Login,
        server_host_keys=[str(key_file)],
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=os.fsencode(root)),
    )
    public = asyncssh.read_private_key(str(key_file)).export_public_key().decode().strip()
    return server, public


async def serve(home: Path) -> None:
    """Serve until standard input closes."""
    logins = json.loads((home / "secrets.json").read_text())
    servers = {name: Api(name, home, logins[name]) for name in APIS}
    for api in servers.values():
        threading.Thread(target=api.serve_forever, daemon=True).start()
    sftp, host_key = await start_sftp(home, logins["education_sftp"])
    ready = {
        "http": {name: api.server_address[1] for name, api in servers.items()},
        "sftp": sftp.get_port(),
        "sftp_host_key": host_key,
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    asyncio.run(serve(parser.parse_args().home))


if __name__ == "__main__":
    main()
