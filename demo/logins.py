"""How the hub gets into the agencies' systems: their passwords, and the connections it is given."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from demo.servers import APIS, SECRETS, SFTP, Addresses

WAKE = "hrss_wake"
"""What the bureau of human resources signs its wake-ups of the live lane with."""


@dataclass(frozen=True, slots=True)
class Logins:
    """The city's passwords, made once and kept in its folder.

    Attributes:
        home: the city's folder.
        known: `{"login": …, "password": …}` of each API, of the SFTP server and for
            wake-ups, by connection id.
    """

    home: Path
    known: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, home: Path) -> Logins:
        """Those of a city's folder; made where it has none yet."""
        file = home / SECRETS
        if not file.exists():
            made = {
                name: {"login": f"hub-{name}", "password": secrets.token_urlsafe(24)}
                for name in (*APIS, SFTP, WAKE)
            }
            file.touch(mode=0o600)
            file.write_text(json.dumps(made))
        return cls(home, json.loads(file.read_text()))

    def environment(self, addresses: Addresses, postgres: str, housing: str) -> dict[str, str]:
        """`AIRFLOW_CONN_<ID>` of every system, as JSON.

        Args:
            addresses: where the city's servers listen.
            postgres: database of the bureau of human resources and of the big data bureau.
            housing: database of the housing fund.
        """
        connections: dict[str, dict[str, Any]] = {
            "hrss_db": _database(postgres),
            "bureau_db": _database(postgres),
            "housing_fund_db": _database(housing),
            "transport_files": {"conn_type": "fs", "extra": {"path": str(self.home / "transport")}},
            SFTP: {
                "conn_type": "sftp",
                "host": "127.0.0.1",
                "port": addresses.sftp,
                **self.known[SFTP],
                "extra": {"host_key": addresses.sftp_host_key},
            },
        }
        for name, port in addresses.http.items():
            http = {"conn_type": "http", "host": "127.0.0.1", "port": port}
            connections[name] = {**http, **self.known[name]}
        if WAKE in self.known:  # not in the folder of an older city
            connections[WAKE] = {"conn_type": "http", **self.known[WAKE]}
        return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(c) for name, c in connections.items()}


def _database(url: str) -> dict[str, Any]:
    parts = make_url(url)
    kind = {"sqlite": "sqlite", "mysql": "mysql"}.get(parts.get_backend_name(), "postgres")
    if kind == "sqlite":
        return {"conn_type": kind, "host": parts.database}
    return {
        "conn_type": kind,
        "host": parts.host,
        "port": parts.port,
        "login": parts.username,
        "password": parts.password,
        "schema": parts.database,
        "extra": dict(parts.query),
    }
