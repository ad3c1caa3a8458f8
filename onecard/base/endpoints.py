"""Where a process listens: host and port, written `HOST:PORT`."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

HIGHEST_PORT = 65_535
FORM = f"write HOST:PORT, e.g. 127.0.0.1:8090, a port up to {HIGHEST_PORT}"
"""What is said where it is not written so."""
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not listened on


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and a port; port 0 is any free one.

    Attributes:
        host: name or address, of IPv6 without brackets.
    """

    host: str
    port: int

    @classmethod
    def of(cls, text: str) -> Endpoint | None:
        """Read one; None: it is not written so (`FORM`)."""
        host, colon, port = text.rpartition(":")
        if not (colon and host and port.isascii() and port.isdecimal()):
            return None
        if int(port) > HIGHEST_PORT:
            return None
        return cls(host.removeprefix("[").removesuffix("]"), int(port))

    @property
    def from_here(self) -> Endpoint:
        """The same where it is called from this machine: who listens everywhere, does so here."""
        return Endpoint(_EVERYWHERE.get(self.host, self.host), self.port)

    @property
    def url(self) -> str:
        """Its address over HTTP."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def is_here(host: str) -> bool:
    """Whether a name or address is this machine's own, so that nothing travels in the clear."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
