"""What a session of the portal is: Airflow's login at each request, and a token in each form."""

from __future__ import annotations

import pytest

from onecard.portal import security
from tests.unit.portal.conftest import NOW, USERS, WAITING, Portal
from tests.unit.portal.test_access import SENDER, filled, posts, routes


def form(portal: Portal, user: str) -> dict[str, str]:
    """A form as its page gives it to that user."""
    return {"csrf": security.token(portal.site.secret, user, NOW), "document": "批〔9〕号"}


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "anything"])
def test_a_form_that_is_not_sent_by_a_page_of_ours_is_refused(portal: Portal, site: str) -> None:
    """Also from another application of the same domain, and from an address that was typed."""
    client = portal.client(SENDER)
    for address in posts(portal):
        headers = {"sec-fetch-site": site}
        sent = client.post(address, data=form(portal, "li"), headers=headers)
        assert sent.status_code == 403, address


def test_a_right_token_is_no_login(portal: Portal) -> None:
    for address in posts(portal):
        sent = portal.client().post(address, data=form(portal, "both"), follow_redirects=False)
        assert sent.status_code == 401, address


def test_a_token_counts_in_the_form_only(portal: Portal) -> None:
    """An address is kept in histories and logs, and can be sent as a link."""
    mark = form(portal, "li")["csrf"]
    for address in posts(portal):
        sent = portal.client(SENDER).post(f"{address}?csrf={mark}", data={"document": "d"})
        assert sent.status_code == 403, address


def test_who_has_lost_an_agency_since_sends_in_vain(portal: Portal) -> None:
    """Access is looked up at each request: a page that is open gives none."""
    page = f"/education/agreements/{WAITING}"
    client = portal.client("both")
    assert client.get(page).status_code == 200
    portal.users.write_text(USERS.replace("both: [health, education]", "both: [health]"))
    made = ("ticket.opened", "ticket.attached", "delivery.confirmed")  # by the tests' own objects
    before = [e for e in portal.audit() if e[0] not in made]
    for address in posts(portal):
        if address.startswith("/education/"):
            assert client.post(address, data=form(portal, "both")).status_code == 404, address
    assert client.get(page).status_code == 404
    assert [e for e in portal.audit() if e[0] not in made] == before


def test_nothing_changes_by_looking(portal: Portal) -> None:
    """Every route that changes something is a POST, and asks for its token."""
    objects = portal.objects()
    client, before = portal.client("engineer/Admin"), len(portal.audit())
    looked = {method for method, _ in routes(portal)}
    assert looked <= {"GET", "POST"}
    for method, path in routes(portal):
        if method == "GET":
            client.get(filled(path, "health", objects))
    added = {str(kind) for kind, *_ in portal.audit()[before:]}
    assert {kind for kind in added if not kind.startswith("access.")} == set()


def test_the_portal_keeps_nothing_in_the_browser(portal: Portal) -> None:
    """No cookie of its own, no other origin that may read, nothing in a cache."""
    objects = portal.objects()
    for user in (None, "health", "stranger"):
        client = portal.client(user)
        for method, path in routes(portal):
            headers = {"origin": "https://elsewhere.example"}
            address = filled(path, "health", objects)
            found = client.request(method, address, headers=headers, follow_redirects=False)
            assert "set-cookie" not in found.headers, path
            assert not [n for n in found.headers if n.startswith("access-control-")], path
            assert found.headers["cache-control"] == "no-store", path
