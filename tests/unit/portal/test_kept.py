"""What the portal keeps from one request to the next counts no longer than it is right.

The mapping, texts of agreements, and the session of the hub's database.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from onecard.app.hub_desk import HubDesk
from onecard.base import shelves
from onecard.base.settings import Settings
from onecard.crypto import keys
from onecard.errors import FatalError
from onecard.portal import access, access_file, problem_page, security, standing
from onecard.portal.access_file import AccessFile
from onecard.portal.request_session import RequestSession
from onecard.portal.standing import StandingDesk
from onecard.store import agreement_lives, sessions
from schemas.models import catalogue
from schemas.models.problem import InvalidFile
from tests.unit.portal.conftest import APPROVED, NOW, USERS, Portal, approve, row
from tests.unit.portal.test_pages import text
from tests.unit.portal.test_problems import DEATHS, known

AGENCIES = ("hrss", "health")
ALWAYS, NEVER = -(10**19), 10**19
"""Nanoseconds after which what was written counts as settled: at once, or never."""


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows by a line each time that the mapping is parsed."""
    found: list[str] = []
    load = access.load

    def counted(*asked: object) -> access.AccessMap:
        found.append("parsed")
        return load(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(access, "load", counted)
    return found


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    file = tmp_path / "users.yaml"
    file.write_text("users: {li: [hrss]}\n")
    return file


def granted(file: AccessFile, name: str = "li") -> tuple[str, ...]:
    """Agencies of a user by the file as it stands now."""
    found = file.now(AGENCIES).visitor(access.Person(name), AGENCIES)
    return found.agencies if found else ()


def test_a_mapping_is_parsed_once_while_it_stays_the_same(
    mapping: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_file, "SETTLED_NS", ALWAYS)
    file = AccessFile(mapping)
    assert [granted(file) for _ in range(3)] == [("hrss",)] * 3
    assert len(parsed) == 1
    assert file.now(("hrss",)).visitor(access.Person("li"), ("hrss",)) is not None
    assert len(parsed) == 2, "the agencies of the catalogue have changed"


@pytest.mark.parametrize("how", ["written", "put in its place", "touched", "gone", "broken"])
def test_a_mapping_that_was_parsed_counts_no_longer_when_its_file_changes(
    mapping: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_file, "SETTLED_NS", ALWAYS)
    file = AccessFile(mapping)
    assert granted(file) == ("hrss",)
    if how == "written":
        mapping.write_text("users: {li: [health]}\n")
    elif how == "put in its place":  # as many bytes, and of the same time
        seen, other = mapping.stat(), mapping.with_suffix(".new")
        other.write_text("users: {xi: [hrss]}\n")
        os.utime(other, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        other.replace(mapping)
        assert (mapping.stat().st_size, mapping.stat().st_mtime_ns) == (
            seen.st_size,
            seen.st_mtime_ns,
        )
    elif how == "touched":
        os.utime(mapping, ns=(1, 1))
    elif how == "gone":
        mapping.unlink()
    else:
        mapping.write_text("users: [\n")
    if how in ("gone", "broken"):
        for _ in range(2):
            with pytest.raises(InvalidFile):
                file.now(AGENCIES)
        mapping.write_text("users: {li: [hrss, health]}\n")
    expected = {"written": ("health",), "put in its place": (), "touched": ("hrss",)}
    assert granted(file) == expected.get(how, AGENCIES)


def test_what_was_written_a_moment_ago_is_parsed_at_each_request(
    mapping: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written twice within one tick of a clock, with as many bytes, it looks the same."""
    monkeypatch.setattr(access_file, "SETTLED_NS", NEVER)
    seen, file = mapping.stat(), AccessFile(mapping)
    assert granted(file) == ("hrss",)
    mapping.write_text("users: {xi: [hrss]}\n")
    os.utime(mapping, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert (granted(file), granted(file, "xi")) == ((), ("hrss",))
    assert len(parsed) == 3


def test_a_share_whose_clock_is_ahead_is_never_settled(mapping: Path, parsed: list[str]) -> None:
    file, later = AccessFile(mapping), mapping.stat().st_mtime_ns + 3_600 * 10**9
    os.utime(mapping, ns=(later, later))
    assert [granted(file) for _ in range(2)] == [("hrss",)] * 2
    assert len(parsed) == 2


def test_who_is_taken_out_of_the_mapping_is_refused_at_once(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_file, "SETTLED_NS", ALWAYS)
    client = portal.client("health")
    assert client.get("/health/problems").status_code == 200
    portal.users.write_text(USERS.replace("  health: [health]\n", ""))
    assert client.get("/health/problems").status_code == 403
    form = {"csrf": security.token(portal.site.secret, "health", NOW)}
    assert client.post("/health/problems", data=form).status_code == 403
    portal.users.write_text(USERS)
    assert client.get("/health/problems").status_code == 200


@pytest.fixture
def texts(portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of contracts and agreements of the portal's own, looked at by each request."""
    folder = tmp_path / "schemas"
    shutil.copytree(catalogue.ROOT, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    update = {"schemas": folder, "database_url": portal.address}
    settings: Settings = portal.site.settings.model_copy(update=update)
    desk = StandingDesk(lambda: HubDesk(settings))
    monkeypatch.setattr(standing, "LOOK_S", -1.0)
    portal.site = replace(
        portal.site, settings=settings, desk=desk, catalogue=lambda: desk().catalogue
    )
    return folder


def test_an_agreements_text_that_changes_waits_for_its_approval_at_once(
    portal: Portal, texts: Path
) -> None:
    client, page = portal.client("health"), f"/health/agreements/{APPROVED}"
    assert [client.get(page).text.count("状态：生效") for _ in range(2)] == [1, 1]
    assert APPROVED not in client.get("/?lang=en").text
    file = texts / "agreements" / f"{APPROVED}.yaml"
    written = file.read_text(encoding="utf-8")
    file.write_text(written.replace("title: 全部", "title: 全部死亡"), encoding="utf-8")
    assert "状态：待批准" in client.get(page).text
    assert "全部死亡" in client.get(page).text
    assert APPROVED in client.get("/?lang=en").text
    file.write_text(written, encoding="utf-8")
    assert "状态：生效" in client.get(page).text


def test_a_contracts_text_that_changes_counts_at_once(portal: Portal, texts: Path) -> None:
    portal.forget()
    portal.reject(DEATHS, [row("a")])
    client = portal.client("health")
    assert "姓名：必填项为空" in client.get("/health/problems").text
    (file,) = texts.rglob("death_notice.odcs.yaml")
    written = file.read_text(encoding="utf-8")
    assert "姓名" in written
    file.write_text(written.replace("姓名", "逝者姓名"), encoding="utf-8")
    assert "逝者姓名：必填项为空" in client.get("/health/problems").text


def test_a_suspension_counts_at_once(portal: Portal) -> None:
    client, page = portal.client("health"), f"/health/agreements/{APPROVED}"
    agreement = catalogue.load().agreement(APPROVED)
    with shelves.kept():
        assert "状态：生效" in client.get(page).text
        with portal.connect() as connection:
            agreement_lives.suspend(connection, agreement, "t", "演练")
        assert "状态：中止" in client.get(page).text
        assert APPROVED in client.get("/?lang=en").text
        with portal.connect() as connection:
            approve(connection, APPROVED)
        assert "状态：生效" in client.get(page).text
        assert APPROVED not in client.get("/?lang=en").text


def test_a_key_that_is_gone_shows_no_row_any_more(portal: Portal) -> None:
    portal.forget()
    portal.reject(DEATHS, [row("a"), row("b")])
    client, page = portal.client("health"), f"/health/problems/{known(portal).id}"
    assert client.get(page).status_code == 200
    file = portal.home / "keys.json"
    file.unlink()
    keys.create(file, ["bureau"], "2027")
    refused = client.get(page)
    assert refused.status_code == 409
    assert "no key quarantine of epoch '2026'" in text(refused.text).replace("&#39;", "'")


def test_a_problem_of_a_field_that_its_contract_has_no_more_has_a_page(portal: Portal) -> None:
    portal.forget()
    with portal.connect() as connection:
        portal.reject(DEATHS, [row("a")])
        connection.execute("UPDATE ledger.problem SET field = 'gone' WHERE field = 'person_name'")
        (found,) = connection.execute("SELECT id FROM ledger.problem").fetchall()
    page = portal.client("health").get(f"/health/problems/{found[0]}")
    assert page.status_code == 200
    assert page.text.count("/rows/") >= 1


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Processes of the server behind the sessions that were opened, in order."""
    found: list[int] = []
    connect = sessions.BoundedConnection.connect

    def noted(*asked: object, **more: object) -> sessions.Connection:
        made = connect(*asked, **more)  # type: ignore[arg-type]
        found.append(made.info.backend_pid)
        return made

    monkeypatch.setattr(sessions.BoundedConnection, "connect", noted)
    return found


@pytest.fixture
def kept() -> Iterator[None]:
    """Sessions wait for the next request, as in the web server."""
    with shelves.kept():
        yield


def end_sessions(address: str) -> None:
    """What a restart of the server does to every session."""
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_request_has_one_session(portal: Portal, logins: list[int]) -> None:
    """Guard, view and audit log together, for each kind of page; the start page asks two at once."""
    objects = portal.objects()
    one = f"/health/problems/{objects['problem']}"
    rows, ticket = f"{one}/rows/{objects['record']}", f"/health/tickets/{objects['ticket']}"
    client, form = portal.client("health"), {"format": "csv"}
    for page in ("/", "/live", "/health/problems", one, rows, ticket, "/health/agreements"):
        logins.clear()
        assert client.get(page).status_code == 200, page
        assert len(logins) == (2 if page == "/" else 1), page
    form["csrf"] = security.token(portal.site.secret, "health", NOW)
    logins.clear()
    assert client.post(rows, data={**form, "reason": "核对"}).status_code == 200
    assert len(logins) == 1


def test_another_user_on_the_same_session_sees_only_what_is_its_own(
    portal: Portal, logins: list[int], kept: None
) -> None:
    health, education = portal.objects("health"), portal.objects("education")
    logins.clear()
    shown = {"health": "卫生", "education": "教育"}
    for _ in range(2):
        for user, own, other in (("health", health, education), ("education", education, health)):
            client = portal.client(user)
            assert client.get(f"/{user}/tickets/{own['ticket']}").status_code == 200
            assert portal.audit()[-1][2] == user
            for kind in ("ticket", "problem"):
                assert client.get(f"/{user}/{kind}s/{other[kind]}").status_code == 404
            mine = client.get("/").text.partition('id="mine"')[2]
            assert shown[user] in mine
            assert shown[{"health": "education", "education": "health"}[user]] not in mine
    assert len(set(logins)) <= 2, "the same sessions served all of them"


def test_a_session_that_the_server_has_ended_serves_no_request(
    portal: Portal, logins: list[int], kept: None
) -> None:
    client = portal.client("health")
    assert client.get("/health/problems").status_code == 200
    end_sessions(portal.address)
    logins.clear()
    assert client.get("/health/problems").status_code == 200
    assert len(logins) == 1


def test_a_session_that_breaks_within_a_request_costs_that_request_alone(
    portal: Portal, logins: list[int], kept: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal.forget()
    portal.reject(DEATHS, [row("a")])
    client, page = portal.client("health"), f"/health/problems/{known(portal).id}"
    assert client.get(page).status_code == 200
    rows = problem_page.rows

    def ended(*asked: object) -> problem_page.RowPage:
        end_sessions(portal.address)
        return rows(*asked)  # type: ignore[arg-type]

    with monkeypatch.context() as once:
        once.setattr(problem_page, "rows", ended)
        refused = client.get(page)
        assert refused.status_code == 503
        assert "terminating" not in refused.text
    logins.clear()
    assert client.get(page).status_code == 200
    assert len(logins) == 1


def pid(session: RequestSession) -> int:
    with session.hub() as connection:
        return connection.info.backend_pid


def test_a_block_that_fails_takes_its_session_with_it(hub: str, kept: None) -> None:
    with RequestSession(lambda: hub) as session:
        first = pid(session)
        assert pid(session) == first
        with pytest.raises(FatalError), session.hub() as connection:
            connection.execute("SELECT 1 / 0")
        then = pid(session)
        assert then != first
        with pytest.raises(LookupError), session.hub() as connection:
            connection.execute("BEGIN")
            raise LookupError
        assert pid(session) not in (first, then)


def test_what_is_sent_after_the_answer_has_sessions_of_its_own(hub: str) -> None:
    session = RequestSession(lambda: hub)
    with session:
        within = pid(session)
    assert len({within, pid(session), pid(session)}) == 3


def test_nothing_that_a_request_set_is_there_for_the_next(hub: str, kept: None) -> None:
    with RequestSession(lambda: hub) as session, session.hub() as connection:
        first = connection.info.backend_pid
        connection.execute("SET statement_timeout = '77s'")
        connection.execute("CREATE TEMP TABLE of_one_request (value int)")
    with RequestSession(lambda: hub) as session, session.hub() as connection:
        assert connection.info.backend_pid == first
        left = "SELECT current_setting('statement_timeout'), to_regclass('of_one_request')"
        assert connection.execute(left).fetchone() == ("0", None)
