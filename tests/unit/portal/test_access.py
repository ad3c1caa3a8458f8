"""Nobody gets in without a mapping, nobody sees another agency's things, no form without a token.

The routes come from the application itself: one that is added without a guard fails here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from onecard.errors import ConfigError
from onecard.portal import access, app, security
from onecard.portal.access import ENGINEER, AccessMap, Person
from onecard.portal.airflow_user import person
from schemas.models.problem import InvalidFile
from tests.unit.portal.conftest import NOW, WAITING, Portal

SENDER = "li/Admin"
"""Who may send every form: an engineer, who also sees the desk."""


def routes(portal: Portal) -> Iterator[tuple[str, str]]:
    """Method and path of every route, found in the application's own table."""
    found: list[Any] = list(app.create_app(portal.site).routes)
    while found:
        route = found.pop()
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if isinstance(route, APIRoute):
            yield from ((method, route.path) for method in route.methods)
        elif inner is not None:
            found += inner.routes
        else:
            pytest.fail(f"a route of another kind: {route!r}")


def filled(path: str, agency: str, objects: dict[str, str]) -> str:
    """The address of an object of the health commission, below an agency's pages."""
    values = {**objects, "agency": agency}
    return re.sub(r"\{(\w+)\}", lambda m: values[m[1]], path)


def test_the_route_table_is_the_whole_portal(portal: Portal) -> None:
    assert sorted(routes(portal)) == sorted((m, p) for m, p, _ in app.ROUTES)


def test_anonymous_is_refused_on_every_route(portal: Portal) -> None:
    objects, client = portal.objects(), portal.client()
    for method, path in routes(portal):
        address = filled(path, "health", objects)
        refused = client.request(method, address, follow_redirects=False)
        if method == "GET":
            assert refused.status_code == 303, path
            assert refused.headers["location"].startswith("/login?next=")
        else:
            assert refused.status_code == 401, path
        assert refused.headers["cache-control"] == "no-store"
        api = client.request(method, address, headers={"accept": "application/json"})
        assert api.status_code == 401


def test_who_is_mapped_to_no_agency_is_refused_on_every_route(portal: Portal) -> None:
    objects, client = portal.objects(), portal.client("stranger/viewer")
    for method, path in routes(portal):
        refused = client.request(method, filled(path, "health", objects))
        assert refused.status_code == 403, path
        assert "没有对应任何部门" in refused.text


def test_without_a_mapping_nobody_gets_in(portal: Portal) -> None:
    portal.users.write_text("users: {}\n")
    assert portal.client("hrss").get("/").status_code == 403


def test_another_agencys_pages_do_not_exist(portal: Portal) -> None:
    """Health's pages, objects and forms, asked for by a steward of education."""
    objects, client = portal.objects(), portal.client("education")
    form = {"csrf": security.token(portal.site.secret, "education", NOW)}
    for method, path in routes(portal):
        if "{agency}" not in path:
            continue
        sent = {"data": form} if method == "POST" else {}
        refused = client.request(method, filled(path, "health", objects), **sent)
        assert refused.status_code == 404, path


def test_another_agencys_objects_do_not_exist_below_my_own_pages(portal: Portal) -> None:
    objects, client = portal.objects(), portal.client("education")
    form = {"csrf": security.token(portal.site.secret, "education", NOW)}
    for method, path in routes(portal):
        if not re.search(r"\{(report|agreement|ticket|problem|record|receipt)\}", path):
            continue
        sent = {"data": form} if method == "POST" else {}
        refused = client.request(method, filled(path, "education", objects), **sent)
        assert refused.status_code == 404, path


def test_the_engineers_desk_is_nowhere_for_a_steward(portal: Portal) -> None:
    """Of however many agencies."""
    objects, desk = portal.objects(), [r for r in routes(portal) if r[1].startswith("/engineer")]
    assert ("GET", "/engineer") in desk
    for who in ("hrss", "both"):
        form = {"csrf": security.token(portal.site.secret, who, NOW)}
        for method, path in desk:
            sent = {"data": form} if method == "POST" else {}
            refused = portal.client(who).request(method, filled(path, "health", objects), **sent)
            assert refused.status_code == 404, path
        assert "/engineer" not in portal.client(who).get("/").text
    assert 'href="/engineer"' in portal.client("li/Admin").get("/").text
    assert portal.client("li/Admin").get("/engineer").status_code == 200


@pytest.mark.parametrize("number", ["0", "-1", "1e3", "9999999999999", "9" * 19, "²", "one"])
def test_what_is_nowhere_is_not_found(portal: Portal, number: str) -> None:
    client, there = portal.client("health"), portal.objects()["problem"]
    for place in ("tickets/", "problems/", f"problems/{there}/rows/"):
        assert client.get(f"/health/{place}{number}").status_code == 404, place


def test_a_row_of_another_problem_does_not_exist_below_this_one(portal: Portal) -> None:
    mine, theirs = portal.objects("health"), portal.objects("education")
    form = {"csrf": security.token(portal.site.secret, "both", NOW), "reason": "核对"}
    address = f"/health/problems/{mine['problem']}/rows/{theirs['record']}"
    client = portal.client("both")
    assert client.get(address).status_code == 404
    assert client.post(address, data=form).status_code == 404
    assert client.get(f"/health/problems/{theirs['problem']}").status_code == 404


def posts(portal: Portal) -> Iterator[str]:
    objects = portal.objects()
    for method, path in routes(portal):
        if method == "POST":
            agreement = path.replace("{agreement}", WAITING)
            yield filled(agreement, "education" if "agreement" in path else "health", objects)


def test_a_form_without_its_token_is_refused(portal: Portal) -> None:
    """No token, another user's, one of another key, an old one, one of the future."""
    secret, client = portal.site.secret, portal.client(SENDER)
    wrong = [
        "",
        "1.2",
        "x",
        "..",
        security.token(secret, "hrss", NOW),
        security.token(b"another", "li", NOW),
        security.token(secret, "li", NOW - timedelta(hours=9)),
        security.token(secret, "li", NOW + timedelta(hours=1)),
    ]
    addresses = list(posts(portal))
    pages = [path for method, path in routes(portal) if method == "GET"]
    gettable = {
        a
        for a in addresses
        if any(re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", page), a) for page in pages)
    }
    before = portal.audit()
    for address in addresses:
        for mark in wrong:
            sent = {"csrf": mark, "document": "d", "outcome": "confirmed", "text": "t"}
            assert client.post(address, data=sent).status_code == 403, (address, mark)
        assert client.post(address, json={}).status_code == 415
        assert client.get(address).status_code == (200 if address in gettable else 405)
    assert portal.audit()[len(before) :] == []


def test_a_form_of_another_site_is_refused(portal: Portal) -> None:
    form = {"csrf": security.token(portal.site.secret, "li", NOW)}
    for address in posts(portal):
        headers = {"sec-fetch-site": "cross-site"}
        refused = portal.client(SENDER).post(address, data=form, headers=headers)
        assert refused.status_code == 403


def test_a_form_has_a_size(portal: Portal) -> None:
    for address in posts(portal):
        refused = portal.client(SENDER).post(address, data={"text": "x" * 40_000})
        assert refused.status_code == 413
        many = {f"problem-{n}": "0" for n in range(100)}
        assert portal.client(SENDER).post(address, data=many).status_code == 400


def test_errors_carry_the_headers_too(portal: Portal) -> None:
    for address in ("/health/problems", "/nowhere/at/all", "/hrss/problems"):
        found = portal.client("health").get(address)
        for name, value in security.FIXED.items():
            assert found.headers[name] == value
        assert "frame-ancestors 'self'" in found.headers["content-security-policy"]


def test_so_does_an_error_that_nothing_has_foreseen(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a page like any other, and says nothing of the error."""

    def broken(*_: object) -> None:
        raise RuntimeError(WAITING)

    monkeypatch.setattr("onecard.store.audit_search.search", broken)
    client = portal.client(SENDER, raise_server_exceptions=False)
    found = client.get("/engineer/audit")
    assert found.status_code == 500
    assert "<h1" in found.text
    assert WAITING not in found.text
    usual = client.get("/engineer/nowhere").headers
    for name in (*security.FIXED, "content-security-policy"):
        assert found.headers[name] == usual[name]
    with pytest.raises(RuntimeError):  # the server hears of it, and logs it
        portal.client(SENDER).get("/engineer/audit")


def test_users_and_groups_add_up() -> None:
    mapping = AccessMap(users={"li": ("hrss",)}, groups={"g": ("health",), "e": (ENGINEER,)})
    known = ("health", "hrss", "bank")
    both = mapping.visitor(Person("li", frozenset(["g"])), known)
    assert both is not None
    assert (both.agencies, both.engineer) == (("health", "hrss"), False)
    engineer = mapping.visitor(Person("zhao", frozenset(["e"])), known)
    assert engineer is not None
    assert (engineer.agencies, engineer.engineer) == (known, True)
    assert mapping.visitor(Person("LI"), known) is None
    assert access.load(None, known) == AccessMap()


def test_a_mapping_to_no_agency_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "users.yaml"
    file.write_text("users:\n  li: [hrsss]\n")
    with pytest.raises(
        ConfigError, match=r"users\.li: unknown agency 'hrsss'; did you mean hrss\? known: .*hrss"
    ):
        access.load(file, ["hrss"])
    file.write_text("admins: {}\n")
    with pytest.raises(InvalidFile, match="admins"):
        access.load(file, ["hrss"])


def test_a_broken_mapping_lets_nobody_in(portal: Portal) -> None:
    portal.users.write_text("users: [\n")
    assert portal.client("hrss").get("/").status_code == 500


class User:
    """What the auth managers' user classes have in common."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__ |= attributes

    def get_name(self) -> str:
        return "li"


@pytest.mark.parametrize(
    ("user", "groups"),
    [
        (User(role="admin", teams=["t"]), {"admin", "t"}),
        (User(role="", teams=[]), set()),
        (User(roles=[User(name="Op")], groups=[User(name="onecard-hrss")]), {"Op", "onecard-hrss"}),
        (
            User(
                access_token="e30.eyJncm91cHMiOlsiL2giXSwicmVhbG1fYWNjZXNzIjp7InJvbGVzIjpbInIiXX19.s"
            ),
            {"/h", "r"},
        ),
        (User(access_token="a.!!!.c"), set()),
        (User(access_token="none"), set()),
    ],
)
def test_groups_of_each_auth_manager(user: User, groups: set[str]) -> None:
    assert person(user) == Person("li", frozenset(groups))


def test_the_other_language_is_never_another_sites_page(portal: Portal) -> None:
    page = portal.client("health").get("http://testserver//evil.example/x").text
    assert 'href="//' not in page
    assert "/evil.example/x?lang=en" in page
