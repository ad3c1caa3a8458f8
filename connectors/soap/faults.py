"""What a fault of a web service means here; nothing of its text is ever shown."""

from __future__ import annotations

from collections.abc import Sequence

from onecard.errors import ConfigError, OnecardError, ProtocolError, SourceUnavailable

LATER = frozenset({"Server", "Receiver"})
"""The service failed, and may succeed later (SOAP 1.1, 4.4.1; SOAP 1.2 part 1, 5.4.6)."""
NEVER = frozenset({"Client", "Sender", "VersionMismatch", "MustUnderstand", "DataEncodingUnknown"})
"""What was sent is refused, and would be again (as above)."""
LOGIN = frozenset(
    {
        *("FailedAuthentication", "InvalidSecurityToken", "InvalidSecurity", "FailedCheck"),
        *("SecurityTokenUnavailable", "UnsupportedSecurityToken", "UnsupportedAlgorithm"),
        "MessageExpired",
    }
)
"""The header with the login is refused (WS-Security SOAP Message Security 1.1.1, 12)."""


def error_of(codes: Sequence[str], where: str, connection: str) -> OnecardError:
    """The error that a fault is here.

    Args:
        codes: local names of its codes, the outermost first, without what is behind a dot.
        where: dataset and address, for the message.
        connection: id of the connection.
    """
    if not LOGIN.isdisjoint(codes):
        return ConfigError(f"{where}: SOAP fault, login refused ({connection!r})")
    code = codes[0] if codes else ""
    if code in LATER:
        return SourceUnavailable(f"{where}: SOAP fault {code}: the service has failed")
    if code in NEVER:
        return ConfigError(f"{where}: SOAP fault {code}: the service refuses what was sent")
    return ProtocolError(f"{where}: SOAP fault with a code of the service's own")
