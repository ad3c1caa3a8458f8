"""Persons who are asked for in every way: nothing of them stands where it may not."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.asked import APP, F09, F10, F11, HIS, AskedHub, Person, asked_hub, person

COUNT = 300
NAME = "金丝雀"
LETTERS = "一二三四五六七八九十"


def canary(number: int) -> Person:
    """A person with a name that nobody else has."""
    return person(number, NAME + "".join(LETTERS[int(d)] for d in f"{number:03}"))


PEOPLE = [canary(n) for n in range(1, COUNT + 1)]


@pytest.fixture
def asked(tmp_path: Path, hub_database: str) -> Iterator[AskedHub]:
    with asked_hub(tmp_path / "hub", hub_database) as found:
        for who in PEOPLE[:200]:  # the others are not there
            found.card(who, fin_status="1" if who.id_number[16] == "3" else "2")
        for who in PEOPLE[:20]:
            found.insert("health/death_notice", person_id18=who.id_number)
        yield found


def ask_in_every_way(asked: AskedHub, who: Person) -> list[str]:
    """Sound calls, and calls with the person in every wrong place."""
    operator = f"N{who.card_no[-3:]}"
    body = asked.body(F09, who, operator=operator)
    path = f"/v1/{F09}/query"
    said = [
        asked.post(F10, asked.body(F10, who, operator=operator)).text,
        asked.post(F11, asked.body(F11, who, operator=operator)).text,
        asked.post(F09, {**body, "operator": who.id_number}).text,
        asked.post(F09, {**body, "case": f"JZ{who.id_number}"}).text,
        asked.post(F09, {**body, "request_id": f"r-{who.id_number}"}).text,
        asked.post(F09, {**body, who.id_number: who.name}).text,
        asked.post(F09, json.dumps(body)[:-2].encode()).text,
        asked.post(F09, body, path=f"{path}/{who.id_number}", sid="health-his").text,
        asked.post(F09, body, path=f"/v1/{who.id_number}/query", sid="health-his").text,
        asked.post(F09, body, headers={"gjgxjhpt_sid": who.id_number}).text,
    ]
    resident = {"request_id": "resident-1", "id_number": who.id_number}
    told = "/v1/disclosures"
    said.append(asked.post("", resident, sid=APP, path=told).text)
    said.append(asked.post("", {**resident, "request_id": who.id_number}, sid=APP, path=told).text)
    for agreement, where, sid, content in (
        (F09, path, HIS, {**body, "request_id": f"rid-{operator}"}),
        ("", told, APP, resident),
    ):
        data = json.dumps(content).encode()
        signed = asked.headers(where, data, sid, rid=f"r-{who.id_number}")
        said.append(asked.post(agreement, data, headers=signed, path=where).text)
    asked.post(F09, body)  # this answer may have the card
    return said


def test_nothing_of_them_is_kept_logged_or_said(
    asked: AskedHub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.WARNING)  # the test's own client
    with asked.serving():
        with ThreadPoolExecutor(6) as pool:
            said = [
                t for texts in pool.map(lambda p: ask_in_every_way(asked, p), PEOPLE) for t in texts
            ]
        asked.execute("ALTER TABLE ledger.question RENAME TO question_gone")
        said += [asked.post(F09, asked.body(F09, who)).text for who in PEOPLE[:20]]
        asked.execute("ALTER TABLE ledger.question_gone RENAME TO question")
        with psycopg.connect(asked.address) as connection:
            answered = connection.execute("SELECT count(*) FROM ledger.question").fetchone()
    assert answered is not None
    assert answered[0] >= COUNT
    values = {v.encode() for who in PEOPLE for v in who.values}
    forms = re.compile(b"|".join(map(re.escape, sorted(values))))
    places = {"answers": "\n".join(said).encode(), "log": caplog.text.encode()}
    places |= {n: t for n, t in tables(asked.address) if not n.startswith("registry.")}
    for file in asked.home.rglob("*"):
        if file.is_file() and file.name != "keys.json":
            places[str(file)] = file.name.encode() + file.read_bytes()
    found = {name: len(forms.findall(text)) for name, text in places.items()}
    assert {name: n for name, n in found.items() if n} == {}
    registry = b"".join(t for n, t in tables(asked.address) if n.startswith("registry."))
    assert forms.search(registry), "the search itself finds them where they are"


def tables(address: str) -> Iterator[tuple[str, bytes]]:
    """Every table's rows as text."""
    with psycopg.connect(address) as connection:
        listed = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN"
            " ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in listed:
            with connection.cursor().copy(
                f'COPY (SELECT * FROM "{schema}"."{table}") TO STDOUT'
            ) as copy:
                yield f"{schema}.{table}", b"".join(bytes(part) for part in copy)
