"""Addresses that can be read in two ways are refused, and nothing of them is shown."""

from __future__ import annotations

import json

import pytest

from onecard.base import connections, uris
from onecard.errors import ConfigError
from onecard.store import database

PIECES = (
    "p@ss",
    "p#ss",
    "p/ss",
    "p?ss",
    "p[ss",
    "p]ss",
    "p%zz",
    "p ss",
    "p\tss",
    "p@#ss",
    "p\u3000ss",
)
"""Passwords that must be percent-encoded, each by another character."""
PLACES = ("postgresql", "postgres", "mysql", "mariadb", "sftp", "http", "https")


def refused(text: str, variable: str = "AIRFLOW_CONN_HRSS_DB") -> str:
    with pytest.raises(ConfigError) as caught:
        connections.parse("hrss_db", text)
    said = str(caught.value)
    assert variable in said
    return said


@pytest.mark.case("people-10", "each reserved character in a password: encode it, nothing shown")
@pytest.mark.parametrize("scheme", PLACES)
@pytest.mark.parametrize("password", PIECES)
def test_a_plain_reserved_character_is_refused_and_not_shown(scheme: str, password: str) -> None:
    said = refused(f"{scheme}://office:zq9{password}wx7@db.example/city")
    assert "percent-encode the password" in said
    assert not any(part in said for part in ("zq9", "wx7", "office", "db.example"))


@pytest.mark.case("people-10", "the hub's own address is read as strictly")
@pytest.mark.parametrize("password", PIECES)
@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_the_hubs_own_address(password: str, scheme: str) -> None:
    with pytest.raises(ConfigError, match="percent-encode the password") as caught:
        database.plain_url(f"{scheme}://office:zq9{password}wx7@db.example/city")
    assert str(caught.value).startswith("ONECARD_DATABASE_URL: ")
    assert not any(part in str(caught.value) for part in ("zq9", "wx7", "office"))


@pytest.mark.case("people-10", "what Airflow would read by itself is looked at first")
def test_the_environment_is_looked_at_before_airflow_reads_it() -> None:
    bad = {"AIRFLOW_CONN_HRSS_DB": "postgresql://u:a@b#c@host/db"}
    with pytest.raises(ConfigError, match="AIRFLOW_CONN_HRSS_DB: a reserved"):
        connections.check_environment("hrss_db", bad)
    connections.check_environment("hrss_db", {})
    connections.check_environment("hrss_db", {"AIRFLOW_CONN_HRSS_DB": '{"password": "a@b#c"}'})


@pytest.mark.case("people-10", "a login in the host's field is refused, not shown as the host")
@pytest.mark.parametrize("host", ["u:secret@db", "db#secret", "db?x=secret", "db secret"])
def test_a_host_that_holds_more_than_a_host(host: str) -> None:
    said = refused(json.dumps({"conn_type": "postgres", "host": host, "password": "p@ss#1"}))
    assert "secret" not in said
    assert "ss#1" not in said


def test_in_json_a_password_stands_as_it_is() -> None:
    word = "p@ss#1/?[]%zz x"
    found = connections.parse("a", json.dumps({"conn_type": "postgres", "password": word}))
    assert found.secret == word


def test_encoded_it_is_the_password() -> None:
    found = connections.parse(
        "a", "postgresql://u%40x:p%40s%23s%2F%3F%5B%25@h.example:5433/db?sslmode=require\n"
    )
    assert (found.login, found.secret, found.host) == ("u@x", "p@s#s/?[%", "h.example")
    assert (found.port, found.schema_, found.extra) == (5433, "db", {"sslmode": "require"})


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://host/db",
        "postgresql://u:p:q@host/db",
        "postgresql://u:p@[::1]:5432/db",
        "postgresql://postgres:@/bench?host=/tmp/socket",
        "postgresql://a:1,b:2/db?target_session_attrs=read-write",
        "sqlite:////data/a@b.db",
        "fs:///?path=%2Fdata",
        "https://api.example",
        "mysql://u:密码@host/db",
    ],
)
def test_addresses_that_have_one_meaning_pass(text: str) -> None:
    uris.check(text, "X")


@pytest.mark.parametrize("text", ["postgresql://u:s3cret", "postgresql://h:port/db", "no address"])
def test_what_is_no_address_is_named_without_its_text(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^X: ") as caught:
        uris.check(text, "X")
    assert text.rpartition("/")[2] not in str(caught.value)
