"""What the portal is made of: everything that another layer gives it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fastapi import Request

from onecard.base.settings import Settings
from onecard.portal import access
from onecard.ports.desk import Desk
from schemas.models.catalogue import Catalogue

if TYPE_CHECKING:  # what collects and delivers is loaded by the first release
    from onecard.reconcile.services import TransferDesk

Identity = Callable[..., access.Person | Awaitable[access.Person]]
"""A FastAPI dependency that gives the logged-in person, or raises HTTPException 401."""

Language = Literal["zh", "en"]
"""Of a page."""


@dataclass(frozen=True, slots=True)
class Site:
    """Parts of the portal.

    Attributes:
        settings: of the hub.
        address: of the hub's database.
        catalogue: contracts and agreements as they stand in their files now.
        desk: the hub as services need it: its keys, its suite.
        hub: the hub with its transfers, which somebody (by name) starts; made when it is needed.
        identity: who is logged in.
        secret: signs forms; the same in every process of the web server.
        rule_title: title of one of the gate's rules.
        users: the mapping of users to agencies.
        login: path of the login page for a path to return to; None: anonymous visitors get 401.
        logout: path that ends the session.
    """

    settings: Settings
    address: Callable[[], str]
    catalogue: Callable[[], Catalogue]
    desk: Callable[[], Desk]
    hub: Callable[[str], TransferDesk]
    identity: Identity
    secret: bytes = field(repr=False)
    rule_title: Callable[[str, Language], str]
    users: Path | None = None
    login: Callable[[Request], str] | None = None
    logout: str = ""
