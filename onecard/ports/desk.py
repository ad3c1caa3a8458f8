"""What a service of the core needs of the hub; `onecard.app.wiring.Hub` offers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # a port imports nothing: who uses one part of it waits for no other
    from onecard.base.connections import Connections
    from onecard.base.settings import Settings
    from onecard.crypto.keys import KeyStore
    from onecard.crypto.signing import Signer
    from onecard.crypto.suites import Suite
    from schemas.models.catalogue import Catalogue


class Desk(Protocol):
    """Where a service finds its tools; each is made when it is first asked for."""

    @property
    def settings(self) -> Settings:
        """The settings, and the hub's clock."""

    @property
    def connections(self) -> Connections:
        """Where systems are."""

    @property
    def catalogue(self) -> Catalogue:
        """Contracts, agreements, agencies."""

    @property
    def keys(self) -> KeyStore:
        """The key store."""

    @property
    def suite(self) -> Suite:
        """The cryptographic suite in use."""

    @property
    def signer(self) -> Signer:
        """Signs manifests."""

    @property
    def address(self) -> str:
        """The hub's database."""
