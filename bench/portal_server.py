"""The portal for `bench.portal`, and an empty page beside it: `python -m bench.portal_server PORT`.

uvicorn as it comes, one process, as a worker of Airflow's web server; nobody is asked who they are:
the visitor is an engineer, who sees every agency.
"""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from onecard.app.hub_desk import HubDesk
from onecard.app.wiring import Hub
from onecard.base import shelves
from onecard.base.settings import Settings
from onecard.portal.access import Person
from onecard.portal.app import create_app
from onecard.portal.site import Site
from onecard.portal.standing import StandingDesk
from quality.rows.rule_titles import title

EMPTY = "/empty"
PORTAL = "/onecard"
ENGINEER = "bench"


def create(users: Path) -> FastAPI:
    """The application.

    Args:
        users: the mapping of users to agencies.
    """
    app, desk = FastAPI(), StandingDesk(HubDesk)

    @app.get(EMPTY, response_class=HTMLResponse)
    def empty() -> str:
        return "<!doctype html><html lang=zh-CN><title>-</title><body></body></html>"

    site = Site(
        settings=Settings.load(),
        address=lambda: desk().address,
        catalogue=lambda: desk().catalogue,
        desk=desk,
        hub=lambda _: Hub(),
        identity=lambda: Person(ENGINEER),
        secret=secrets.token_bytes(32),
        rule_title=title,
        users=users,
    )
    app.mount(PORTAL, create_app(site))
    return app


def main() -> None:
    """Entry point."""
    users, port = sys.argv[1:]
    with shelves.kept():
        uvicorn.run(
            create(Path(users)),
            host="127.0.0.1",
            port=int(port),
            access_log=False,
            log_level="warning",
        )


if __name__ == "__main__":
    main()
