"""Hangs the stewards' portal into Airflow's web server, below /onecard and in its menu.

Airflow does not protect a plugin's application: the portal's guard asks Airflow who is logged in
before every route (`onecard.portal.guard`). Every process of Airflow loads this file; the portal
itself is made by the first request, so that tasks do not pay for it.
"""

from __future__ import annotations

import hashlib
import hmac
from contextlib import ExitStack
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

    from onecard.app.wiring import Hub

PREFIX = "/onecard"
_KEPT = ExitStack()


@cache
def root() -> str:
    """Path under which Airflow is reached: empty, or e.g. `/airflow`."""
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


def login(request: Request) -> str:
    """Airflow's login page, which comes back to the page that was asked for."""
    return f"{root()}/api/v2/auth/login?next={quote(request.url.path, safe='')}"


def hub(actor: str) -> Hub:
    """The hub with its transfers, for what somebody releases; connections of `AIRFLOW_CONN_…`."""
    from onecard.app.wiring import Hub  # noqa: PLC0415 - nobody waits for it but who releases
    from onecard.base.settings import Settings  # noqa: PLC0415

    return Hub(Settings.load().model_copy(update={"actor": actor}))


@cache
def portal() -> FastAPI:
    """The portal of this process's hub."""
    from airflow.api_fastapi.core_api.security import get_user  # noqa: PLC0415 - web server only
    from fastapi import Depends  # noqa: PLC0415

    from onecard.app.hub_desk import HubDesk  # noqa: PLC0415
    from onecard.base import shelves  # noqa: PLC0415
    from onecard.base.settings import Settings, portal_users  # noqa: PLC0415
    from onecard.portal.access import Person  # noqa: PLC0415
    from onecard.portal.airflow_user import person  # noqa: PLC0415
    from onecard.portal.app import create_app  # noqa: PLC0415
    from onecard.portal.site import Site  # noqa: PLC0415
    from onecard.portal.standing import StandingDesk  # noqa: PLC0415
    from quality.rows.rule_titles import title  # noqa: PLC0415

    logged_in = Depends(get_user)

    def identity(user: Any = logged_in) -> Person:  # noqa: ANN401 - each auth manager has its own
        return person(user)

    identity.__annotations__.clear()

    desk = StandingDesk(HubDesk)
    _KEPT.enter_context(shelves.kept())  # sessions of the hub's database, as long as the server
    key = conf.get("api", "secret_key").encode()
    return create_app(
        Site(
            settings=Settings.load(),
            address=lambda: desk().address,
            catalogue=lambda: desk().catalogue,
            desk=desk,
            hub=hub,
            identity=identity,
            secret=hmac.new(key, b"onecard portal forms", hashlib.sha256).digest(),
            rule_title=title,
            users=portal_users(),
            login=login,
            logout=f"{root()}/api/v2/auth/logout",
        )
    )


async def application(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
    """The portal as an ASGI application that is made when it is first asked.

    Args:
        scope: ASGI: what the connection is.
        receive: ASGI: gives the next message of the client.
        send: ASGI: takes a message to the client.
    """
    await portal()(scope, receive, send)


class OnecardPortal(AirflowPlugin):
    """Application and menu entry."""

    name = "onecard_portal"
    fastapi_apps = [  # noqa: RUF012 - Airflow reads class attributes
        {"app": application, "url_prefix": PREFIX, "name": "一卡通数据质量"}
    ]
    external_views = [  # noqa: RUF012
        {
            "name": "一卡通数据质量",
            "href": f"{root()}{PREFIX}/",
            "url_route": "onecard-quality",
            "destination": "nav",
            "nav_top_level": True,
        }
    ]
