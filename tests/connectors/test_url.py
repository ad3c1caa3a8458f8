"""Addresses of agencies' databases: libpq reads out of them what the connection says."""

from __future__ import annotations

import subprocess
import sys

import pytest
from psycopg.conninfo import conninfo_to_dict

from connectors.sql.url import address
from tests.connectors.systems import conn

HARD = "p w+%:@/?#[]é"


@pytest.mark.parametrize("host", ["localhost", "::1", "db.example", "/run/postgresql"])
def test_every_part_comes_out_as_it_went_in(host: str) -> None:
    options = "-c search_path=a,b"
    made = conn(
        conn_type="postgres",
        host=host,
        port=5433,
        login=HARD,
        password=HARD,
        schema=HARD,
        extra={"options": options, "connect_timeout": 9},
    )
    found = conninfo_to_dict(address(made))
    assert (found["user"], found["password"], found["dbname"]) == (HARD, HARD, HARD)
    assert (found["host"], found["port"]) == (host, "5433")
    assert (found["options"], found["connect_timeout"]) == (options, "9")


@pytest.mark.parametrize("password", [None, ""])
def test_what_is_absent_stays_absent(password: str | None) -> None:
    found = conninfo_to_dict(address(conn(conn_type="postgres", password=password)))
    assert {"user", "password", "port", "dbname"} & set(found) == set()


def test_reading_postgresql_loads_no_sqlalchemy() -> None:
    lines = (
        "import sys, connectors, connectors.sql.read_postgres",
        "connectors.connector('sql')",
        "print('sqlalchemy' in sys.modules, 'adbc_driver_manager' in sys.modules)",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False False"
