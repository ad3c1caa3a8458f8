"""Five hundred canaries go through a night in which everything fails: nothing of them gets out.

Their names begin with three characters that no other resident has, their mobiles with digits
that nobody else's begin with; and no ID number of anybody may stand anywhere but in registry,
sealed quarantine and delivered payloads.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import psycopg
import pytest

from demo.calendar import Day
from demo.people import People, block
from demo.planting import Planter
from demo.rehearsal import REPOSITORY, Rehearsal
from demo.tables import append_postgres
from demo.world import STOCK
from onecard.store import database, quarantine
from schemas.models import catalogue
from tests import forked
from tests.cities import Cities, with_airflow
from tests.sampling import sampled

COUNT = 500
NAME, MOBILE = "金丝雀", "1990000"
LETTERS = "一二三四五六七八九十"


def canaries() -> People:
    """People who live nowhere else, with names and mobiles of their own."""
    people = block(77, 900_000, COUNT, Day(0).date)
    names = [NAME + "".join(LETTERS[int(d)] for d in f"{n:03}") for n in range(COUNT)]
    mobiles = [f"{MOBILE}{n:04}" for n in range(COUNT)]
    frame = people.frame.with_columns(
        person_name=pl.Series(names), mobile=pl.Series(mobiles), has_card=pl.lit(value=True)
    )
    return People(people.chance, frame)


def plant(stage: Rehearsal) -> None:
    """Into the bureau's own tables; every fifth row breaks a rule."""
    people, known = canaries(), catalogue.load()
    from demo.world import DAILY

    for dataset in ("hrss/card_master", "hrss/subsidy_payment", "hrss/pension_status"):
        contract = known.contract(dataset)
        rows = {**STOCK, **DAILY}[dataset](people, Day(0))
        planter = Planter(contract, 3, 0, as_text=False, rate=0.2)
        table = str(contract.source.options["table"])
        append_postgres(stage.city.postgres_url, "hrss", table, contract, planter.spoil(rows))


class Echo(BaseHTTPRequestHandler):
    """A receiver that refuses and repeats what it was sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def echo() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def onecard(stage: Rehearsal, *arguments: str, **more: str) -> str:
    """Everything that a command of ours says."""
    done = forked.onecard(stage.at(0) | {"TMPDIR": str(stage.home / "tmp")} | more, *arguments)
    return done.stdout + done.stderr


def killed(stage: Rehearsal, *arguments: str) -> str:
    """The same, ended by SIGKILL on its way."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.integration.run_onecard", *arguments],
        env=stage.at(0) | {"TMPDIR": str(stage.home / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=REPOSITORY,
    )
    time.sleep(1.2)
    process.send_signal(signal.SIGKILL)
    return process.communicate()[0]


def forms() -> re.Pattern[bytes]:
    """How a canary could be spelt, in any store."""
    raw = NAME.encode()
    aligned = [
        base64.b64encode(b"0" * k + raw)[(4 if k else 0) : 12].rstrip(b"=") for k in range(3)
    ]
    escaped = NAME.encode("unicode_escape")
    names = [raw, NAME.encode("gb18030"), NAME.encode("utf-16-le"), raw.hex().encode(), escaped]
    double = escaped.replace(b"\\", b"\\\\")
    number = rb"410199(?:19|20)[0-9]{9}[0-9X]"
    return re.compile(b"|".join([*map(re.escape, [*names, double, *aligned]), number]))


FORMS = forms()
MOBILES = re.compile(MOBILE.encode() + rb"[0-9]{4}")
DIGEST = re.compile(rb"(?=[0-9]*[a-f])[0-9a-f]{16,}")
"""Its digits may be those of a mobile by chance; mobiles that stand side by side are none."""


def leaked(content: bytes) -> bool:
    """Whether a canary stands there, in any spelling."""
    return bool(FORMS.search(content) or MOBILES.search(DIGEST.sub(b"-", content)))


def tables(url: str, spared: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Every table's rows as text."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN"
            " ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in found:
            if schema in spared:
                continue
            with connection.cursor().copy(
                f'COPY (SELECT * FROM "{schema}"."{table}") TO STDOUT'
            ) as copy:
                yield f"{schema}.{table}", b"".join(bytes(part) for part in copy)


def files(stage: Rehearsal) -> Iterator[tuple[str, bytes]]:
    """Every file of the hub's: not the agencies' own systems, not the key file."""
    for file in stage.home.rglob("*"):
        own = stage.home / "city" in file.parents or file.name == "keys.json"
        if file.is_file() and not own:
            yield str(file.relative_to(stage.home)), file.name.encode() + file.read_bytes()


def nightly(stage: Rehearsal, refusing: str) -> str:
    """What `onecard nightly` says, while the bank's system refuses every row and says it back."""
    return onecard(stage, "nightly", AIRFLOW_CONN_BANK_API=refusing)


def by_airflow(stage: Rehearsal, refusing: str) -> str:
    """What Airflow says of the same night."""
    log = subprocess.run(
        [sys.executable, REPOSITORY / "dags" / "night.py"],
        env=with_airflow(stage).at(0)
        | {"AIRFLOW_CONN_BANK_API": refusing, "TMPDIR": str(stage.home / "tmp")},
        capture_output=True,
        text=True,
        check=False,
    )
    return log.stdout + log.stderr


NIGHTS = {"command": nightly, "airflow": by_airflow}


@pytest.mark.fault("F34", "found nowhere but in store, quarantine and payload")
@pytest.mark.parametrize("how", sampled(["command", "airflow"], ["command"]))
def test_nothing_of_a_canary_gets_out(tmp_path: Path, cities: Cities, echo: int, how: str) -> None:
    with cities.start(tmp_path / "stage", persons=1_000, seed=4) as stage:
        plant(stage)
        (stage.home / "tmp").mkdir()
        with psycopg.connect(stage.city.postgres_url, autocommit=True) as connection:
            table = catalogue.load().agreement("f17-hrss-hrss-subsidy-failure").delivery
            assert table is not None
            connection.execute("CREATE SCHEMA IF NOT EXISTS inbox")
            connection.execute(
                f"CREATE TABLE inbox.{table.options['table']} (person_id18 text CHECK"
                " (person_id18 = ''), pay_id text PRIMARY KEY, pay_status text,"
                " fail_reason text, delivery_id text, received_at timestamp)".encode()
            )
        said = {"killed collect": killed(stage, "collect", "hrss")}
        refusing = json.dumps({"conn_type": "http", "host": "127.0.0.1", "port": echo,
                               "login": "hub", "password": "x"})  # fmt: skip
        said["night"] = NIGHTS[how](stage, refusing)
        said["refused"] = onecard(stage, "deliver", "bank", AIRFLOW_CONN_BANK_API=refusing)
        said["database error"] = onecard(stage, "deliver", "f17-hrss-hrss-subsidy-failure")
        said["killed deliver"] = killed(stage, "deliver", "bank")
        for line in (
            "status", "quarantine list", "quarantine show 1", "receipts list", "audit list",
            "agreements list", "agreements page", "nightly",
        ):  # fmt: skip
            said[line] = onecard(stage, *line.split())
        said["export"] = onecard(stage, "audit", "export", str(stage.home / "export"))

        assert "HTTP 400" in said["refused"]
        assert "f17" in said["database error"]
        assert "error" in said["database error"].lower() or "refused" in said["database error"]
        hub_url = stage.environment["ONECARD_DATABASE_URL"]
        with database.connect(hub_url, autocommit=True) as connection:
            held = quarantine.records(connection, "hrss/card_master")
            keys = stage.hub(0).keys
            names = [quarantine.reveal(connection, r.id, keys)[1]["person_name"] for r in held]
        assert any(name and name.startswith(NAME) for name in names)
        sent = str([f.to_dicts() for f in stage.city.inbox("bank").values()])
        assert NAME in sent

        places = [(f"output of {name}", text.encode()) for name, text in said.items()]
        places += list(files(stage))
        places += list(tables(hub_url, ("registry", "staging")))
        if how == "airflow":
            url = stage.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
            places += list(tables(url.replace("+psycopg", ""), ()))
        assert len(places) > 60
        leaks = [name for name, content in places if leaked(content)]
    assert leaks == []


def test_the_patterns_find_a_canary_in_every_spelling() -> None:
    name = f"{NAME}一二三"
    spelt = [
        name.encode(), name.encode("gb18030"), json.dumps(name).encode(), name.encode().hex().encode(),
        base64.b64encode(name.encode()), base64.b64encode(b"x" + name.encode()),
        base64.b64encode(b"xy" + name.encode()), b"410199194901010014", b"19900000001",
        json.dumps(json.dumps(name)).encode(), os.fsencode(name), b"1990000000119900000002",
        b"ab" * 20 + name.encode().hex().encode() + b"ab" * 20,
    ]  # fmt: skip
    assert all(leaked(b"..." + text + b"...") for text in spelt)
    assert not leaked("张三 410105 card_master 4101991949".encode())
    assert not leaked(b"digest 0c19900000001f62e4d7")
