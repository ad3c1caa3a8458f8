"""Leases, `ledger.lease`: which process does which work, for how long, by the database's clock.

A lease has a fence, a number that grows whenever its holder changes. Whoever works under one asks
by `check` in the very transaction that claims, publishes or confirms whether it is still theirs: a
process that slept, or was cut off, finds that its fence has fallen, and changes nothing. `check`
holds the line until that transaction ends; `take`, `renew` and `give_back` pass over lines that are
held, and never wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from onecard.base import timeouts
from onecard.errors import SupersededError
from onecard.store.database import Connection, fetch_all, fetch_one, scalar, scalars

PROCESS = "process "
"""Names of processes' own leases begin with it."""
ENDING_MS = 2000
"""So long a session that is ended is waited for."""
Guard: TypeAlias = Callable[[Connection], None]
"""Asked in a transaction right before something is claimed, published, leaves or is confirmed."""


def unguarded(_connection: Connection) -> None:
    """The guard of work that needs no lease: it may always go on."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do some work, as it was taken.

    Attributes:
        name: of the work: `collect hrss/card_status_event`.
        holder: of the process that has it.
        fence: as long as the line has this number, nobody else has taken the work.
    """

    name: str
    holder: str
    fence: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A lease as it stands.

    Attributes:
        held: whether its time is not over.
        silent_s: seconds since its holder was last heard of.
    """

    name: str
    holder: str
    fence: int
    held: bool
    silent_s: float


def take(connection: Connection, name: str, holder: str, span: float) -> Lease | None:
    """Take a lease that nobody has, whose time is over, or that is the holder's already.

    Args:
        connection: of the hub's database, outside a transaction.
        name: of the work.
        holder: of this process.
        span: seconds for which it is taken.

    Returns:
        None: another has it, or publishes under it at this moment.
    """
    made = fetch_one(
        connection,
        Lease,
        "INSERT INTO ledger.lease (name, holder, until, renewed_at)"
        " VALUES (%s, %s, clock_timestamp() + make_interval(secs => %s), clock_timestamp())"
        " ON CONFLICT (name) DO NOTHING RETURNING name, holder, fence",
        (name, holder, span),
    )
    return made or fetch_one(
        connection,
        Lease,
        "WITH free AS ("
        " SELECT name FROM ledger.lease"
        " WHERE name = %(name)s AND (holder = %(holder)s OR until <= clock_timestamp())"
        " FOR NO KEY UPDATE SKIP LOCKED)"
        " UPDATE ledger.lease l SET holder = %(holder)s,"
        " fence = l.fence + CASE"
        " WHEN l.holder = %(holder)s AND l.until > clock_timestamp() THEN 0 ELSE 1 END,"
        " taken_at = CASE WHEN l.holder = %(holder)s AND l.until > clock_timestamp()"
        " THEN l.taken_at ELSE clock_timestamp() END,"
        " until = clock_timestamp() + make_interval(secs => %(span)s),"
        " renewed_at = clock_timestamp()"
        " FROM free WHERE l.name = free.name RETURNING l.name, l.holder, l.fence",
        {"name": name, "holder": holder, "span": span},
    )


def renew(connection: Connection, held: Iterable[Lease], span: float) -> tuple[Lease, ...]:
    """Prolong leases; one whose time is over is prolonged too, as long as nobody has taken it.

    Args:
        connection: of the hub's database, outside a transaction.
        held: as they were taken.
        span: seconds from now on.

    Returns:
        Those that are still the holder's; the others have fallen.
    """
    asked = {lease.name: lease for lease in held}
    names = list(asked)
    values = (names, [asked[n].holder for n in names], [asked[n].fence for n in names])
    connection.execute(
        "WITH mine AS ("
        " SELECT l.name FROM ledger.lease l"
        " JOIN unnest(%s::text[], %s::text[], %s::bigint[]) a (name, holder, fence)"
        " USING (name, holder, fence) FOR NO KEY UPDATE OF l SKIP LOCKED)"
        " UPDATE ledger.lease l SET renewed_at = clock_timestamp(),"
        " until = clock_timestamp() + make_interval(secs => %s)"
        " FROM mine WHERE l.name = mine.name",
        (*values, span),
    )
    kept = scalars(
        connection,
        str,
        "SELECT name FROM ledger.lease"
        " JOIN unnest(%s::text[], %s::text[], %s::bigint[]) a (name, holder, fence)"
        " USING (name, holder, fence)",
        values,
    )
    return tuple(asked[name] for name in kept)


def give_back(connection: Connection, lease: Lease) -> None:
    """Let others take the work at once; where something is published under it now, after its time.

    Args:
        connection: of the hub's database, outside a transaction.
        lease: as it was taken; one that has fallen stays another's.
    """
    connection.execute(
        "WITH mine AS ("
        " SELECT name FROM ledger.lease WHERE name = %s AND holder = %s AND fence = %s"
        " FOR NO KEY UPDATE SKIP LOCKED)"
        " UPDATE ledger.lease l SET until = clock_timestamp() FROM mine WHERE l.name = mine.name",
        (lease.name, lease.holder, lease.fence),
    )


def check(connection: Connection, lease: Lease) -> None:
    """Refuse to go on under a lease that another has taken; nobody takes it until the end.

    From here on the transaction does not stay idle for long: whoever opened it and was stopped or
    cut off loses it, and with it the line of the lease.

    Args:
        connection: in the transaction that claims, publishes or confirms.
        lease: as it was taken.

    Raises:
        SupersededError: its fence has fallen.
    """
    found = scalar(
        connection,
        int,
        "SELECT fence, set_config('idle_in_transaction_session_timeout', %s, true)"
        " FROM ledger.lease WHERE name = %s AND holder = %s FOR SHARE",
        (f"{timeouts.idle_under_lease()}s", lease.name, lease.holder),
    )
    if found != lease.fence:
        msg = f"{lease.name}: another process has taken this work over; nothing goes on here"
        raise SupersededError(msg)


def standing(connection: Connection) -> list[Standing]:
    """All leases by name, and how long nothing was heard of their holders."""
    return fetch_all(
        connection,
        Standing,
        "SELECT name, holder, fence, until > clock_timestamp() AS held,"
        " extract(epoch FROM clock_timestamp() - renewed_at)::float8 AS silent_s"
        " FROM ledger.lease ORDER BY name",
    )


@dataclass(frozen=True, slots=True)
class Processes:
    """What is known of the processes of the live lane.

    Attributes:
        known: how many have a line: those of the last day, and the last that were there.
        heard: of how many something was heard within the time that was asked for.
        silent_s: seconds since anything was heard of any; None where none was ever there.
    """

    known: int
    heard: int
    silent_s: float | None


def processes(connection: Connection, within_s: float) -> Processes:
    """Whether processes of the live lane are there, by the database's clock.

    Args:
        connection: of the hub's database.
        within_s: seconds since one was last heard of, for it to count as there.
    """
    found = fetch_one(
        connection,
        Processes,
        "SELECT count(*) AS known, count(*) FILTER (WHERE s <= %s) AS heard,"
        " CAST(min(s) AS float8) AS silent_s"
        " FROM (SELECT extract(epoch FROM clock_timestamp() - renewed_at) AS s"
        " FROM ledger.lease WHERE starts_with(name, %s)) p",
        (within_s, PROCESS),
    )
    return found or Processes(0, 0, None)


def forget(connection: Connection, prefix: str, older_s: float) -> None:
    """Drop the lines of processes that are gone.

    Args:
        connection: of the hub's database.
        prefix: with which the names of processes' own leases begin.
        older_s: seconds since they were last heard of.
    """
    connection.execute(
        "DELETE FROM ledger.lease WHERE starts_with(name, %s)"
        " AND renewed_at < clock_timestamp() - make_interval(secs => %s)",
        (prefix, older_s),
    )


def end_sessions(connection: Connection, holder: str) -> int:
    """End the sessions of a holder that nothing is heard of, and with them its locks.

    Its transaction is rolled back. Where the holder only slept, its transfer fails as if the
    database had gone away, and nothing else happens.

    Args:
        connection: of the hub's database.
        holder: of a lease; its sessions bear it as their `application_name`.

    Returns:
        How many there were.
    """
    ended = scalars(
        connection,
        bool,
        "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity"
        " WHERE application_name = %s AND usename = current_user AND pid <> pg_backend_pid()",
        (ENDING_MS, holder),
    )
    return len(ended)
