"""Why a system does not let us in, told from codes, types and words; names in quotes lie."""

from __future__ import annotations

import socket
import ssl

import psycopg
import pytest
import requests
from psycopg import errors

from onecard.base import unreachable
from onecard.errors import ConfigError, SourceUnavailable
from onecard.store.refusals import refusal

HEAD = 'connection failed: connection to server at "10.1.2.3", port 5432 failed: '
SAYINGS = [
    ("Connection refused\n\tIs the server running on that host", unreachable.NO_LISTENER),
    ('FATAL:  role "timeout expired" does not exist', unreachable.NO_ROLE),
    ('FATAL:  database "password authentication failed" does not exist', unreachable.NO_DATABASE),
    ('FATAL:  password authentication failed for user "u"', unreachable.WRONG_PASSWORD),
    ("fe_sendauth: no password supplied", unreachable.NO_PASSWORD),
    ('FATAL:  no pg_hba.conf entry for host "h", user "u"', unreachable.NOT_FROM_HERE),
    ("server does not support SSL, but SSL was required", unreachable.NO_TLS),
    ("SSL error: certificate verify failed", unreachable.BAD_CERTIFICATE),
    (
        'root certificate file "/x/.postgresql/root.crt" does not exist',
        unreachable.BAD_CERTIFICATE,
    ),
    ("SSL error: unsupported protocol", unreachable.TLS_FAILED),
    ("FATAL:  sorry, too many clients already", unreachable.FULL_HOUSE),
    ('FATAL:  too many connections for role "u"', unreachable.FULL_HOUSE),
    ("FATAL:  the database system is starting up", unreachable.STARTING),
    ("FATAL:  the database system is shutting down", unreachable.STOPPING),
    ("FATAL:  the database system is in recovery mode", unreachable.RECOVERING),
    (
        'could not translate host name "h" to address: Name or service not known',
        unreachable.NO_HOST,
    ),
    ("No route to host", unreachable.NO_ROUTE),
    ("server closed the connection unexpectedly", unreachable.CLOSED),
    ('FATAL:  角色 "u" 不存在', unreachable.NO_ROLE),
    ('FATAL:  数据库 "d" 不存在', unreachable.NO_DATABASE),
    ('致命错误:  用户 "u" Password 认证失败', unreachable.WRONG_PASSWORD),
    ("FATAL:  对不起, 已经有太多的客户", unreachable.FULL_HOUSE),
]


@pytest.mark.case("people-11", "each cause of a refused session has a sentence of its own")
@pytest.mark.parametrize(("said", "why"), SAYINGS, ids=lambda x: getattr(x, "says", None))
def test_libpqs_words(said: str, why: unreachable.Reason) -> None:
    found = refusal(psycopg.OperationalError(HEAD + said))
    assert why.says in str(found)
    assert isinstance(found, SourceUnavailable if why.kind == "down" else ConfigError)
    assert "10.1.2.3" not in str(found)
    assert "ONECARD_DATABASE_URL" in str(found)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (errors.InvalidPassword("x"), unreachable.WRONG_PASSWORD),
        (errors.InvalidCatalogName("x"), unreachable.NO_DATABASE),
        (errors.TooManyConnections("x"), unreachable.FULL_HOUSE),
        (errors.CannotConnectNow("x"), unreachable.STARTING),
        (ConnectionRefusedError(), unreachable.NO_LISTENER),
        (socket.gaierror(), unreachable.NO_HOST),
        (ssl.SSLCertVerificationError(), unreachable.BAD_CERTIFICATE),
        (OSError(113, "No route"), unreachable.NO_ROUTE),
        (requests.ConnectionError(ConnectionRefusedError()), unreachable.NO_LISTENER),
        (RuntimeError(1045, "Access denied"), unreachable.WRONG_PASSWORD),
        (RuntimeError(1040, "Too many connections"), unreachable.FULL_HOUSE),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, Exception) else None,
)
def test_codes_types_and_numbers(error: Exception, why: unreachable.Reason) -> None:
    assert unreachable.of_error(error) == why


def test_the_limit_is_said_as_it_is_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unreachable.said(TimeoutError()) == ": no answer within 5 s (connect_timeout)"
    monkeypatch.setenv("ONECARD_CONNECT_TIMEOUT", "7")
    assert "within 7 s" in unreachable.said(TimeoutError())
    assert "within 2 s" in unreachable.said(TimeoutError(), {"connect_timeout": 2})


def test_a_lock_that_did_not_come_is_no_matter_of_the_network() -> None:
    found = refusal(errors.LockNotAvailable("x"))
    assert isinstance(found, SourceUnavailable)
    assert "LockNotAvailable 55P03" in str(found)


def test_what_nobody_knows_stays_unknown() -> None:
    assert unreachable.of_error(ValueError("something else")) is None
    assert unreachable.said(ValueError("something else")) == ""
