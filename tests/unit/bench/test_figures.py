"""Figures of the transfers, and the chart that is drawn from them."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from bench import chart, transfer_figures
from bench.chart import Bar
from bench.measure import Run
from bench.results import Limit
from bench.transfer_figures import Found

SVG = "{http://www.w3.org/2000/svg}"


def runs(seconds: float, cpu: float = 1.0, megabytes: float = 100.0) -> list[Run]:
    """Three rounds, of which the median is what is given."""
    return [Run(seconds * part, cpu, cpu, megabytes) for part in (0.5, 1.0, 4.0)]


def found(**more: object) -> Found:
    given = {
        "copy": runs(1.0),
        "keyed": runs(2.0, cpu=2.0),
        "first": runs(3.0, cpu=5.0),
        "same": runs(2.0),
        "changed": runs(0.5),
        "fast": runs(6.0),
        "slow": runs(1.0, cpu=0.5),
    }
    fields = {"rows": 1000, "runs": given, "double": runs(6.0, megabytes=350.0)}
    return Found(**{**fields, "shares": {"slow": 0.1}, **more})


def test_limits_are_measured_against_the_floor_with_the_key() -> None:
    measured = {limit.name.split(",")[0]: limit for limit in found().limits()}
    assert measured["first load"].measured == 1.5
    assert measured["nothing changed"].measured == 2.0
    assert measured["1% changed"].measured == 0.5
    assert measured["peak memory of ours"].measured == 350.0
    assert measured["twice the rows"].measured == 2.0
    ahead = measured["fastest peer without any check (fast)"]
    assert (ahead.measured, ahead.at_least, ahead.holds) == (2.0, True, True)


def test_a_peer_that_was_given_a_part_is_scaled() -> None:
    assert found().seconds("slow") == 10.0
    assert found().fastest() == "fast"
    assert found(shares={}).fastest() == "slow"


def test_without_peers_or_twice_the_rows_there_are_no_such_limits() -> None:
    alone = {name: made for name, made in found().runs.items() if name not in ("fast", "slow")}
    names = [limit.name.split(",")[0] for limit in found(runs=alone, double=[]).limits()]
    assert names == ["first load", "nothing changed", "1% changed", "peak memory of ours"]


def test_the_table_shows_cpu_seconds_of_client_and_server() -> None:
    section = transfer_figures.section(found(notes=("sling: cannot be had.",)))
    rows = {row[0]: row[1:] for row in section.rows}
    first = rows["**onecard collect**, first load, all checks"]
    assert first == ("3.0", "1.50", "333", "5.0", "5.0", "2.50", "100")
    slow = next(row for name, row in rows.items() if name.startswith("slow (measured on 10.0%"))
    assert slow == ("10.0", "5.00", "100", "5.0", "5.0", "2.50", "100")
    assert section.notes[-1] == "sling: cannot be had."


def test_a_server_that_cannot_be_seen_is_unknown() -> None:
    hidden = {
        name: [Run(1.0, 1.0, None, 1.0)] for name in ("copy", "keyed", "first", "same", "changed")
    }
    section = transfer_figures.section(found(runs=hidden, double=[]))
    assert {row[5] for row in section.rows} == {"unknown"}


def drawn(limits: list[Limit], *bars: Bar) -> ET.Element:
    return ET.fromstring(chart.draw(bars, limits))


def widths(picture: ET.Element) -> list[float]:
    return [float(r.get("width", "0")) for r in picture.iter(f"{SVG}rect") if r.get("x")]


def test_bars_are_as_long_as_their_ratios() -> None:
    picture = drawn(
        [Limit("first load", 1.8, 2.0)], Bar("COPY | COPY", 1.0, 0.5), Bar("a & b", 2.0, 1.0)
    )
    one, one_cpu, two, two_cpu = widths(picture)
    assert two == pytest.approx(2 * one, abs=0.2)
    assert one_cpu == pytest.approx(one / 2, abs=0.2)
    assert two_cpu == pytest.approx(one, abs=0.2)
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert "a & b" in texts
    assert "first load: 2.00 (limit 1.8): no, missed by 11%" in texts


def test_the_limit_stands_where_a_bar_of_its_length_would_end() -> None:
    picture = drawn(
        [Limit("first load", 1.8, 1.8)], Bar("ours", 1.8, 1.0, ours=True), Bar("x", 3.0, 3.0)
    )
    (line,) = [path for path in picture.iter(f"{SVG}path") if path.get("class") == "limit"]
    end = chart.LEFT + widths(picture)[0]
    assert float(line.get("d", "M0 ").split()[0][1:]) == pytest.approx(end, abs=0.2)


def test_what_is_longer_than_the_chart_is_cut_and_says_its_figure() -> None:
    picture = drawn(
        [Limit("first load", 1.8, 1.0)], Bar("ours", 1.0, 1.0), Bar("slow", 103.3, 50.0)
    )
    assert widths(picture)[2] == widths(picture)[3] <= chart.WIDTH - chart.LEFT - chart.RIGHT
    assert "103.30 →" in [text.text for text in picture.iter(f"{SVG}text")]


def test_it_can_be_read_on_dark_pages() -> None:
    assert "prefers-color-scheme: dark" in chart.draw([Bar("x", 1, 1)], [Limit("l", 1, 1)])
