"""Problems: the list and its address, one problem's page, its rows, what people say, downloads."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from html import unescape

import pytest
from openpyxl import load_workbook

from onecard.model.quality_problems import KnownProblem
from onecard.portal import problem_lines, problem_page, security
from onecard.portal.problem_downloads import MOST_IN_A_WORKBOOK
from onecard.ports.row_gate import Reason
from onecard.store import agreement_lives, quality_problems, quarantine
from tests.rejected import Row
from tests.unit.portal.conftest import NOW, Portal, row
from tests.unit.portal.test_pages import sealed, text, token

DEATHS = "health/death_notice"
VISITS = "health/health_visit"
PERSON = "410105190001010010"
"""An invented number: nobody born in 1900 has one."""
NAMELESS = Reason("person_name", "required")
FUTURE = Reason("death_date", "death_not_future")


@pytest.fixture(autouse=True)
def nothing_is_known(portal: Portal) -> None:
    """The database is of all tests of this file: each begins without rows and problems."""
    portal.forget()


def known(portal: Portal, reason: Reason = NAMELESS, dataset: str = DEATHS) -> KnownProblem:
    with portal.connect() as connection:
        found = quality_problems.of_datasets(connection, [dataset])
    (problem,) = [p for p in found if (p.field, p.rule) == (reason.field, reason.rule)]
    return problem


def listed(page: str) -> list[str]:
    """Titles of the problems of a list, in order."""
    return re.findall(r'<a href="/health/problems/\d+[^"]*">([^<]+)</a><br>', page)


def some(portal: Portal) -> None:
    """Three rows without a name, two of them dead in the future, and another dataset's row."""
    rows = [row("a"), row("b", NAMELESS, FUTURE), row("c", NAMELESS, FUTURE)]
    portal.reject(DEATHS, rows)
    portal.reject(VISITS, [Row({"mdtrt_id": "m1"}, (Reason("", "record.cells"),))])


def test_the_list_shows_what_is_wrong_how_much_and_until_when(portal: Portal) -> None:
    some(portal)
    page = portal.client("health").get("/health/problems").text
    assert listed(page) == [
        "姓名：必填项为空",
        "死亡日期不晚于今天",
        "整行：记录的列数不符",
    ]
    (line,) = [part for part in page.split("<tr>") if "姓名：必填项为空" in part]
    assert '<td class="n">3</td>' in line
    assert "2026-12-01" in line  # five working days after 24 November
    assert "待处理" in line


def test_a_title_says_neither_field_nor_type_twice(portal: Portal) -> None:
    portal.reject(DEATHS, [row("a", Reason("person_id18", "id_number.checksum"))])
    assert listed(portal.client("health").get("/health/problems").text) == [
        "公民身份号码：校验码错误"
    ]
    portal.reject(VISITS, [Row({"mdtrt_id": "m1"}, (Reason("person_id18", "id_number.format"),))])
    listing = portal.client("health").get(f"/health/problems?dataset={VISITS}").text
    assert listed(listing) == ["社会保障号码/公民身份号码：格式不符"]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("q=姓名", ["姓名：必填项为空"]),
        ("q=death%20日期", ["死亡日期不晚于今天"]),
        ("q=nothing", []),
        (f"dataset={VISITS}", ["整行：记录的列数不符"]),
        ("dataset=education/edu_enrolment", 3),
        ("status=overdue", []),
        ("status=ended", []),
        ("severity=warning", []),
        ("sort=rows", 3),
        ("sort=dataset", 3),
        ("sort=nonsense&after=xyz&status=nonsense", 3),
        ("after=-1&q=" + "x" * 500, []),
    ],
)
def test_the_list_is_filtered_and_sorted_by_its_address(
    portal: Portal, asked: str, wanted: list[str] | int
) -> None:
    some(portal)
    found = listed(portal.client("health").get(f"/health/problems?{asked}").text)
    assert len(found) == wanted if isinstance(wanted, int) else found == wanted


def test_pages_of_the_list_follow_each_other_though_somebody_acts_meanwhile(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    some(portal)
    monkeypatch.setattr(problem_lines, "PAGE", 1)
    client = portal.client("health")
    address, seen = "/health/problems?sort=rows&severity=error", []
    while True:
        page = client.get(address).text
        seen += listed(page)
        more = re.search(r'href="([^"]+)" rel="next"', page)
        if more is None:
            break
        address = unescape(more[1])
        assert "severity=error" in address
    assert seen == [
        "姓名：必填项为空",
        "死亡日期不晚于今天",
        "整行：记录的列数不符",
    ]


def test_a_page_of_a_problem_says_all_of_it_and_no_value(portal: Portal) -> None:
    secret = Row(
        {"person_id18": PERSON, "person_name": "赵丙丁", "death_date": "2999-01-01"}, (FUTURE,)
    )
    portal.reject(DEATHS, [secret], NOW - timedelta(days=3))
    portal.reject(DEATHS, [secret])
    page = portal.client("health").get(f"/health/problems/{known(portal, FUTURE).id}").text
    words = text(page)
    assert "死亡日期 ≤ 采集时刻" in words
    assert "2999-12-31" in words  # the example of wrong
    assert "2026-01-31" in words  # and of right
    assert "近 90 天中有 2 天发现不合格行，最多一天 1 行" in page
    assert "市人力资源和社会保障局" in words  # receives deaths under f20
    assert "in/01.csv" in words
    assert "410***********0010" in words
    assert PERSON not in page
    assert "赵丙丁" not in page
    assert "<svg" in page


def test_rows_are_paged_by_key_and_each_stands_once(portal: Portal) -> None:
    portal.reject(DEATHS, [row(f"p{n}") for n in range(2 * problem_page.ROWS + 3)])
    client, address, seen = portal.client("health"), f"/health/problems/{known(portal).id}", []
    for expected in (problem_page.ROWS, problem_page.ROWS, 3):
        page = client.get(address).text
        found = re.findall(r"/rows/(\d+)", page)
        assert len(found) == expected
        seen += [int(n) for n in found]
        more = re.search(r'href="([^"]+)" rel="next"', page)
        address = unescape(more[1]) if more else ""
    assert not address
    assert seen == sorted(set(seen), reverse=True)


def test_rows_that_come_right_and_others_that_come_shift_no_page(portal: Portal) -> None:
    """Each row that stays open is seen once, whatever happens between two pages."""
    portal.reject(DEATHS, [row(f"p{n}") for n in range(6 * problem_page.ROWS)])
    problem = known(portal)
    with portal.connect() as connection:
        everything = [r.id for r in quality_problems.rows(connection, problem.id, 0, 1_000)]
    client, address = portal.client("health"), f"/health/problems/{problem.id}"
    seen: list[int] = []
    right: set[int] = set()
    while address:
        page = client.get(address).text
        found = [int(n) for n in re.findall(r"/rows/(\d+)", page)]
        seen += found
        more = re.search(r'href="([^"]+)" rel="next"', page)
        address = unescape(more[1]) if more else ""
        last = found[-1] if found else 0  # the rows behind the page before have all come right
        ahead = [record for record in everything if record < last]
        # The row that the page ended with, others of it, the very next ones and some far behind.
        done = {*found[-3:], *found[:2], *ahead[:4], *ahead[-3::2]} - right
        with portal.connect() as connection:
            for record in done:
                quarantine.resolve(connection, record, "replayed", "t")
        right |= done
        portal.reject(DEATHS, [row(f"late{len(seen)}")])
    assert seen == sorted(set(seen), reverse=True), "each once, the newest first"
    assert set(seen) <= set(everything), "none that came after the first page"
    assert set(everything) - right <= set(seen), "all that stayed open"


def test_a_row_that_came_right_is_open_no_more(portal: Portal) -> None:
    portal.reject(DEATHS, [row("a"), row("b")])
    client, problem = portal.client("health"), known(portal)
    with portal.connect() as connection:
        first, last = quality_problems.rows(connection, problem.id, 0, 9)
        quarantine.resolve(connection, first.id, "replayed", "t")
    page = client.get(f"/health/problems/{problem.id}").text
    assert f"/rows/{first.id}" not in page
    assert f"/rows/{last.id}" in page
    assert client.get(f"/health/problems/{problem.id}/rows/{first.id}").status_code == 404
    with portal.connect() as connection:
        quarantine.resolve(connection, last.id, "replayed", "t")
    assert "已消除" in text(client.get(f"/health/problems/{problem.id}").text)
    assert listed(client.get("/health/problems").text) == []
    assert listed(client.get("/health/problems?status=ended").text) == ["姓名：必填项为空"]
    portal.reject(DEATHS, [row("a")], NOW + timedelta(days=1))
    assert (known(portal).times, known(portal).ended_at) == (2, None)


def test_values_are_shown_for_a_reason_that_is_on_record(portal: Portal) -> None:
    portal.reject(DEATHS, [Row({"person_id18": PERSON, "person_name": None}, (NAMELESS,))])
    client, problem = portal.client("health"), known(portal)
    with portal.connect() as connection:
        (kept,) = quality_problems.rows(connection, problem.id, 0, 9)
    address = f"/health/problems/{problem.id}/rows/{kept.id}"
    page = client.get(address).text
    assert PERSON not in page
    before = portal.audit()
    for reason in ("", "   ", f"看 {PERSON}"):
        refused = client.post(address, data={"csrf": token(page), "reason": reason})
        assert refused.status_code == 422
        assert PERSON not in refused.text
    assert portal.audit() == before
    shown = client.post(address, data={"csrf": token(page), "reason": "核对源系统"})
    assert PERSON in shown.text
    assert shown.headers["cache-control"] == "no-store"
    kind, subject, actor, body = portal.audit()[-1]
    assert (kind, subject, actor) == ("access.reveal", DEATHS, "health")
    assert ("核对源系统" in str(body), str(kept.id) in str(body)) == (True, True)
    assert PERSON not in str(portal.audit())


def test_a_problem_is_acknowledged_accepted_reopened_and_spoken_of(portal: Portal) -> None:
    portal.reject(DEATHS, [row("a")])
    client, problem = portal.client("health"), known(portal)
    address = f"/health/problems/{problem.id}"

    def post(step: str, **form: str) -> str:
        page = client.get(address).text
        done = client.post(f"{address}/{step}", data={**sealed(page), **form})
        assert done.status_code == 200, text(done.text)
        return text(done.text)

    assert "已受理" in post("acknowledge")
    assert known(portal).owner == "health"
    assert "暂予接受" in post("accept", until="2026-12-31", reason="源系统年底升级")
    assert (known(portal).state, known(portal).accepted_until) == ("accepted", date(2026, 12, 31))
    assert "不再接受" in post("reopen", reason="升级提前")
    assert "请核对<b>" in unescape(post("comment", text="请核对<b>"))
    with portal.connect() as connection:
        steps = [e.event for e in quality_problems.events(connection, problem.id)]
    assert steps == ["acknowledged", "accepted", "reopened", "commented"]
    entries = [e for e in portal.audit() if str(e[0]).startswith("problem.")][-4:]
    assert [e[0] for e in entries] == [f"problem.{s}" for s in steps]
    assert "升级" not in str(entries)


def test_an_acceptance_ends_with_its_day(portal: Portal) -> None:
    portal.reject(DEATHS, [row("a")])
    client, problem = portal.client("health"), known(portal)
    form = {**sealed(client.get(f"/health/problems/{problem.id}").text), "reason": "已约定"}
    for until in ("", "soon", "2026-11-23", "2028-01-01", "9999-12-31"):
        address = f"/health/problems/{problem.id}/accept"
        assert client.post(address, data={**form, "until": until}).status_code == 422, until
    client.post(f"/health/problems/{problem.id}/accept", data={**form, "until": "2026-12-10"})
    found = known(portal)
    assert found.standing(date(2026, 12, 10), 5) == "accepted"
    assert found.standing(date(2026, 12, 11), 5) == "overdue"


def test_the_second_of_two_people_is_told(portal: Portal) -> None:
    portal.reject(DEATHS, [row("a")])
    problem = known(portal)
    address = f"/health/problems/{problem.id}"
    first, second = portal.client("health"), portal.client("both")
    mine, theirs = first.get(address).text, second.get(address).text
    assert first.post(f"{address}/acknowledge", data=sealed(mine)).status_code == 200
    for step in ("acknowledge", "accept"):
        form = {**sealed(theirs), "until": "2026-12-01", "reason": "x"}
        late = second.post(f"{address}/{step}", data=form)
        assert late.status_code == 409
        assert "已有变化" in late.text
    assert known(portal).owner == "health"


def test_several_at_once_are_all_done_or_none(portal: Portal) -> None:
    some(portal)
    portal.reject(
        "education/edu_enrolment", [Row({"student_no": "s"}, (Reason("", "record.cells"),))]
    )
    theirs = known(portal, Reason("", "record.cells"), "education/edu_enrolment")
    mine = [known(portal), known(portal, FUTURE)]
    client = portal.client("health")
    page = client.get("/health/problems").text
    form = {"csrf": token(page), "action": "acknowledge"}
    both = {f"problem-{p.id}": str(p.version) for p in mine}
    foreign = client.post("/health/problems", data={**form, **both, f"problem-{theirs.id}": "0"})
    assert foreign.status_code == 404
    stale = client.post("/health/problems", data={**form, **both, f"problem-{mine[1].id}": "99"})
    assert stale.status_code == 409
    assert client.post("/health/problems", data=form).status_code == 422
    assert client.post("/health/problems", data={**form, **both, "action": "x"}).status_code == 422
    assert {known(portal).state, known(portal, FUTURE).state} == {"open"}
    assert client.post("/health/problems", data={**form, **both}).status_code == 200
    assert {known(portal).state, known(portal, FUTURE).state} == {"acknowledged"}
    assert known(portal, Reason("", "record.cells"), VISITS).state == "open"


def test_blanks_that_are_wrong_are_seen_in_clear(portal: Portal) -> None:
    portal.reject(
        DEATHS, [Row({"person_id18": f" {PERSON}\n", "person_name": "甲 某"}, (NAMELESS,))]
    )
    problem = known(portal)
    with portal.connect() as connection:
        (kept,) = quality_problems.rows(connection, problem.id, 0, 1)
    client, address = portal.client("health"), f"/health/problems/{problem.id}/rows/{kept.id}"
    form = {"csrf": token(client.get(address).text), "reason": "核对源系统"}
    page = client.post(address, data=form).text
    assert f"<bdi>⟨U+0020⟩{PERSON}⟨U+000A⟩</bdi>" in page
    assert "<bdi>甲 某</bdi>" in page


def download(portal: Portal, kind: str, user: str = "health") -> tuple[int, bytes]:
    form = {"csrf": security.token(portal.site.secret, user, NOW), "format": kind}
    found = portal.client(user).post(f"/health/problems/{known(portal).id}/rows", data=form)
    return found.status_code, found.content


def hostile(portal: Portal) -> None:
    values = {"person_id18": PERSON, "person_name": None, "death_date": "2026-11-01"}
    portal.reject(DEATHS, [Row({**values, "source_seq": "=1+2"}, (NAMELESS,)), row("b")])


def test_rows_are_downloaded_masked_as_the_agencys_block_says(portal: Portal) -> None:
    hostile(portal)
    code, content = download(portal, "csv")
    assert code == 200
    assert content.startswith("\ufeff".encode())
    found = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
    rows = sorted(found, key=lambda r: r["person_id18"])
    assert [r["person_id18"] for r in rows] == ["", "410***********0010"]
    assert rows[1]["source_seq"] == "'=1+2"
    assert rows[1]["hub_reasons"] == "姓名：必填项为空"
    assert PERSON.encode() not in content
    kind, subject, actor, body = portal.audit()[-1]
    assert (kind, subject, actor) == ("access.rows", DEATHS, "health")
    assert "masked" in str(body)
    code, content = download(portal, "xlsx")
    sheet = load_workbook(io.BytesIO(content)).active
    assert code == 200
    assert sheet is not None
    heads = [str(cell.value) for cell in sheet[1]]
    assert heads[:4] == [
        "记录号 hub_record",
        "行号 hub_row",
        "来源 hub_origin",
        "不合格原因 hub_reasons",
    ]
    assert "公民身份号码 person_id18" in heads
    place = heads.index("源序号 source_seq") + 1
    cells = [sheet.cell(line, place) for line in (2, 3)]
    assert sorted((str(c.value), c.data_type) for c in cells) == [("'=1+2", "s"), ("7", "s")]


def test_nothing_is_downloaded_without_a_block_or_while_stopped(portal: Portal) -> None:
    hostile(portal)
    assert download(portal, "exe")[0] == 422
    with portal.connect() as connection:
        agreement_lives.set_stop(connection, "health", "t", "演练", stopped=True)
    code, content = download(portal, "csv")
    with portal.connect() as connection:
        agreement_lives.set_stop(connection, "health", "t", "演练", stopped=False)
    assert (code, b"410***" in content) == (409, False)
    whole = portal.site.catalogue()
    bare = whole.agencies["health"].model_copy(update={"handback": None})
    without = replace(whole, agencies={**whole.agencies, "health": bare})
    portal.site = replace(portal.site, catalogue=lambda: without)
    assert download(portal, "csv")[0] == 409
    assert "不能下载" in portal.client("health").get(f"/health/problems/{known(portal).id}").text


def test_a_large_problem_is_downloaded_as_csv_only(portal: Portal) -> None:
    portal.reject(DEATHS, [row(f"p{n}") for n in range(MOST_IN_A_WORKBOOK + 1)])
    assert download(portal, "xlsx")[0] == 413
    code, content = download(portal, "csv")
    assert (code, content.count(b"\r\n")) == (200, MOST_IN_A_WORKBOOK + 2)


def test_english_pages_of_problems_hold_no_chinese(portal: Portal) -> None:
    some(portal)
    client = portal.client("health")
    problem = known(portal)
    with portal.connect() as connection:
        kept = quality_problems.rows(connection, problem.id, 0, 3)
    rows = [f"/{problem.id}/rows/{row.id}" for row in kept]  # some broke a rule of the contract
    for address in ("", f"/{problem.id}", *rows):
        page = client.get(f"/health/problems{address}?lang=en").text
        words = text(page.partition("</style>")[2]).replace("中文", "").replace("示例文本", "")
        assert not re.search(r"[一-鿿]", words), (address, re.findall(r"[一-鿿]+", words))
    assert "sort=rows&amp;lang=en" in client.get("/health/problems?lang=en").text


def test_the_clock_of_the_hub_decides_what_is_overdue(portal: Portal) -> None:
    portal.reject(DEATHS, [row("a")])
    later = portal.site.settings.model_copy(update={"fixed_now": NOW + timedelta(days=30)})
    portal.site = replace(portal.site, settings=later)
    assert "已逾期" in portal.client("health").get("/health/problems?status=overdue").text
    assert isinstance(later.now(), datetime)


def test_pages_follow_each_other_also_where_numbers_are_long(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each collect that counts a rule takes a number, also where its problem is there already."""
    with portal.connect() as connection:
        connection.execute("ALTER TABLE ledger.problem ALTER id RESTART 12345678901")
    some(portal)
    monkeypatch.setattr(problem_lines, "PAGE", 1)
    client = portal.client("health")
    page = client.get("/health/problems").text
    more = re.search(r'href="([^"]+)" rel="next"', page)
    assert more
    assert listed(client.get(unescape(more[1])).text) != listed(page)


def test_a_problem_whose_contract_is_gone_is_nowhere(portal: Portal) -> None:
    some(portal)
    with portal.connect() as connection:
        made = connection.execute(
            "INSERT INTO ledger.problem (dataset, field, rule, first_seen, last_seen, since)"
            " VALUES ('health/closed_ward', '', 'required', now(), now(), now()) RETURNING id"
        ).fetchone()
    assert made
    client = portal.client("health")
    form = {"csrf": token(client.get("/health/problems").text)}
    assert client.get(f"/health/problems/{made[0]}").status_code == 404
    sent = {**form, f"problem-{made[0]}": "0", "action": "acknowledge"}
    assert client.post("/health/problems", data=sent).status_code == 404


def test_values_that_were_purged_meanwhile_are_said_to_be_gone(portal: Portal) -> None:
    portal.reject(DEATHS, [row("a")])
    client, address = portal.client("health"), f"/health/problems/{known(portal).id}"
    record = re.findall(r"/rows/(\d+)", client.get(address).text)[0]
    form = {"csrf": token(client.get(f"{address}/rows/{record}").text)}
    with portal.connect() as connection:
        quarantine.purge(connection, NOW + timedelta(days=900), "test")
    before = portal.audit()
    done = client.post(f"{address}/rows/{record}", data={**form, "reason": "核对"})
    assert (done.status_code, "原值已清除" in done.text) == (200, True)
    assert portal.audit() == before, "nothing was shown"


def test_what_was_accepted_until_a_day_that_is_over_can_be_accepted_anew(portal: Portal) -> None:
    some(portal)
    problem, client = known(portal).id, portal.client("health")
    with portal.connect() as connection:
        connection.execute(
            "UPDATE ledger.problem SET state = 'accepted', accepted_until = %s WHERE id = %s",
            (NOW.date() - timedelta(days=1), problem),
        )
    page = client.get(f"/health/problems/{problem}").text
    assert (f"{problem}/accept" in page, f"{problem}/reopen" in page) == (True, False)


def test_a_dataset_that_is_only_proposed_is_not_said_to_be_silent(portal: Portal) -> None:
    known_all = portal.site.catalogue()
    proposed = known_all.contracts[VISITS].model_copy(update={"status": "proposed"})
    changed = replace(known_all, contracts={**known_all.contracts, VISITS: proposed})
    portal.site = replace(portal.site, catalogue=lambda: changed)
    assert VISITS not in portal.client("health").get("/health/problems?lang=en").text


def test_receivers_are_those_that_alarms_and_reports_name(portal: Portal) -> None:
    portal.reject(DEATHS, [row("a")])
    page = portal.client("health").get(f"/health/problems/{known(portal).id}?lang=en").text
    shown = re.findall(r"/health/agreements/([\w-]+)\?", page)
    assert sorted(shown) == [a.id for a in portal.site.catalogue().receiving(DEATHS)]
