"""What `onecard doctor` looks at: each check gives lines, each line says what to do.

Connections are tried by a function that the command line passes in: the core knows no connector.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from onecard import native
from onecard.base.times import shown
from onecard.crypto import keys
from onecard.errors import OnecardError
from onecard.operations import doctor_callers
from onecard.operations.attention import EXPIRY_NEAR
from onecard.operations.check_line import CheckLevel, CheckLine
from onecard.ports.desk import Desk
from onecard.store import agreement_lives, attention, database, migrate, server_log
from onecard.store.database import Connection

EPOCH_NEAR = timedelta(days=30)
"""So long before the end of an epoch's window the doctor speaks of it."""
SKEW_WARN, SKEW_FAIL = 2.0, 60.0
"""Seconds between the hub's clock and the database's."""
DISK_WARN, DISK_FAIL = 0.15, 0.05
"""Free share of a disk."""
AIRFLOW_PREFIX = "AIRFLOW__"


@dataclass(frozen=True, slots=True)
class Probe:
    """One connection that contracts or agreements name, and how to try it."""

    connection: str
    used_by: str
    attempt: Callable[[], str]


def examine(
    desk: Desk, probes: Iterable[Probe], environment: Mapping[str, str] | None = None
) -> list[CheckLine]:
    """All checks; a check that breaks is a failing line and the others go on.

    Args:
        desk: the hub.
        probes: connections to be tried.
        environment: default: that of the process.
    """
    env = os.environ if environment is None else environment
    started = time.time() - time.monotonic()
    found = [*_store(desk), *_keys(desk), *_disk(desk.settings.home, "home")]
    found += [_tried(probe) for probe in probes]
    found += [_files(desk), _library(), *_airflow(env), *_steady(desk, started)]
    return found


def _store(desk: Desk) -> Iterator[CheckLine]:
    """Database, migrations, and what only an up-to-date database can tell."""
    try:
        address = database.url(desk.settings)
        with database.connect(address, autocommit=True) as connection:
            yield CheckLine("database", "ok", "reached")
            yield _clock(connection)
            yield from _database_disk(connection)
            yield _server_log(connection)
            revision = migrate.current(address)
            if revision != migrate.HEAD:
                says = f"at revision {revision or 'none'}, this version needs {migrate.HEAD}"
                yield CheckLine("migrations", "fail", says, "run `onecard db upgrade`")
                return
            yield CheckLine("migrations", "ok", f"at revision {revision}")
            yield _quarantine(connection, desk.settings.now())
            yield from _stops(connection, desk)
            yield from doctor_callers.check(connection, desk)
    except OnecardError as error:
        todo = "check ONECARD_DATABASE_URL, the server and its log"
        yield CheckLine("database", "fail", str(error), todo)


def _clock(connection: Connection) -> CheckLine:
    before = time.time()
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    middle = (before + time.time()) / 2
    theirs = row[0] if row else None
    skew = theirs.timestamp() - middle if isinstance(theirs, datetime) else 0.0
    level: CheckLevel = (
        "fail" if abs(skew) > SKEW_FAIL else "warn" if abs(skew) > SKEW_WARN else "ok"
    )
    todo = "" if level == "ok" else "synchronise both machines' clocks (chrony or NTP)"
    return CheckLine("clock", level, f"the database's clock is {skew:+.1f} s from this one", todo)


def _server_log(connection: Connection) -> CheckLine:
    if not server_log.quotes_rows(connection):
        return CheckLine("server log", "ok", "quotes no row")
    says = "PostgreSQL's own log quotes the key of a row that it refuses"
    todo = f"as a superuser: {server_log.remedy(connection)}"
    return CheckLine("server log", "warn", says, todo)


def _steady(desk: Desk, started: float) -> Iterator[CheckLine]:
    """Whether the clock was set while the doctor looked, or is held by a setting."""
    moved = time.time() - time.monotonic() - started
    if abs(moved) > 1.0:
        todo = "find what sets the clock in steps; let it slew"
        yield CheckLine("clock", "warn", f"this machine's clock was set by {moved:+.1f} s", todo)
    if desk.settings.fixed_now is not None:
        says = f"ONECARD_NOW holds the hub's clock at {desk.settings.now():%Y-%m-%d %H:%M}"
        yield CheckLine("clock", "warn", says, "unset ONECARD_NOW: it is for rehearsals only")


def _quarantine(connection: Connection, now: datetime) -> CheckLine:
    found = attention.expiring(connection, now + EXPIRY_NEAR)
    if not found:
        return CheckLine("quarantine", "ok", f"nothing expires within {EXPIRY_NEAR.days} days")
    number, first = sum(f.rows for f in found), min(f.first for f in found)
    says = f"{number} row(s) expire within {EXPIRY_NEAR.days} days, the first " + shown(
        first, "%Y-%m-%d"
    )
    todo = "have them corrected: `onecard quarantine list`, `hand-back` or `replay`"
    return CheckLine("quarantine", "warn", says, todo)


def _stops(connection: Connection, desk: Desk) -> Iterator[CheckLine]:
    consumers = sorted({a.consumer for a in desk.catalogue.agreements.values() if a.served})
    stopped = [c for c in consumers if agreement_lives.stopped(connection, c) is not None]
    for consumer in stopped:
        todo = f"when it may go on: `onecard agreements start {consumer}` (or `start all`)"
        yield CheckLine("stops", "warn", f"deliveries to {consumer} are stopped", todo)
    if not stopped:
        yield CheckLine("stops", "ok", "no consumer is stopped")


def _keys(desk: Desk) -> Iterator[CheckLine]:
    """Present for every purpose, private, and none near its end."""
    try:
        known = desk.keys.listed()
    except OnecardError as error:
        todo = "`onecard keys init` makes a file; an existing one needs mode 0600"
        yield CheckLine("keys", "fail", str(error), todo)
        return
    served = (a for a in desk.catalogue.agreements.values() if a.served and not a.statistics)
    wanted = {keys.QUARANTINE, keys.SIGNING} | {keys.token_purpose(a.consumer) for a in served}
    missing = sorted(wanted - {k.purpose for k in known if k.current})
    for purpose in missing:
        agency = purpose.removeprefix("token/")
        made = f"`onecard keys add {agency} --epoch E`, or " if agency != purpose else ""
        todo = f"{made}restore the key file from its backup"
        yield CheckLine("keys", "fail", f"no key {purpose}", todo)
    yield from _sealing_keys(desk)
    today = desk.settings.now().date()
    for key in known:
        if not key.current and key.until and today <= key.until <= today + EPOCH_NEAR:
            says = f"{key.purpose}: epoch {key.epoch} ends on {key.until}"
            todo = "have the consumer change over to the current epoch before that day"
            yield CheckLine("keys", "warn", says, todo)
    if not missing:
        yield CheckLine("keys", "ok", f"{len(wanted)} purposes have a current key")


def _sealing_keys(desk: Desk) -> Iterator[CheckLine]:
    """Whoever gets sealed deliveries has given a key of the hub's suite."""
    suite = desk.settings.suite
    for consumer in sorted({a.consumer for a in desk.catalogue.agreements.values() if a.sealed}):
        found = desk.keys.receiver(consumer)
        if found is not None and found.suite == suite:
            continue
        of = f" of suite {suite}, but one of {found.suite}" if found else ""
        todo = "have the consumer make a pair, and `onecard keys accept` its public key"
        says = f"no key {keys.sealing_purpose(consumer)}{of}: its deliveries stay"
        yield CheckLine("keys", "fail", says, todo)


def _disk(folder: Path, what: str) -> Iterator[CheckLine]:
    place = next((p for p in (folder, *folder.parents) if p.is_dir()), None)
    if place is None:
        return
    usage = shutil.disk_usage(place)
    share = usage.free / usage.total if usage.total else 0.0
    level: CheckLevel = "fail" if share < DISK_FAIL else "warn" if share < DISK_WARN else "ok"
    todo = "" if level == "ok" else f"make room or enlarge the disk of the {what} directory"
    yield CheckLine(
        "disk", level, f"{what}: {usage.free / 1024**3:,.1f} GiB free ({share:.0%})", todo
    )


def _database_disk(connection: Connection) -> Iterator[CheckLine]:
    """The database's directory, where it is on this machine and the login may know it."""
    row = connection.execute(
        "SELECT CASE WHEN pg_has_role('pg_read_all_settings', 'MEMBER')"
        " THEN current_setting('data_directory') END"
    ).fetchone()
    try:
        if row and row[0] and Path(str(row[0])).is_dir():
            yield from _disk(Path(str(row[0])), "database")
            return
    except OSError:
        pass
    says = "database: on another machine, or hidden from this login"
    yield CheckLine("disk", "ok", says)


def _tried(probe: Probe) -> CheckLine:
    name = f"connection {probe.connection}"
    try:
        return CheckLine(name, "ok", probe.attempt())
    except OnecardError as error:
        says = f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 - a driver's text could quote what it should not
        says = f"fails with {type(error).__name__}"
    todo = (
        f"check AIRFLOW_CONN_{probe.connection.upper()}, the system and the way to it; "
        f"used by {probe.used_by}"
    )
    return CheckLine(name, "fail", says, todo)


def _files(desk: Desk) -> CheckLine:
    broken = desk.catalogue.problems
    if not broken:
        return CheckLine("YAML", "ok", "contracts and agreements can be read")
    names = ", ".join(sorted({p.file.name for p in broken}))
    return CheckLine(
        "YAML", "fail", f"cannot be read: {names}", "`onecard lint` says line and rule"
    )


def _library() -> CheckLine:
    """Whether rows take the compiled paths: the plain ones give the same, and take longer."""
    why = native.absence()
    if not why:
        return CheckLine("library", "ok", "rows take the compiled paths")
    todo = "`make setup` builds it where `cc` or the package ziglang is; all works without"
    return CheckLine("library", "warn", f"rows take the plain, slower paths: {why}", todo)


def _airflow(env: Mapping[str, str]) -> Iterator[CheckLine]:
    """Airflow's own settings, where this process runs in its environment."""
    if not any(name.startswith(AIRFLOW_PREFIX) for name in env):
        return
    before = "airflow"
    zone = env.get("AIRFLOW__CORE__DEFAULT_TIMEZONE")
    if zone != "Asia/Shanghai":
        todo = "set AIRFLOW__CORE__DEFAULT_TIMEZONE=Asia/Shanghai: the night is a Chinese one"
        yield CheckLine(before, "warn", f"default time zone is {zone or 'utc'}", todo)
    for part in ("DAGS", "PLUGINS"):
        name = f"AIRFLOW__CORE__{part}_FOLDER"
        folder = env.get(name)
        if not folder or not Path(folder).is_dir():
            todo = f"let {name} name the project's {part.lower()}/"
            yield CheckLine(before, "fail", f"{name} names no folder", todo)
    if env.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite").startswith("sqlite"):
        todo = "set AIRFLOW__DATABASE__SQL_ALCHEMY_CONN to a PostgreSQL database of its own"
        yield CheckLine(before, "warn", "Airflow keeps its metadata in SQLite", todo)
    now = shown(datetime.now(UTC), "%H:%M")
    yield CheckLine(before, "ok", f"settings looked at ({now} Beijing time)")
