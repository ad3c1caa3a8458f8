"""The portal over HTTP on a thread of this process: a simulated city behind it, logins before it.

Airflow's own login is in `test_portal`. Here a page with two fields takes its place, as the hub's
clock has to move on from one night to the next, which no process of Airflow's would do.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.rehearsal import Rehearsal
from onecard.app.hub_desk import HubDesk
from onecard.app.wiring import Hub
from onecard.base.connections import EnvironmentConnections
from onecard.base.settings import Settings
from onecard.daemon.serving import serve
from onecard.portal import logins
from onecard.portal.access import Person
from onecard.portal.app import create_app
from onecard.portal.site import Site
from onecard.portal.standing import StandingDesk
from quality.rows.rule_titles import title

PREFIX = "/onecard"
COOKIE = "visitor"
LOGIN = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>登录</title>
<form method="post"><input name="username" aria-label="用户名" autocomplete="username">
<input name="password" type="password" aria-label="密码"><button>登录</button></form></html>"""


class ServedPortal:
    """A portal whose hub stands at a night of its city, and can be moved on to the next.

    Args:
        stage: the city and its hub.
        day: whose night has been run last.

    Attributes:
        url: where it is reached, without the portal's prefix.
        passwords: by user; a steward's user is the agency's name, an engineer's `logins.ADMIN`.
    """

    def __init__(self, stage: Rehearsal, day: int) -> None:
        made = logins.make(stage.home / "logins", stage.hub(day).catalogue.agencies)
        self.stage, self.url = stage, ""
        self.passwords: Mapping[str, str] = made.passwords
        self._users = stage.home / "logins" / "portal-users.yaml"
        self._secret = secrets.token_bytes(32)
        self._visitors: dict[str, str] = {}
        self.move_to(day)

    def move_to(self, day: int) -> None:
        """Set the hub's clock to the night of a day."""
        self.day = day
        environment = self.stage.at(day)
        settings = Settings.load(environment)
        desk = StandingDesk(lambda: HubDesk(settings, EnvironmentConnections(environment)))
        self._portal: ASGIApp = create_app(
            Site(
                settings=settings,
                address=lambda: desk().address,
                catalogue=lambda: desk().catalogue,
                desk=desk,
                hub=lambda actor: Hub(
                    settings.model_copy(update={"actor": actor}),
                    EnvironmentConnections(environment),
                ),
                identity=self._person,
                secret=self._secret,
                rule_title=title,
                users=self._users,
                login=lambda request: f"/login?next={quote(request.url.path)}",
                logout="/logout",
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The portal as it is now."""
        await self._portal(scope, receive, send)

    def _person(self, request: Request) -> Person:
        """Who is logged in."""
        name = self._visitors.get(request.cookies.get(COOKIE, ""))
        if name is None:
            raise HTTPException(401)
        return Person(name)

    async def log_in(self, request: Request) -> Response:
        """Let in whoever has the right password."""
        if request.method == "GET":
            return HTMLResponse(LOGIN)
        form = await request.form()
        name = str(form.get("username", ""))
        if not secrets.compare_digest(self.passwords.get(name, ""), str(form.get("password", "-"))):
            return HTMLResponse(LOGIN, 401)
        mark = secrets.token_urlsafe()
        self._visitors[mark] = name
        answer = RedirectResponse(request.query_params.get("next", f"{PREFIX}/"), 303)
        answer.set_cookie(COOKIE, mark, httponly=True, samesite="lax")
        return answer

    async def log_out(self, request: Request) -> Response:
        """Forget a visitor."""
        self._visitors.pop(request.cookies.get(COOKIE, ""), None)
        return RedirectResponse("/login", 303)


@contextmanager
def served(stage: Rehearsal, day: int) -> Iterator[ServedPortal]:
    """Serve the portal on a free port while the block lasts.

    Args:
        stage: the city and its hub.
        day: whose night has been run last.
    """
    portal = ServedPortal(stage, day)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_route("/login", portal.log_in, methods=["GET", "POST"])
    app.add_route("/logout", portal.log_out, methods=["GET"])
    app.mount(PREFIX, portal)
    serving = serve(app, "127.0.0.1", 0)
    portal.url = f"http://{serving.host}:{serving.port}"
    try:
        yield portal
    finally:
        serving.close()
