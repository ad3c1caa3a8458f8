"""The nights' pages on the engineer's desk: the newest, the older ones, links in place of marks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from onecard.portal import security
from quality.reports.night_report import PORTAL, PORTAL_BAR
from tests.unit.portal.conftest import NIGHT, Portal

ENGINEER = "li/Admin"


def put(portal: Portal, day: str, text: str) -> Path:
    file = portal.home / "reports" / f"night-{day}.html"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_newest_night_is_served_and_the_others_are_listed(portal: Portal) -> None:
    put(portal, "2026-11-25", "newest")
    put(portal, "2026-10-31", "of October")
    client = portal.client(ENGINEER)
    assert client.get("/engineer/night").text == "newest"
    assert client.get(f"/engineer/nights/{NIGHT}").text == "for engineers"
    listing = client.get("/engineer/nights").text
    days = re.findall(r'href="/engineer/nights/([0-9-]+)"', listing)
    assert days == ["2026-11-25", NIGHT, "2026-10-31"]
    assert listing.count("<details open>") == 1
    assert "2026-11（2）" in listing


def test_before_the_first_night_the_list_says_so(portal: Portal) -> None:
    (portal.home / "reports" / f"night-{NIGHT}.html").unlink()
    found = portal.client(ENGINEER).get("/engineer/night")
    assert (found.status_code, "还没有夜间报告" in found.text) == (200, True)


@pytest.mark.parametrize(
    "day",
    [
        "2026-11-23",
        "%2e%2e",
        "x",
        f"{NIGHT}%0a",
        f"{NIGHT}.html",
        "%2e%2e%2fhrss",
        "２０２６-11-24",
    ],
)
def test_no_other_file_is_served(portal: Portal, day: str) -> None:
    assert portal.client(ENGINEER).get(f"/engineer/nights/{day}").status_code == 404


def test_a_link_to_elsewhere_is_no_night(portal: Portal) -> None:
    (portal.home / "secret").write_text("secret")
    (portal.home / "reports" / "night-2026-11-30.html").symlink_to(portal.home / "secret")
    client = portal.client(ENGINEER)
    assert client.get("/engineer/nights/2026-11-30").status_code == 404
    assert client.get("/engineer/night").text == "for engineers"


def test_marks_become_links_in_the_pages_language(portal: Portal) -> None:
    hold, incident = PORTAL.format("holds/collect-7"), PORTAL.format("incidents/3")
    text = f"<header>{PORTAL_BAR}</header><p>{hold}</p><p>{incident}</p>{PORTAL_BAR}"
    put(portal, "2026-11-25", text)
    client = portal.client(ENGINEER)
    found = client.get("/engineer/night")
    assert found.headers["content-security-policy"] == security.REPORT_POLICY
    assert '<a href="/engineer/holds/collect-7">办理</a>' in found.text
    assert '<a href="/engineer/incidents/3">办理</a>' in found.text
    bar = re.findall(r'<li><a href="([^"]+)">', found.text)
    assert bar == [f"/engineer{p}" for p in ("", "/holds", "/incidents", "/nights")]
    english = client.get("/engineer/night?lang=en").text
    assert '<a href="/engineer/holds/collect-7?lang=en">Open</a>' in english
    assert '<nav class="desk" lang="en"' in english


def test_only_marks_become_links(portal: Portal) -> None:
    escaped = "&lt;!-- portal:holds/collect-1 --&gt;<!-- portal:holds/../x --><!-- portal:a/B -->"
    put(portal, "2026-11-25", escaped)
    assert portal.client(ENGINEER).get("/engineer/night").text == escaped


def test_the_desk_leads_to_every_part(portal: Portal) -> None:
    client = portal.client(ENGINEER)
    for language in ("", "?lang=en"):
        desk = client.get(f"/engineer{language}").text
        links = re.findall(r'<dt><a href="([^"]+)">', desk)
        assert links
        for link in links:
            assert client.get(link).status_code == 200, link
