"""Who may wake which dataset: the agencies' `wake` blocks, with their connections' secrets."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from onecard.base.connections import Connections
from onecard.base.platform_signature import Credential
from onecard.errors import ConfigError
from schemas.models.catalogue import Catalogue, Wake

SHORTEST_KEY = 16
"""Bytes of an appKey: a shorter one could be guessed from one call that was overheard."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """An agency that may wake.

    Attributes:
        agency: its name.
        credential: what its calls are signed with.
        datasets: those that it may wake.
    """

    agency: str
    credential: Credential
    datasets: frozenset[str]


class Callers:
    """All callers, found by what a call says of itself.

    Args:
        known: the callers; of two that cannot be told apart, neither is one.
        unreadable: agencies whose connection or key cannot be used; nobody wakes in their name.
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


def callers_of(catalogue: Catalogue, connections: Connections) -> Callers:
    """The callers that a catalogue names; one whose secret cannot be used is left out, and said so.

    Args:
        catalogue: agencies and datasets.
        connections: where the secrets are.
    """
    found: list[Caller] = []
    unreadable: list[str] = []
    for agency, wake in _declared(catalogue):
        try:
            credential = _credential(wake, connections)
        except ConfigError as error:
            log.warning("%s cannot wake the lane: %s", agency, error)
            unreadable.append(agency)
            continue
        found.append(Caller(agency, credential, catalogue.wakeable(agency)))
    callers = Callers(found, unreadable)
    for agency in set(callers.unreadable) - set(unreadable):
        log.warning("%s cannot wake the lane: another agency has the same sid", agency)
    return callers


def _declared(catalogue: Catalogue) -> Iterator[tuple[str, Wake]]:
    for name, agency in catalogue.agencies.items():
        if agency.wake is not None:
            yield name, agency.wake


def _credential(wake: Wake, connections: Connections) -> Credential:
    connection = connections.get(wake.connection)
    key = (connection.secret or "").encode()
    if not connection.login or len(key) < SHORTEST_KEY:
        msg = (
            f"connection {wake.connection!r} needs a login (the sid) and a password (the appKey)"
            f" of at least {SHORTEST_KEY} bytes"
        )
        raise ConfigError(msg)
    return Credential(connection.login, key, wake)


def _name(credential: Credential) -> tuple[str, str]:
    return credential.form.header_prefix.lower(), credential.sid
