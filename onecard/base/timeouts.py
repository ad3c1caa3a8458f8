"""How long the hub waits for a database that says nothing, and sessions that wait no longer.

`ONECARD_PATIENCE` (seconds, default 600) bounds three things:

- a lock, an advisory one too, is waited for at most so long; then PostgreSQL says so;
- a database or a source that says nothing for twice as long is taken for lost (twice, so that the
  database's own word on a lock comes first): a server that hangs while its machine goes on
  acknowledging packets;
- a transaction that does nothing for six times as long is ended by the server, with its locks: who
  opened it sleeps, or was cut off from the network.

A machine that is gone is noticed by TCP itself within about a minute, by both sides.

`ONECARD_CONNECT_TIMEOUT` (seconds, default 5) bounds how long any system may take to accept a
connection: the hub's database, agencies' databases, APIs and SFTP servers. One system may have a
bound of its own: `connect_timeout` in the extra of its connection.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from threading import Thread
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg
from psycopg import errors
from psycopg.abc import RV, PQGen

from onecard.errors import ConfigError, SourceUnavailable

VARIABLE = "ONECARD_PATIENCE"
DEFAULT_S = 600
CONNECT = "ONECARD_CONNECT_TIMEOUT"
CONNECT_S = 5
IDLE = 6
UNDER_LEASE_S = 300
"""A guarded transaction may be idle for so long: what the hub computes within one, a large record
of what a consumer holds, takes less."""
PLANS = ("-cjit=off", "-crandom_page_cost=1.1")
"""How PostgreSQL plans: compiling a statement costs half a second and spares little; a place of a
table is fetched from memory or from a disk without arms, so a night's rows are looked up in a
registry of millions instead of reading all of it."""
T = TypeVar("T")
NETWORK = {
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""Seconds and milliseconds (libpq): a machine that is gone is noticed within about a minute."""


def seconds() -> int:
    """The bound in force.

    Raises:
        ConfigError: ONECARD_PATIENCE is no number of seconds.
    """
    return _whole(os.environ.get(VARIABLE) or str(DEFAULT_S), VARIABLE)


def idle_under_lease() -> int:
    """Seconds for which a transaction that holds a lease's line may do nothing.

    Raises:
        ConfigError: as `seconds`.
    """
    return min(UNDER_LEASE_S, IDLE * seconds())


def connect_seconds(extra: Mapping[str, Any] | None = None) -> int:
    """How long a system may take to accept a connection.

    Args:
        extra: of its connection, which may say `connect_timeout`.

    Raises:
        ConfigError: it, or ONECARD_CONNECT_TIMEOUT, is no number of seconds.
    """
    own = (extra or {}).get("connect_timeout")
    if own is not None:
        return _whole(str(own), "extra.connect_timeout")
    return _whole(os.environ.get(CONNECT) or str(CONNECT_S), CONNECT)


def network(extra: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Libpq's parameters of a connection that notices in time that nobody is there.

    Args:
        extra: of an agency's connection, which may say `connect_timeout`.
    """
    return {"connect_timeout": str(connect_seconds(extra)), **NETWORK}


def _whole(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        msg = f"{where}: write whole seconds, at least 1"
        raise ConfigError(msg)
    return int(text)


def bounded(address: str) -> str:
    """A libpq URL of the hub's database, with bounds and `PLANS` where it names none of its own.

    The server also looks every ten seconds whether a statement's client is still there, so that
    the statement of a killed process goes on for no longer, with its locks; and by TCP whether its
    machine is, so that a session that waits loses its locks within a minute too.
    """
    wait = seconds()
    options = {
        "lock_timeout": wait,
        "idle_in_transaction_session_timeout": IDLE * wait,
        "client_connection_check_interval": 10,
        "tcp_keepalives_idle": 30,
        "tcp_keepalives_interval": 10,
    }
    # A tab, for SQLAlchemy writes a blank as a plus, which libpq takes for a plus.
    texts = [f"-c{name}={value}s" for name, value in options.items()]
    session = "\t".join([*texts, "-ctcp_keepalives_count=3", *PLANS])
    own = dict(parse_qsl(urlsplit(address).query))
    more = {k: v for k, v in {**network(), "options": session}.items() if k not in own}
    glue = "&" if "?" in address else "?"
    return address + glue + urlencode(more, quote_via=quote) if more else address


def named(address: str, name: str) -> str:
    """The same address, whose sessions bear a name (`application_name`).

    Args:
        address: a libpq URL.
        name: at most 63 bytes of ASCII.
    """
    place, _, query = address.partition("?")
    own = [p for p in parse_qsl(query, keep_blank_values=True) if p[0] != "application_name"]
    return f"{place}?{urlencode([*own, ('application_name', name)], quote_via=quote)}"


class BoundedConnection(psycopg.Connection[tuple[object, ...]]):
    """A session that gives up on a server that is silent for too long."""

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """As psycopg's own; one statement's answer, or one block of a COPY, is waited for.

        Args:
            gen: psycopg's generator, which says what to wait for.
            interval: seconds between two looks for an interrupt.
            timeout: seconds; None: twice the limit of the hub's settings.

        Raises:
            psycopg.OperationalError: nothing came; the session is closed.
        """
        try:
            return super().wait(gen, interval, 2 * seconds() if timeout is None else timeout)
        except errors._WaitTimeout:  # noqa: SLF001 - psycopg has no public name for it
            if timeout is not None:
                raise
            self.pgconn.finish()
            msg = "timeout: the server says nothing"
            raise psycopg.OperationalError(msg) from None


def within(call: Callable[[], T], limit: float, what: str) -> T:
    """What `call` returns; it runs in a thread of its own, which is left behind when it hangs.

    For drivers that wait in C and know no limit.

    Args:
        call: takes no argument.
        limit: seconds to wait for it.
        what: names the system, for the message.

    Raises:
        SourceUnavailable: `what` has said nothing for `limit` seconds.
    """
    ended: list[Any] = []

    def run() -> None:
        try:
            ended.append((call(), None))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            ended.append((None, error))

    thread = Thread(target=run, name="within", daemon=True)
    thread.start()
    thread.join(limit)
    if not ended:
        raise silent(what, limit)
    found, error = ended[0]
    if error is not None:
        raise error
    return cast("T", found)


def silent(what: str, limit: float) -> SourceUnavailable:
    """The error of a system that says nothing."""
    return SourceUnavailable(f"{what} has said nothing for {limit:g} s ({VARIABLE})")
