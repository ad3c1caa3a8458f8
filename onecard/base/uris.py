"""Addresses with a login in them: what cannot be read in one way only is refused, unseen.

In `postgresql://u:p@ss#1@host/db` a parser takes a piece of the password for the host, and the
piece ends in messages, in the ledger and in reports. RFC 3986 (3.2.1) asks that such characters be
percent-encoded, so whatever holds them plainly is refused before anything is made of it.
"""

from __future__ import annotations

import re

from onecard.errors import ConfigError

HUB = "ONECARD_DATABASE_URL"
"""Names the address of the hub's own database in messages."""
ENCODE = (
    "percent-encode the password (and the login): @ is %40, : %3A, / %2F, ? %3F, # %23, [ %5B,"
    " ] %5D, % %25, a blank %20"
)
"""What to do; nothing of the address is ever shown."""
_BLANK = re.compile(r"[\x00-\x20\x7f\u0085\u00a0\u2000-\u200f\u2028\u2029\u3000\ufeff]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PARTS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+._-]*)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.S
)
_HOST = re.compile(
    r"(\[[0-9A-Fa-f:.%]+\]|[^\[\]:@]*)(:\d*)?(,(\[[0-9A-Fa-f:.%]+\]|[^\[\]:@,]*)(:\d*)?)*"
)


def check(text: str, where: str) -> None:
    """Refuse an address that could be read in two ways.

    Args:
        text: an address as `scheme://login:password@host:port/path?query`.
        where: names the variable or the connection that holds it.

    Raises:
        ConfigError: it is no such address, or a reserved character stands plainly in it; says what
            to do, and shows nothing of it.
    """
    parts = _PARTS.fullmatch(text)
    if parts is None:
        msg = f"{where}: write an address as scheme://login:password@host:port/name"
        raise ConfigError(msg)
    login, at, host = parts["authority"].rpartition("@")
    rest = parts["rest"]
    plain = "@" in login or "[" in login or "]" in login or "#" in rest
    astray = "@" in rest and bool(parts["authority"])  # /, ? or # have ended the password early
    if plain or astray or _BLANK.search(text) or _BAD_ESCAPE.search(text):
        msg = f"{where}: a reserved character stands plainly in the address: {ENCODE}"
        raise ConfigError(msg)
    if not _HOST.fullmatch(host):
        more = "" if at else f"; if it is the password that is meant, {ENCODE}"
        msg = f"{where}: behind the host stands no port number{more}"
        raise ConfigError(msg)


def check_host(host: str, where: str) -> None:
    """Refuse a host that holds more than a host: a login put there would be shown.

    Args:
        host: name, address or folder of a socket.
        where: names the connection.

    Raises:
        ConfigError: it does; nothing of it is shown.
    """
    if re.search(r"[@#?]", host) or _BLANK.search(host):
        msg = (
            f"{where}: the host holds more than a host name: login and password have fields of"
            f" their own; in an address, {ENCODE}"
        )
        raise ConfigError(msg)
