"""Lineage in the portal: what concerns the page, as a picture and as tables; nobody else's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from onecard.base.times import iso
from onecard.observe import lineage_kept
from onecard.observe.lineage_flow import PRODUCER
from onecard.portal import flow_chart
from onecard.portal.flow_chart import Box, Chart
from onecard.store import transfers
from tests.unit.portal.conftest import APPROVED, NOW, Portal
from tests.unit.portal.test_pages import text

ENGINEER = "li/Admin"
DEATHS = "health/death_notice"


@pytest.fixture(autouse=True)
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No events are asked for, whatever the surroundings say."""
    for name in ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE_DISABLED"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in which events are kept."""
    file = tmp_path / "events.jsonl"
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(file))
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__APPEND", "true")
    return file


def event(job: str, state: str, source: str, target: str, **more: object) -> dict[str, object]:
    """An event as the hub writes it, with what the page reads."""
    output = {"namespace": "postgres://hub:5432", "name": target, "facets": {}, **more}
    return {
        "eventType": state,
        "eventTime": iso(NOW),
        "producer": PRODUCER,
        "run": {"runId": "1", "facets": {}},
        "job": {"namespace": "onecard", "name": job},
        "inputs": [{"namespace": "https://h.example:443", "name": source, "facets": {}}],
        "outputs": [output],
    }


def rows_of(page: str, heading: str) -> list[str]:
    """Texts of the rows of the table below a heading."""
    table = page.partition(f'<h2 id="{heading}">')[2].partition("</table>")[0]
    return [text(row) for row in table.partition("<tbody>")[2].split("</tr>") if "<t" in row]


def picture(page: str) -> str:
    found = re.search(r"<svg.*</svg>", page, re.DOTALL)
    assert found
    return found[0]


def test_without_events_the_ledger_and_the_contracts_tell(portal: Portal) -> None:
    portal.collect(DEATHS, 1_234, {})
    page = portal.client(ENGINEER).get("/engineer/lineage")
    assert page.status_code == 200
    assert "本机没有保存 OpenLineage 事件" in page.text
    (line,) = [row for row in rows_of(page.text, "datasets") if DEATHS in row]
    assert "成功" in line
    assert "1,234" in line
    assert "2026" in line
    known = portal.site.catalogue()
    for dataset in known.collected:
        assert any(dataset in row for row in rows_of(page.text, "datasets")), dataset
    delivered = [a for a in known.agreements.values() if a.delivered]
    assert len(rows_of(page.text, "deliveries")) == len(delivered) > 10
    drawn = picture(page.text)
    assert 'role="img"' in drawn
    assert "<title" in drawn
    assert "<desc" in drawn
    assert drawn.count("<rect") >= len(known.collected) + len(delivered)
    for forbidden in ("style=", "<script", "<a ", "href"):
        assert forbidden not in drawn


def test_a_steward_sees_what_concerns_the_agency(portal: Portal) -> None:
    page = portal.client("health").get("/health/lineage").text
    known = portal.site.catalogue()
    shown = rows_of(page, "deliveries")
    for agreement in known.agreements.values():
        concerned = agreement.consumer == "health" or any(
            d.startswith("health/") for d in agreement.datasets
        )
        found = any(agreement.id in row for row in shown)
        assert found == (concerned and agreement.delivered), agreement.id
    for row in rows_of(page, "datasets"):
        if "health/" not in row:  # read under an agreement, from a source that is not shown
            dataset = next(d for d in known.contracts if d in row)
            assert known.contracts[dataset].source.connection not in page
    assert any(DEATHS in row and "health_api" in row for row in rows_of(page, "datasets"))


def test_one_dataset_shows_what_lies_before_and_behind_it(portal: Portal) -> None:
    page = portal.client("health").get(f"/health/lineage?dataset={DEATHS}").text
    assert [DEATHS in row for row in rows_of(page, "datasets")].count(True) == 1
    contract = portal.site.catalogue().contract(DEATHS)
    agreement = portal.site.catalogue().agreement(APPROVED)
    columns = rows_of(page, "columns")
    for field in contract.fields:
        assert any(DEATHS in row and field.native in row for row in columns), field.name
    treated = [f for f in agreement.fields if f.origin and "." not in f.origin]
    for shared in treated:
        assert any(APPROVED in row and shared.name in row for row in columns), shared.name
    whole = portal.client("health").get("/health/lineage").text
    assert rows_of(whole, "columns") == []


@pytest.mark.parametrize(
    ("address", "user", "dataset"),
    [
        ("/transport/lineage", "bus/onecard-transport", "health/health_visit"),
        ("/health/lineage", "health", "health/nothing"),
        ("/engineer/lineage", ENGINEER, "health/nothing"),
        ("/engineer/lineage", ENGINEER, "<script>"),
    ],
)
def test_a_dataset_that_does_not_concern_the_page_is_not_found(
    portal: Portal, address: str, user: str, dataset: str
) -> None:
    found = portal.client(user).get(address, params={"dataset": dataset})
    assert found.status_code == 404


def test_events_that_are_kept_are_what_is_drawn(portal: Portal, told: Path) -> None:
    table = portal.site.catalogue().contract(DEATHS).table
    counted = {"outputFacets": {"outputStatistics": {"rowCount": 77}}}
    target = f"hub.registry.{table}"
    lines = [
        json.dumps(event(f"collect.{DEATHS}", "START", "/v1/deaths", target)),
        json.dumps(event(f"collect.{DEATHS}", "COMPLETE", "/v1/deaths", target, **counted)),
        "half a li",
    ]
    told.write_text("\n".join(lines), encoding="utf-8")
    page = portal.client("health").get("/health/lineage").text
    (line,) = [row for row in rows_of(page, "datasets") if DEATHS in row]
    assert "/v1/deaths" in line
    assert "https://h.example:443" in line
    assert "成功" in line
    assert "77" in line
    assert "没有事件的" in page


@pytest.mark.parametrize(
    ("message", "says"),
    [("HoldError: it waits", "待人工处理"), ("SourceUnavailable: gone", "失败"), ("", "失败")],
)
def test_a_run_that_ended_otherwise_is_marked_in_words(
    portal: Portal, told: Path, message: str, says: str
) -> None:
    made = event(f"collect.{DEATHS}", "FAIL", "/v1/deaths", "x.y")
    made["run"] = {"runId": "1", "facets": {"errorMessage": {"message": message}}}
    told.write_text(json.dumps(made), encoding="utf-8")
    page = portal.client("health").get("/health/lineage").text
    (line,) = [row for row in rows_of(page, "datasets") if DEATHS in row]
    assert says in line
    assert says in picture(page)
    assert 'class="bad"' in picture(page)


def hostile_events() -> Iterator[object]:
    """What stands in such a file and is no event of the hub, or a strange one."""
    sound = event(f"collect.{DEATHS}", "COMPLETE", "<script>alert(1)</script>", "x.\u202ey")
    yield from (None, 7, [], {}, "x", {"eventType": "COMPLETE"})
    yield {**sound, "producer": "urn:somebody"}
    yield {**sound, "eventTime": "yesterday"}
    yield {**sound, "eventTime": "2026-11-24T02:00:00"}
    yield {**sound, "outputs": []}
    yield {**sound, "inputs": 5}
    yield {**sound, "job": {"name": "collect.nobody/knows"}}
    yield {**sound, "job": {"name": "deliver.<script>"}}
    yield sound


def test_a_hostile_file_of_events_is_harmless(portal: Portal, told: Path) -> None:
    told.write_text("\n".join(json.dumps(e) for e in hostile_events()), encoding="utf-8")
    page = portal.client(ENGINEER).get("/engineer/lineage")
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "\u202e" not in page.text
    assert "nobody/knows" not in page.text


def test_a_file_that_is_not_there_yet_leaves_it_to_the_ledger(portal: Portal, told: Path) -> None:
    page = portal.client("health").get("/health/lineage")
    assert "本机没有保存 OpenLineage 事件" in page.text


def test_no_more_is_read_than_the_end_of_the_file(
    portal: Portal, told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = json.dumps(event(f"collect.{DEATHS}", "COMPLETE", "/early", "x.y"))
    told.write_text(early + "\n" + "\n".join(["{}"] * 2_000), encoding="utf-8")
    assert "/early" in portal.client("health").get("/health/lineage").text
    monkeypatch.setattr(lineage_kept, "MOST", 1_000)
    assert "/early" not in portal.client("health").get("/health/lineage").text


def test_where_events_are_kept_is_said_by_openlineages_own_settings(tmp_path: Path) -> None:
    kept = {
        "OPENLINEAGE__TRANSPORT__TYPE": "file",
        "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH": "/var/events",
    }
    found = lineage_kept.files(kept)
    assert found is not None
    assert (str(found.path), found.append) == ("/var/events", False)
    local = {**kept, "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH": Path("/var/my events").as_uri()}
    found = lineage_kept.files(local)
    assert found is not None
    assert str(found.path) == "/var/my events"
    config = tmp_path / "openlineage.yml"
    config.write_text("transport: {type: file, log_file_path: /var/x, append: true}\n")
    found = lineage_kept.files({"OPENLINEAGE_CONFIG": str(config)})
    assert found is not None
    assert (str(found.path), found.append) == ("/var/x", True)
    for elsewhere in (
        {},
        {"OPENLINEAGE_URL": "http://x"},
        {**kept, "OPENLINEAGE_DISABLED": "true"},
        {**kept, "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH": "s3://bucket/events"},
        {"OPENLINEAGE_CONFIG": str(tmp_path / "nothing.yml")},
    ):
        assert lineage_kept.files(elsewhere) is None


def test_a_file_for_each_event_is_read_as_well(
    portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(tmp_path / "e"))
    made = event(f"collect.{DEATHS}", "COMPLETE", "/one-by-one", "x.y")
    (tmp_path / "e-20261124-020000.000001.json").write_text(json.dumps(made), encoding="utf-8")
    assert "/one-by-one" in portal.client("health").get("/health/lineage").text


def test_of_files_for_each_event_the_newest_are_read(
    tmp_path: Path, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many, and no more bytes of them together; one that is no file is left out."""
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "file")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__LOG_FILE_PATH", str(tmp_path / "e"))
    jobs = ("health/death_notice", "hrss/card_master", "hrss/card_status_event")
    for number, dataset in enumerate(jobs):
        made = json.dumps(event(f"collect.{dataset}", "COMPLETE", f"/number-{number}", "x.y"))
        (tmp_path / f"e-2026112{number}.json").write_text(made, encoding="utf-8")
    (tmp_path / "e-30000101.json").mkdir()
    (tmp_path / "f-20261124.json").write_text("{}", encoding="utf-8")
    size = (tmp_path / "e-20261122.json").stat().st_size

    def read() -> list[int]:
        page = portal.client(ENGINEER).get("/engineer/lineage").text
        return [number for number in range(len(jobs)) if f"/number-{number}" in page]

    assert read() == [0, 1, 2]
    monkeypatch.setattr(lineage_kept, "MOST_FILES", 3)
    assert read() == [1, 2]
    monkeypatch.setattr(lineage_kept, "MOST", size)
    assert read() == [2]
    monkeypatch.setattr(lineage_kept, "MOST", size - 1)
    assert read() == []


def test_english_is_complete(portal: Portal) -> None:
    with portal.connect() as connection:
        transfers.open_transfer(connection, "collect", DEATHS, "1", NOW)
    for address in ("/engineer/lineage", f"/health/lineage?dataset={DEATHS}"):
        mark = "&" if "?" in address else "?"
        page = portal.client(ENGINEER).get(f"{address}{mark}lang=en")
        said = text(page.text.partition("</style>")[2]).replace("中文", "")
        assert not re.search(r"[一-鿿]", said), re.findall(r"[一-鿿]+", said)


def chart(boxes: list[list[Box]], arrows: list[tuple[str, str]]) -> str:
    return str(flow_chart.drawn(Chart(["a", "b"], boxes, arrows, "<t>", "<d>")))


def test_a_chart_is_always_the_same_and_its_boxes_stand_apart() -> None:
    first = [Box(f"s{n}", f"source {n}") for n in range(5)]
    second = [Box(f"d{n}", "很长的标题" * 9, "note", bad=n == 1) for n in range(9)]
    arrows = [(f"s{n % 5}", f"d{n}") for n in range(9)]
    drawn = chart([first, second], arrows)
    assert drawn == chart([first, second[::-1]], arrows)
    assert "&lt;t&gt;" in drawn
    assert "…" in drawn
    places = [(int(x), int(y)) for x, y in re.findall(r'<rect[^>]* x="(\d+)" y="(\d+)"', drawn)]
    assert len(set(places)) == 14
    by_column: dict[int, list[int]] = {}
    for x, y in places:
        by_column.setdefault(x, []).append(y)
    for column in by_column.values():
        listed = sorted(column)
        assert all(b - a >= flow_chart.HEIGHT for a, b in pairwise(listed))
    height = re.search(r'height="(\d+)"', drawn)
    assert height
    assert max(y for _, y in places) + flow_chart.HEIGHT <= int(height[1])
    assert chart([[], []], []).startswith("<svg")


def test_a_text_is_cut_where_it_has_no_room() -> None:
    assert flow_chart.fitted("短", 4) == "短"
    assert flow_chart.fitted("四个汉字", 8) == "四个汉字"
    assert flow_chart.fitted("五个汉字啊", 8) == "五个汉…"
    assert flow_chart.fitted("abcdefgh", 4) == "abc…"
