"""Where a system is and how to log in: Airflow connections, readable without Airflow.

A connection `hrss_db` is read from the environment variable `AIRFLOW_CONN_HRSS_DB`, in either of
Airflow's forms (a URI, or JSON). Inside Airflow, `dags/` passes a resolver over Airflow's own
store instead. A password never stands in YAML, and a connection never prints it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from onecard.base import uris
from onecard.errors import ConfigError

PREFIX = "AIRFLOW_CONN_"


class Connection(BaseModel):
    """One system's address and login, in Airflow's own terms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    conn_type: str
    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: SecretStr | None = Field(default=None, repr=False)
    schema_: str | None = Field(default=None, alias="schema")
    extra: Mapping[str, Any] = Field(default_factory=dict, repr=False)

    @property
    def secret(self) -> str | None:
        """The password in clear, for the driver only."""
        return self.password.get_secret_value() if self.password else None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that a login depends on: an open line is used again under it only."""
        told = self.model_dump(mode="json", exclude={"id"}) | {"password": self.secret}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    @property
    def address(self) -> str:
        """Where it is, without login: for messages."""
        port = f":{self.port}" if self.port else ""
        path = f"/{self.schema_}" if self.schema_ else ""
        return f"{self.conn_type}://{self.host or ''}{port}{path}"


class Connections(Protocol):
    """Finds a connection by its id."""

    def get(self, connection_id: str) -> Connection:
        """Return the connection, or raise ConfigError naming where it was looked for."""
        ...


class EnvironmentConnections:
    """Connections from `AIRFLOW_CONN_<ID>`."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._parsed: dict[str, tuple[str, Connection]] = {}

    def get(self, connection_id: str) -> Connection:
        """Return the connection of that id.

        Raises:
            ConfigError: the variable is not set or cannot be parsed.
        """
        variable = variable_of(connection_id)
        text = self._environment.get(variable)
        if not text:
            known = sorted(k[len(PREFIX) :].lower() for k in self._environment if k[:13] == PREFIX)
            msg = (
                f"unknown connection {connection_id!r}: set {variable} "
                f"(known: {', '.join(known) or 'none'})"
            )
            raise ConfigError(msg)
        known_text, found = self._parsed.get(connection_id, ("", None))
        if found is None or known_text != text:  # the lane asks many times a second
            found = parse(connection_id, text)
            self._parsed[connection_id] = (text, found)
        return found


def variable_of(connection_id: str) -> str:
    """The environment variable that Airflow reads for a connection."""
    return PREFIX + connection_id.upper()


def check_environment(connection_id: str, environment: Mapping[str, str] | None = None) -> None:
    """Refuse a connection of the environment that can be read in two ways.

    Airflow reads it by itself, and what it hands on shows no more that a piece of the password was
    taken for the host.

    Args:
        connection_id: as a contract or an agreement names it.
        environment: variables; None: those of this process.

    Raises:
        ConfigError: it can; nothing of it is shown.
    """
    variable = variable_of(connection_id)
    text = (os.environ if environment is None else environment).get(variable, "").strip()
    if text and not text.startswith("{"):
        uris.check(text, variable)


def parse(connection_id: str, text: str) -> Connection:
    """Read one connection from Airflow's JSON or URI form.

    Raises:
        ConfigError: neither form, or an address that can be read in two ways; the text itself is
            not shown, it may hold a password.
    """
    variable, text = variable_of(connection_id), text.strip()
    if not text.startswith("{"):
        uris.check(text, variable)
    try:
        fields = json.loads(text) if text.startswith("{") else _from_uri(text)
        if isinstance(fields.get("extra"), str):
            fields["extra"] = json.loads(fields["extra"] or "{}")
        fields = {key: value for key, value in fields.items() if value is not None}
        uris.check_host(str(fields.get("host", "")), variable)
        return Connection.model_validate({"id": connection_id, **fields})
    except ValidationError as error:
        where = ", ".join(".".join(map(str, e["loc"])) for e in error.errors())
    except (ValueError, TypeError, AttributeError):
        where = "not JSON and not a URI"
    msg = f"connection {connection_id!r} cannot be read ({where}); see {variable}"
    raise ConfigError(msg)


def _from_uri(text: str) -> dict[str, Any]:
    parts = urlsplit(text)
    if not parts.scheme:
        raise ValueError
    query = dict(parse_qsl(parts.query))
    extra = json.loads(query.pop("__extra__", "{}"))
    return {
        "conn_type": parts.scheme.replace("-", "_"),
        "host": unquote(parts.hostname or "") or None,
        "port": parts.port,
        "login": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "schema": unquote(parts.path.lstrip("/")) or None,
        "extra": {**extra, **query},
    }
