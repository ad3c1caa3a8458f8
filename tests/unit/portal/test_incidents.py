"""Incidents on the engineer's desk: listed by state, read, closed once and on record."""

from __future__ import annotations

import json
import re

import pytest

from onecard.store import incidents
from tests.unit.portal.conftest import APPROVED, Portal
from tests.unit.portal.test_pages import text, token

ENGINEER = "li/Admin"


def listed(portal: Portal, query: str = "") -> list[int]:
    page = portal.client(ENGINEER).get(f"/engineer/incidents{query}").text
    return [int(n) for n in re.findall(r'href="/engineer/incidents/(\d+)', page)]


def test_the_list_has_the_open_ones_the_newest_first(portal: Portal) -> None:
    one, two, three = (portal.incident() for _ in range(3))
    with portal.connect() as connection:
        assert incidents.close(connection, two) == APPROVED
    found = [n for n in listed(portal) if n >= one]
    assert found == [three, one]
    assert [n for n in listed(portal, "?status=ended") if n >= one] == [two]
    assert [n for n in listed(portal, "?status=all") if n >= one] == [three, two, one]
    assert listed(portal, "?status=<script>") == listed(portal)
    assert listed(portal, f"?status=all&before={two}")[0] == one
    assert listed(portal, "?before=x") == listed(portal, f"?before={'9' * 30}") == listed(portal)


def test_long_lists_have_pages(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onecard.portal.incident_views.PAGE", 2)
    newest = [portal.incident() for _ in range(3)][::-1]
    page = portal.client(ENGINEER).get("/engineer/incidents?status=open").text
    assert [int(n) for n in re.findall(r'href="/engineer/incidents/(\d+)', page)] == newest[:2]
    (more,) = re.findall(r'href="([^"]+)" rel="next"', page)
    following = portal.client(ENGINEER).get(more.replace("&amp;", "&")).text
    assert f'href="/engineer/incidents/{newest[2]}"' in following


def test_an_incident_is_closed_once_and_on_record(portal: Portal) -> None:
    number = portal.incident()
    client, address = portal.client(ENGINEER), f"/engineer/incidents/{number}"
    page = client.get(address).text
    assert "1,234 行提供" in text(page)
    assert "PR-05 敏感个人信息" in text(page)
    assert f'href="/health/agreements/{APPROVED}"' in page
    form = {"csrf": token(page), "reason": "已核实，未涉及未成年人；已通知接收方"}
    done = client.post(f"{address}/close", data=form, follow_redirects=False)
    assert (done.status_code, done.headers["location"]) == (303, address)
    kind, subject, actor, body = portal.audit()[-1]
    assert (kind, subject, actor) == ("incident.closed", APPROVED, "li")
    assert json.loads(str(body)) == {"incident": number, "reason": form["reason"]}
    closed = client.get(address).text
    assert "li 于" in text(closed)
    assert "<form" not in closed
    assert form["reason"] not in closed, "the reason stands in the audit log"
    before = len(portal.audit())
    late = client.post(f"{address}/close", data=form)
    assert (late.status_code, "已由他人结案" in late.text) == (409, True)
    assert len(portal.audit()) == before
    assert number not in listed(portal)


@pytest.mark.parametrize(
    ("reason", "why"),
    [("", "必填项为空"), ("经 110101199003074530 核实", "身份证号"), ("长" * 501, "超过最大长度")],
)
def test_a_reason_that_may_not_be_kept_closes_nothing(
    portal: Portal, reason: str, why: str
) -> None:
    number = portal.incident()
    client, address = portal.client(ENGINEER), f"/engineer/incidents/{number}"
    form = {"csrf": token(client.get(address).text), "reason": reason}
    refused = client.post(f"{address}/close", data=form)
    assert (refused.status_code, why in refused.text) == (422, True)
    assert number in listed(portal)


def test_an_incident_of_an_agreement_that_is_gone_is_shown(portal: Portal) -> None:
    number = portal.incident()
    with portal.connect() as connection:
        connection.execute("UPDATE ledger.incident SET agreement = 'f99' WHERE id = %s", (number,))
    page = portal.client(ENGINEER).get(f"/engineer/incidents/{number}")
    assert (page.status_code, "f99" in page.text) == (200, True)


@pytest.mark.parametrize("number", ["0", "-1", "9" * 19, "²", "one"])
def test_what_is_no_incident_is_nowhere(portal: Portal, number: str) -> None:
    assert portal.client(ENGINEER).get(f"/engineer/incidents/{number}").status_code == 404


def test_english_is_complete(portal: Portal) -> None:
    client = portal.client(ENGINEER)
    for path in ("/engineer", "/engineer/incidents", f"/engineer/incidents/{portal.incident()}"):
        page = client.get(f"{path}?lang=en").text
        words = text(page).partition("@media print")[2].replace("中文", "")
        assert not re.search(r"[一-鿿]", words), path
