"""F27, F28, F29: a CSV's encodings and disguised ID numbers, from the SFTP folder to quarantine."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from demo.defects import checked
from onecard.errors import ProtocolError
from onecard.store import database, quarantine
from tests.cities import Cities
from tests.faults.pupils import PUPILS, Pupils
from tests.faults.sources import World, world

RARE = "㐀𠮷䶮"
"""Of CJK extensions A and B: GB18030 has them, GBK has not."""


@pytest.fixture(scope="module")
def pupils(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[Pupils]:
    with world(tmp_path_factory.mktemp("values"), cities, persons=300) as city:
        yield Pupils(city)


@pytest.fixture(autouse=True)
def fresh(pupils: Pupils) -> None:
    pupils.city.forget(PUPILS)


def published(city: World, number: str) -> dict[str, str]:
    """Name and ID number of a pupil in the registry."""
    with city.hub_database() as connection:
        rows = connection.execute(
            "SELECT person_name, person_id18 FROM registry.education__edu_enrolment"
            " WHERE student_no = %s",
            (number,),
        ).fetchall()
    return {"name": rows[0][0], "id": rows[0][1]} if rows else {}


def quarantined(city: World) -> list[tuple[str | None, set[str]]]:
    """ID numbers as they came, and the rules that they broke."""
    hub = city.hub()
    with database.connect(hub.address, autocommit=True) as connection:
        return [
            (
                quarantine.reveal(connection, found.id, hub.keys)[1]["person_id18"],
                {rule for _, rule in found.reasons},
            )
            for found in quarantine.records(connection, PUPILS)
        ]


@pytest.mark.fault("F27", "a rare name comes through a collect as it is")
def test_rare_names_in_gb18030(pupils: Pupils) -> None:
    first, *others = pupils.rows
    pupils.put([first | {"XM": RARE}, *others])
    assert pupils.city.collect(PUPILS).quarantined == 0
    assert published(pupils.city, first["student_no"])["name"] == RARE


@pytest.mark.fault("F27", "a collect of UTF-8 that is declared GB18030 fails; nothing is published")
def test_utf8_where_gb18030_is_declared(pupils: Pupils) -> None:
    pupils.put(pupils.rows, encoding="utf-8")
    told = pupils.city.fails(PUPILS, ProtocolError, "the file is UTF-8")
    assert pupils.rows[0]["XM"] not in told
    pupils.put(pupils.rows)
    assert pupils.city.collect(PUPILS).published == len(pupils.rows)


@pytest.mark.fault("F27", "bytes of another encoding cost their rows, which are counted")
def test_bytes_that_are_no_gb18030(pupils: Pupils) -> None:
    pupils.put(pupils.rows)
    lines = pupils.file.read_bytes().split(b"\r\n")
    name = pupils.rows[3]["XM"].encode("gb18030")
    lines[4] = lines[4].replace(name, b"\xff\xfe")
    pupils.replace(b"\r\n".join(lines), len(pupils.rows))
    counts = pupils.city.collect(PUPILS)
    assert (counts.rows_read, counts.quarantined) == (len(pupils.rows), 1)
    assert pupils.city.reasons(PUPILS) == {("", "record.encoding")}
    assert published(pupils.city, pupils.rows[3]["student_no"]) == {}


def fits(number: str) -> bool:
    """Whether a number has the right check character."""
    return checked(number[:17]) == number


DISGUISES: list[tuple[str, Callable[[str], str], str]] = [
    (
        "full width",
        lambda v: v.translate({ord(d): ord(d) + 0xFEE0 for d in "0123456789"}),
        "format",
    ),
    ("one full-width digit", lambda v: chr(ord(v[0]) + 0xFEE0) + v[1:], "format"),
    ("a line end", lambda v: v + "\n", "format"),
    ("a carriage return", lambda v: v + "\r", "format"),
    ("a blank inside", lambda v: v[:6] + " " + v[6:], "format"),
    ("blanks around", lambda v: f" {v} ", "format"),
    ("an ideographic space", lambda v: v + "\u3000", "format"),
    ("a zero-width space", lambda v: v[:6] + "\u200b" + v[6:], "format"),
    ("an apostrophe", lambda v: "'" + v, "format"),
    ("a float", lambda v: f"{float(v[:17] + '0'):.11e}", "format"),
    ("a float written out", lambda v: f"{float(v[:17] + '0'):.1f}", "format"),
    ("a spreadsheet", lambda v: v[:15] + "000", "rounded"),
]


@pytest.mark.fault("F28", "each disguise is quarantined as it came; no ID number is normalised")
@pytest.mark.fault("F29", "a number that went through a float or a spreadsheet is quarantined")
def test_disguised_id_numbers(pupils: Pupils) -> None:
    # Of rounded numbers one in eleven has the right check character, and looks like any other.
    rows = sorted(pupils.rows, key=lambda row: fits(row["SFZJH"][:15] + "000"))
    head, rest = rows[: len(DISGUISES)], rows[len(DISGUISES) :]
    changed = [
        disguise(row["SFZJH"]) for row, (_, disguise, _) in zip(head, DISGUISES, strict=True)
    ]
    pupils.put([*(r | {"SFZJH": v} for r, v in zip(head, changed, strict=True)), *rest])
    counts = pupils.city.collect(PUPILS)
    assert (counts.quarantined, counts.published) == (len(DISGUISES), len(rest))
    held = dict(quarantined(pupils.city))
    assert set(held) == set(changed), "each value as it came"
    for value, (name, _, rule) in zip(changed, DISGUISES, strict=True):
        assert f"id_number.{rule}" in held[value], name
    assert all(published(pupils.city, row["student_no"]) == {} for row in head)
