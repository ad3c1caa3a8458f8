"""Agencies whose signed calls are taken: by a block of theirs, with their connections' secrets."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from onecard.base.connections import Connections
from onecard.base.platform_signature import Credential, SignatureForm
from onecard.errors import ConfigError

SHORTEST_KEY = 16
"""Bytes of an appKey: a shorter one could be guessed from one call that was overheard."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """A caller as the catalogue names it; its secret is not read yet.

    Attributes:
        agency: its name.
        connection: id of the connection with its sid (login) and appKey (password).
        form: how it writes the signature.
        datasets: those that it may call about.
    """

    agency: str
    connection: str
    form: SignatureForm
    datasets: frozenset[str]


@dataclass(frozen=True, slots=True)
class Caller:
    """An agency that may call.

    Attributes:
        agency: its name.
        credential: what its calls are signed with.
        datasets: those that it may call about.
    """

    agency: str
    credential: Credential
    datasets: frozenset[str]


class Callers:
    """All callers, found by what a call says of itself.

    Args:
        known: the callers; of two that cannot be told apart, neither is one.
        unreadable: agencies whose connection or key cannot be used; nobody calls in their name.
    """

    def __init__(self, known: Iterable[Caller], unreadable: Iterable[str] = ()) -> None:
        callers = list(known)
        often = Counter(_name(c.credential) for c in callers)
        self._known = {_name(c.credential): c for c in callers if often[_name(c.credential)] == 1}
        twice = (c.agency for c in callers if often[_name(c.credential)] > 1)
        self.unreadable = tuple(sorted({*unreadable, *twice}))
        self.prefixes = tuple(sorted({prefix for prefix, _ in self._known}))
        """Prefixes of headers that a caller uses, in small letters."""

    def find(self, prefix: str, sid: str) -> Caller | None:
        """The caller of that sid, whose headers have that prefix.

        Args:
            prefix: one of `prefixes`.
            sid: as the call has it.
        """
        return self._known.get((prefix, sid))


def read(claims: Iterable[Claim], connections: Connections, cannot: str) -> Callers:
    """The callers; one whose secret cannot be used is left out, and said so.

    Args:
        claims: as the catalogue has them.
        connections: where the secrets are.
        cannot: what such an agency cannot do, for the log: `cannot wake the lane`.
    """
    found: list[Caller] = []
    unreadable: list[str] = []
    for claim in claims:
        try:
            credential = _credential(claim, connections)
        except ConfigError as error:
            log.warning("%s %s: %s", claim.agency, cannot, error)
            unreadable.append(claim.agency)
            continue
        found.append(Caller(claim.agency, credential, claim.datasets))
    callers = Callers(found, unreadable)
    for agency in set(callers.unreadable) - set(unreadable):
        log.warning("%s %s: another agency has the same sid", agency, cannot)
    return callers


def _credential(claim: Claim, connections: Connections) -> Credential:
    connection = connections.get(claim.connection)
    key = (connection.secret or "").encode()
    if not connection.login or len(key) < SHORTEST_KEY:
        msg = (
            f"connection {claim.connection!r} needs a login (the sid) and a password (the appKey)"
            f" of at least {SHORTEST_KEY} bytes"
        )
        raise ConfigError(msg)
    return Credential(connection.login, key, claim.form)


def _name(credential: Credential) -> tuple[str, str]:
    return credential.form.header_prefix.lower(), credential.sid
