"""Settings from the environment (`ONECARD_*`); everything has a safe default.

| variable | meaning | default |
|---|---|---|
| ONECARD_HOME | where the embedded database, keys, reports live | `./.onecard` |
| ONECARD_DATABASE_URL | the hub's own PostgreSQL | embedded server in ONECARD_HOME |
| ONECARD_PROFILE | `production` or `demo` (division 410199 allowed) | `production` |
| ONECARD_KEYS_FILE | key file, mode 0600 | `ONECARD_HOME/keys.json` |
| ONECARD_SCHEMAS | folder of contracts and agreements | the package's own |
| ONECARD_SUITE | `international` or `national` algorithms (`docs/keys.md`) | `international` |
| ONECARD_PORTAL_USERS | file of who sees which agency in the portal (`docs/portal.md`) | nobody |
| ONECARD_KEYS | the key document itself, before the key file (`docs/keys.md`) | the key file |
| ONECARD_KEYS_FROM_AIRFLOW | `1`: DAGs take keys from Airflow's secrets | the hub's own |
| ONECARD_ALARMS | file of who is told of what (`docs/monitoring.md`) | nobody |
| ONECARD_QUARANTINE_DAYS | how long a rejected row is kept after it was last seen | 90 |
| ONECARD_ACTOR | who acts, for the audit log | the login name, or `unknown` |
| ONECARD_CONNECT_TIMEOUT | seconds to be let in by a system (`onecard.base.timeouts`) | 5 |
| ONECARD_PATIENCE | seconds to wait for a lock or a silent system (`onecard.base.timeouts`) | 600 |
| ONECARD_LIVE_LISTEN | HOST:PORT of the live lane's door (`docs/live.md`) | nowhere |
| ONECARD_PROXIES | who is believed from where a call comes (`docs/asking.md`) | `127.0.0.1` |
| ONECARD_NATIVE | `off`: the plain paths instead of the compiled library (`onecard.native`) | on |
| ONECARD_NOW | the hub's clock, ISO 8601 with offset (rehearsals and tests) | the system clock |
| ONECARD_LOG, ONECARD_LOG_LEVEL | form and level of the log (`onecard.base.logs`) | none, WARNING |

ONECARD_* variables are read in `onecard.base` and nowhere else; a test holds it.
"""

from __future__ import annotations

import getpass
import ipaddress
import os
import tempfile
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field

from onecard.base.endpoints import FORM, Endpoint
from onecard.base.frozen import Frozen
from onecard.base.times import ZONE, instant
from onecard.errors import ConfigError, unknown

Profile = Literal["production", "demo"]
SuiteName = Literal["international", "national"]
QUARANTINE_DAYS = 90
"""The default: as long as copies of a card's status are kept by those who receive them."""
LONGEST_DAYS = 3650
KEYS, ALARMS = "ONECARD_KEYS", "ONECARD_ALARMS"
PROXIES = ("127.0.0.1",)
"""The default: a proxy on this machine."""


def login_name() -> str:
    """The name of the user that runs this process, or `unknown`."""
    try:
        return getpass.getuser() or "unknown"
    except (OSError, KeyError, ImportError):  # no user of that number: containers
        return "unknown"


Variables = Mapping[str, str] | None
"""An environment; None: that of this process, as it is now."""


def _read(name: str, environment: Variables) -> str:
    return (os.environ if environment is None else environment).get(name, "")


def keys_text(environment: Variables = None) -> str:
    """The key document that ONECARD_KEYS holds, or nothing; no part of `Settings`: it is secret."""
    return _read(KEYS, environment)


def keys_from_airflow() -> bool:
    """Whether DAGs take the key document from Airflow."""
    return _read("ONECARD_KEYS_FROM_AIRFLOW", None) == "1"


def alarm_file(environment: Variables = None) -> Path | None:
    """The file that ONECARD_ALARMS names, if any."""
    named = _read(ALARMS, environment)
    return Path(named) if named else None


def portal_users(environment: Variables = None) -> Path | None:
    """The file that ONECARD_PORTAL_USERS names, if any."""
    named = _read("ONECARD_PORTAL_USERS", environment)
    return Path(named) if named else None


def native() -> bool:
    """Whether the compiled library may be used where it is there.

    Raises:
        ConfigError: ONECARD_NATIVE is neither `on` nor `off`.
    """
    word = _read("ONECARD_NATIVE", None) or "on"
    if word not in ("on", "off"):
        raise ConfigError("ONECARD_NATIVE: " + unknown("word", word, ("on", "off")))
    return word == "on"


def memory_folder() -> Path:
    """Where memories are (`onecard.base.memory`): in ONECARD_HOME if set, else the user's cache."""
    if home := os.environ.get("ONECARD_HOME"):
        return Path(home) / "cache"
    if cache := os.environ.get("XDG_CACHE_HOME"):
        return Path(cache) / "onecard"
    try:
        return Path.home() / ".cache" / "onecard"
    except RuntimeError:  # a user without a home, as in many containers
        return Path(tempfile.gettempdir()) / f"onecard-{os.getuid()}"


class Settings(Frozen):
    """Where things are and which rules of the house apply."""

    home: Path
    database_url: str | None = None
    profile: Profile = "production"
    suite: SuiteName = "international"
    actor: str = Field(default_factory=login_name, min_length=1)
    keys_file: Path
    schemas: Path | None = None
    quarantine_days: int = Field(default=QUARANTINE_DAYS, ge=1)
    fixed_now: datetime | None = None
    live_listen: Endpoint | None = None
    proxies: tuple[str, ...] = PROXIES

    @property
    def quarantine_time(self) -> timedelta:
        """How long a rejected row is kept after it was last seen."""
        return timedelta(days=self.quarantine_days)

    def now(self) -> datetime:
        """The hub's time, aware, at +08:00."""
        return self.fixed_now or datetime.now(ZONE)

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the environment.

        Raises:
            ConfigError: a variable has a value that is not valid; it names the variable.
        """
        env = os.environ if environment is None else environment
        profile = env.get("ONECARD_PROFILE", "production")
        if profile not in get_args(Profile):
            raise ConfigError("ONECARD_PROFILE: " + unknown("profile", profile, get_args(Profile)))
        suite = env.get("ONECARD_SUITE") or "international"
        if suite not in get_args(SuiteName):
            raise ConfigError("ONECARD_SUITE: " + unknown("suite", suite, get_args(SuiteName)))
        home = Path(env.get("ONECARD_HOME") or ".onecard").resolve()
        schemas = env.get("ONECARD_SCHEMAS")
        return cls(
            home=home,
            database_url=env.get("ONECARD_DATABASE_URL") or None,
            profile="demo" if profile == "demo" else "production",
            suite="national" if suite == "national" else "international",
            actor=env.get("ONECARD_ACTOR") or login_name(),
            keys_file=Path(env.get("ONECARD_KEYS_FILE") or home / "keys.json"),
            schemas=_folder(schemas),
            quarantine_days=_days(env.get("ONECARD_QUARANTINE_DAYS")),
            fixed_now=_fixed(env.get("ONECARD_NOW")),
            live_listen=_place(env.get("ONECARD_LIVE_LISTEN")),
            proxies=_proxies(env.get("ONECARD_PROXIES")),
        )


def _folder(text: str | None) -> Path | None:
    """A folder that is not there would pass for one in which nothing is wrong."""
    if text and not Path(text).is_dir():
        msg = f"ONECARD_SCHEMAS: {text} is no folder"
        raise ConfigError(msg)
    return Path(text) if text else None


def _days(text: str | None) -> int:
    if not text:
        return QUARANTINE_DAYS
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LONGEST_DAYS):
        msg = f"ONECARD_QUARANTINE_DAYS: write a number of days from 1 to {LONGEST_DAYS}"
        raise ConfigError(msg)
    return int(text)


def _place(text: str | None) -> Endpoint | None:
    found = Endpoint.of(text) if text else None
    if text and found is None:
        msg = f"ONECARD_LIVE_LISTEN: {FORM}"
        raise ConfigError(msg)
    return found


def _proxies(text: str | None) -> tuple[str, ...]:
    """Addresses and networks; never everybody: whoever is believed may say that it came by TLS."""
    found = tuple(part.strip() for part in text.split(",")) if text else PROXIES
    if not all(map(_some_of_all, found)):
        msg = "ONECARD_PROXIES: write addresses and networks, e.g. 127.0.0.1,172.18.0.0/16"
        raise ConfigError(msg)
    return found


def _some_of_all(text: str) -> bool:
    """Whether it is an address, or a network that is not all there are."""
    try:
        return ipaddress.ip_network(text).prefixlen > 0
    except ValueError:
        return False


def _fixed(text: str | None) -> datetime | None:
    return instant(text, "ONECARD_NOW").astimezone(ZONE) if text else None
