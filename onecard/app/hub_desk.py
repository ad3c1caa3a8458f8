"""The hub without its transfers: what status, keys or the audit log need, quick to import."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from onecard.base.connections import Connections, EnvironmentConnections
from onecard.base.memory import Memory
from onecard.base.settings import Settings
from onecard.store import database, migrate
from schemas.models import catalogue, catalogue_memory
from schemas.models.catalogue import Catalogue

if TYPE_CHECKING:
    from onecard.crypto import keys
    from onecard.crypto.signing import Signer
    from onecard.crypto.suites import Suite

_one_thread = Lock()
"""Held by the thread that starts an embedded database and brings it to the newest revision."""


class HubDesk:
    """Settings, catalogue, keys and database of one process: the port `Desk`.

    Args:
        settings: default: from the environment.
        connections: default: `AIRFLOW_CONN_<ID>` variables; DAGs pass Airflow's own store.
        key_source: gives the key document as text; default: ONECARD_KEYS, else the key file.
        memory: where the catalogue that was read is kept for the next process; default: nowhere.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        connections: Connections | None = None,
        key_source: keys.PassedText | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.settings = settings or Settings.load()
        self._key_source = key_source
        self._memory = memory
        self.connections = connections or EnvironmentConnections()

    @property
    def root(self) -> Path:
        """The folder of contracts and agreements."""
        return self.settings.schemas or catalogue.ROOT

    @cached_property
    def catalogue(self) -> Catalogue:
        """Contracts and agreements, read when it is first asked for."""
        if self._memory is not None:
            return catalogue_memory.load(self.root, self._memory)
        return catalogue.load(self.root)

    @cached_property
    def keys(self) -> keys.KeyStore:
        """The key store."""
        from onecard.crypto import keys  # noqa: PLC0415 - `status` needs no key

        if self._key_source is not None:
            return keys.KeyStore(self._key_source)
        return keys.configured(self.settings.keys_file)

    @cached_property
    def suite(self) -> Suite:
        """The cryptographic suite that ONECARD_SUITE names."""
        from onecard.crypto import suites  # noqa: PLC0415 - nor any cipher

        return suites.suite(self.settings.suite)

    @cached_property
    def signer(self) -> Signer:
        """Signs receipts, manifests and checkpoints; raises PolicyError without a key."""
        from onecard.crypto.signing import Signer  # noqa: PLC0415 - nor a signature

        return Signer(self.settings.suite, self.keys)

    @cached_property
    def address(self) -> str:
        """The hub's database, at the newest revision.

        An embedded database is migrated on the way; a configured one only by `onecard db upgrade`.
        """
        with _one_thread:  # from Python 3.12 several may be here at once
            address = database.url(self.settings)
            if self.settings.database_url is None and migrate.current(address) != migrate.HEAD:
                migrate.upgrade(address)
            migrate.require(address)
        return address
