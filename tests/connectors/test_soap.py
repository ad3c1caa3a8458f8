"""Web services: requests, logins, faults, answers that are none, references, and what lint says."""

from __future__ import annotations

import gzip
import logging
import re
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import connectors
from connectors.inspect.describe import describe
from connectors.inspect.probe import probe
from connectors.soap import client as soap_client
from connectors.soap import envelope as soap_envelope
from connectors.soap import references, wsdl
from connectors.soap.connector import SoapConnector
from connectors.soap.message import message
from connectors.soap.options import SoapSource
from onecard.base.connections import Connection
from onecard.errors import (
    ConfigError,
    OnecardError,
    ProtocolError,
    SchemaMismatch,
    SourceUnavailable,
    StorageError,
)
from onecard.ports.choice import Only
from onecard.ports.source import Chunk, Column, ReadPart, ReadRequest
from schemas.models.partition import ByParameter
from tests import soap_service
from tests.connectors import type_runs
from tests.connectors.systems import COLUMNS, conn, rows, texts
from tests.soap_service import (
    ENCODED,
    KEYSET,
    LOGIN,
    NUMBERED,
    OPTIONS,
    READERS,
    SECRET,
    TYPES,
    Reply,
    Service,
    envelope,
    fault,
    written,
)

PERSON = "410199194901010014"
"""Stands in answers, and may stand in no message."""
ENCODED_OPTIONS = {
    **OPTIONS,
    "wsdl": "services/encoded.wsdl",
    "operation": "listRows",
    "record": "/e:listRowsResponse/listRowsReturn/listRowsReturn",
    "namespaces": {"e": ENCODED},
    "params": {"unit": "A01"},
}


@pytest.fixture
def service() -> Iterator[Service]:
    with soap_service.service() as found:
        yield found


def system(service: Service, **more: Any) -> Connection:
    return conn(
        conn_type="http",
        host="127.0.0.1",
        port=service.server_address[1],
        **{"login": LOGIN, "password": SECRET, **more},
    )


def request(columns: tuple[str, ...] = COLUMNS, **options: Any) -> ReadRequest:
    found = SoapSource.model_validate({**OPTIONS, **options})
    named = tuple(Column(f"f_{name.replace(':', '_')}", name) for name in columns)
    return ReadRequest("agency/dataset", named, found, key=("f_key",))


def read(service: Service, asked: ReadRequest | None = None, **options: Any) -> list[Chunk]:
    return list(SoapConnector().read(system(service), asked or request(**options)))


def lines(chunks: list[Chunk]) -> list[dict[str, Any]]:
    return [row for chunk in chunks for row in chunk.batch.to_pylist()]


def silent(error: BaseException) -> str:
    said = str(error)
    assert PERSON not in said
    assert SECRET not in said
    return said


def refused(service: Service, kind: type[OnecardError], says: str, **options: Any) -> str:
    with pytest.raises(kind, match=says) as caught:
        read(service, **options)
    return silent(caught.value)


# --- requests and logins


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("password", ["text", "digest"])
def test_the_login_of_each_message_is_right_and_fresh(
    service: Service, version: str, password: str
) -> None:
    service.login, service.script = password, [503, 429]
    service.rows = [texts(r) for r in rows(25)]
    security = {"kind": "username_token", "password": password}
    found = read(service, version=version, security=security, paginator=KEYSET)
    assert len(lines(found)) == 25
    assert {call.version for call in service.calls} == {version}
    assert len(service.calls) == 5, "three pages, and two that came while it was busy"
    nonces = [call.token.get("Nonce") for call in service.calls]
    assert len(set(nonces)) == (5 if password == "digest" else 1)
    assert all((SECRET in call.token.values()) == (password == "text") for call in service.calls)


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize("password", ["text", "digest"])
def test_a_login_that_is_refused_is_not_tried_again_and_not_shown(
    service: Service, version: str, password: str
) -> None:
    service.login = password
    wrong = system(service, password="another-s3cret")
    asked = request(version=version, security={"kind": "username_token", "password": password})
    with pytest.raises(ConfigError, match="SOAP fault, login refused") as caught:
        list(SoapConnector().read(wrong, asked))
    assert "another-s3cret" not in silent(caught.value)
    assert len(service.calls) == 1


def test_every_call_is_signed_as_the_platform_wants_it(service: Service) -> None:
    service.login, service.rows = "signature", [texts(r) for r in rows(12)]
    found = read(service, auth={"kind": "platform_signature"}, paginator=NUMBERED)
    assert len(lines(found)) == 12
    assert len({call.headers["gjgxjhpt_rid"] for call in service.calls}) == len(service.calls) > 2


@pytest.mark.parametrize("more", [{"login": None}, {"password": None}])
def test_a_login_that_is_not_there_is_named(service: Service, more: dict[str, Any]) -> None:
    asked = request(security={"kind": "username_token", "password": "text"})
    with pytest.raises(ConfigError, match="no login or password"):
        list(SoapConnector().read(system(service, **more), asked))


def test_a_login_that_no_xml_can_carry_is_named_not_shown(service: Service) -> None:
    asked = request(security={"kind": "username_token", "password": "text"})
    with pytest.raises(ConfigError, match="no XML can carry") as caught:
        list(SoapConnector().read(system(service, password="a\x00b"), asked))
    assert "a\x00b" not in str(caught.value)


def test_two_logins_are_one_too_many() -> None:
    with pytest.raises(ValueError, match="one of them"):
        request(auth={"kind": "bearer"}, security={"kind": "username_token", "password": "text"})


def test_parameters_stand_where_the_request_has_them(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONECARD_NOW", "2026-11-24T02:00:00+08:00")
    asked = request(
        params={"query.key": "k<&>"},
        since_param="query.since",
        until_param="query.until",
        time_format="%Y-%m-%dT%H:%M:%S%z",
    )
    read(service, replace(asked, since="2026-11-01T16:30:00Z"))
    read(service, asked)
    (first, second) = [call.params for call in service.calls]
    assert first == {
        "key": "k<&>",
        "since": "2026-11-02T00:30:00+0800",
        "until": "2026-11-24T02:00:00+0800",
    }
    assert "since" not in second, "everything is asked for"
    assert {call.path for call in service.calls} == {"/services/readers"}


def test_the_host_of_a_wsdl_is_never_called_and_its_path_may_be_another(service: Service) -> None:
    read(service, path="/gateway/readers?wsdl=no")
    assert [call.path for call in service.calls] == ["/gateway/readers?wsdl=no"]


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"query.pag": "1"}, "unknown parameter of query 'pag'; did you mean page"),
        ({"qurey": "1"}, "unknown parameter 'qurey'; did you mean query"),
        ({"query": "1"}, "query has parts: since, until, page, after, size, key"),
        ({"query.page.x": "1"}, "unknown parameter of query.page 'x'; known: none"),
        ({"_soapheaders": "1"}, "unknown parameter '_soapheaders'"),
        ({"query.key": "a\x00"}, "cannot be written"),
    ],
)
def test_a_parameter_that_is_none_is_named_before_anything_is_sent(
    service: Service, params: dict[str, str], says: str
) -> None:
    refused(service, ConfigError, says, params=params)
    assert service.calls == []


def test_a_parameter_that_is_wanted_is_named(service: Service) -> None:
    more = {"operation": "countRows", "record": "/countRowsResponse/count"}
    said = refused(service, ConfigError, "Missing element unit", **more)
    assert "the request of countRows is not what the WSDL says" in said
    assert service.calls == []


def test_rows_of_some_values_and_partitions_are_asked_for(service: Service) -> None:
    service.rows = [texts(r) for r in rows(5)]
    asked = request(by={"f_key": "query.key"}, paginator=NUMBERED)
    connector = SoapConnector()
    found = connector.read_only(system(service), asked, Only("f_key", ("k00001", "k00003")))
    assert found is not None
    assert [r["f_key"] for r in lines(list(found))] == ["k00001", "k00003"]
    assert connector.read_only(system(service), asked, Only("f_name", ("x",))) is None
    partition = ByParameter(by="parameter", parameter="query.key", values=("k00000", "k00002"))
    part = replace(asked, part=ReadPart(partition, 1))
    assert [r["f_key"] for r in lines(read(service, part))] == ["k00002"]
    assert connector.mark(system(service), part) == "5"


# --- pages, by the loop of REST


def test_a_page_that_repeats_or_loops_is_refused(service: Service) -> None:
    row = written(texts(rows(1)[0]))
    more = "<total>1</total><next>7</next><more>true</more>"
    body = f'<queryRowsResponse xmlns="{READERS}"><code>0</code><rows>{row}</rows>{more}</queryRowsResponse>'
    service.instead = Reply(envelope(body))
    refused(service, ProtocolError, "a page was repeated|loop", paginator=KEYSET)


@pytest.mark.parametrize(
    ("beside", "says"),
    [
        ("<more>true</more>", "says there is more but names no next cursor"),
        ("<more>perhaps</more>", "is neither true nor false"),
        ("", "nothing tells whether this is the last page"),
        ("<next>1</next><next>2</next><more>true</more>", "next stands in it twice"),
    ],
)
def test_ends_that_are_none_are_refused(service: Service, beside: str, says: str) -> None:
    body = f'<queryRowsResponse xmlns="{READERS}"><rows/>{beside}</queryRowsResponse>'
    service.instead = Reply(envelope(body))
    refused(service, ProtocolError, says, paginator=KEYSET)


def test_fewer_rows_than_the_total_are_refused(service: Service) -> None:
    body = f'<queryRowsResponse xmlns="{READERS}"><rows/><total>3</total></queryRowsResponse>'
    service.instead = Reply(envelope(body))
    refused(service, ProtocolError, "promised 3 rows and gave 0", paginator=NUMBERED)


@pytest.mark.parametrize("paginator", [None, NUMBERED])
def test_the_answers_own_code_must_say_success(service: Service, paginator: Any) -> None:
    service.rows = [texts(r) for r in rows(3)]
    success = {"field": "/queryRowsResponse/code", "value": "0"}
    assert len(lines(read(service, success=success, paginator=paginator))) == 3
    service.code = PERSON
    says = "did not answer /queryRowsResponse/code = 0"
    refused(service, ProtocolError, says, success=success, paginator=paginator)


@pytest.mark.parametrize("paginator", [None, NUMBERED])
@pytest.mark.parametrize(
    "body",
    [
        f'<queryRowsResponse xmlns="{READERS}"><total>0</total></queryRowsResponse>',
        '<queryRowsResponse xmlns="urn:other"><rows/><total>0</total></queryRowsResponse>',
        "",
    ],
)
def test_an_answer_without_a_place_for_rows_is_refused(
    service: Service, body: str, paginator: Any
) -> None:
    service.instead = Reply(envelope(body))
    says = "no element /queryRowsResponse/rows, in which rows would be"
    refused(service, ProtocolError, says, paginator=paginator)


# --- faults and answers that are none


CODES = [
    ("1.1", "Server", SourceUnavailable, "fault Server: the service has failed"),
    ("1.1", "Server.Overload", SourceUnavailable, "fault Server"),
    ("1.1", "Client", ConfigError, "fault Client: the service refuses what was sent"),
    ("1.1", "Client.Authentication", ConfigError, "fault Client"),
    ("1.1", "VersionMismatch", ConfigError, "fault VersionMismatch"),
    ("1.1", PERSON, ProtocolError, "a code of the service's own"),
    ("1.2", "Receiver", SourceUnavailable, "fault Receiver"),
    ("1.2", "Sender", ConfigError, "fault Sender"),
    ("1.2", "MustUnderstand", ConfigError, "fault MustUnderstand"),
]


@pytest.mark.fault("F09", "a SOAP fault with HTTP 200 is a fault")
@pytest.mark.parametrize("paginator", [None, KEYSET])
@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize(("version", "code", "kind", "says"), CODES)
def test_a_fault_is_our_error_whatever_its_status(
    service: Service,
    version: str,
    code: str,
    kind: type[OnecardError],
    says: str,
    status: int,
    paginator: Any,
) -> None:
    service.instead = Reply(fault(code, PERSON, version), status, TYPES[version])
    refused(service, kind, says, version=version, paginator=paginator)
    assert len(service.calls) == 1


@pytest.mark.fault("F09", "what is no envelope fails the reading, whatever it says of itself")
@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (Reply(b"<html>x</html>", kind="text/html"), ProtocolError, "text/html instead of XML"),
        (Reply(b"<html>x</html>", 500, "text/html"), SourceUnavailable, "HTTP 500"),
        (Reply(b"<html>x</html>", 400, "text/html"), ProtocolError, "HTTP 400"),
        (Reply(b"<html>x</html>", 500), SourceUnavailable, "HTTP 500"),
        (Reply(b"<a/>", 404), ProtocolError, "HTTP 404"),
        (Reply(b"<a/>", 302), ProtocolError, "HTTP 302"),
        (Reply(b"<a/>", 403), ConfigError, "login refused"),
        (Reply(b"<html>x</html>"), ProtocolError, "no envelope of SOAP 1.1"),
        (Reply(b""), ProtocolError, "no well-formed XML"),
        (Reply(b"{}", kind="application/json"), ProtocolError, "application/json instead of XML"),
        (Reply(b"x", kind=""), ProtocolError, "no content type instead of XML"),
        (Reply(envelope("")[:-5]), ProtocolError, "no well-formed XML"),
        (Reply(envelope("<a>")), ProtocolError, "no well-formed XML"),
        (
            Reply(envelope("", "1.2"), kind=TYPES["1.2"]),
            ProtocolError,
            "an answer in SOAP 1.2, and 1.1 is declared",
        ),
        (
            Reply(envelope(""), kind='multipart/related; type="application/xop+xml"; boundary="x"'),
            ProtocolError,
            "several parts",
        ),
        (Reply(envelope(""), kind="text/xml; charset=GBK"), ProtocolError, "another encoding"),
        (
            Reply(envelope("").replace(b"UTF-8", b"GBK", 1)),
            ProtocolError,
            "declares another encoding",
        ),
        (
            Reply(b'<!DOCTYPE a [<!ENTITY x "y">]>' + envelope("&x;")[39:]),
            ProtocolError,
            "a document type",
        ),
        (Reply(envelope("<a>" * 70 + "</a>" * 70)), ProtocolError, "more than 64 deep"),
    ],
)
def test_what_is_no_answer_is_refused(
    service: Service, reply: Reply, kind: type[OnecardError], says: str
) -> None:
    service.instead = reply
    refused(service, kind, says)
    assert len(service.calls) == 1


@pytest.mark.parametrize("status", [200, 500])
def test_a_service_of_the_other_version_is_told(service: Service, status: int) -> None:
    service.instead = Reply(fault("VersionMismatch", PERSON, "1.1"), status, TYPES["1.1"])
    says = "an answer in SOAP 1.1, and 1.2 is declared"
    refused(service, ProtocolError, says, version="1.2")


@pytest.mark.fault("F33", "entities that grow are refused before they do")
def test_a_billion_laughs_are_not_heard(service: Service) -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    head = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "ha">{entities}]>'
    service.instead = Reply(head.encode() + envelope("&l9;").partition(b"\n")[2])
    refused(service, ProtocolError, "a document type")


@pytest.mark.fault("F33", "a gzip body is counted as it is unpacked and given up at the limit")
def test_a_bomb_is_given_up_at_the_limit(service: Service) -> None:
    bomb = gzip.compress(envelope("<a>" + " " * 50_000_000 + "</a>"), 9)
    service.instead = Reply(bomb, encoding="gzip")
    tracemalloc.start()
    try:
        refused(service, ProtocolError, "more than 1000000 bytes", max_bytes=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.fault("F07", "an answer that breaks off is asked for again, none of it is taken")
@pytest.mark.parametrize("paginator", [None, KEYSET])
def test_an_answer_that_breaks_off_is_asked_for_again(service: Service, paginator: Any) -> None:
    service.rows = [texts(r) for r in rows(8)]
    whole = envelope("<a/>" * 5000)
    service.script = [Reply(whole, cut=9000), Reply(b"", 503), 502]
    assert len(lines(read(service, paginator=paginator, attempts=4))) == 8
    service.script = [Reply(whole, cut=9000)] * 4
    refused(service, SourceUnavailable, "cannot be reached", attempts=3)


@pytest.mark.fault("F08", "a service that stays busy is given up after bounded attempts")
def test_a_service_that_stays_busy_is_given_up(service: Service) -> None:
    service.script = [503] * 10
    refused(service, SourceUnavailable, "HTTP 503 after 3 attempts")
    assert len(service.calls) == 3


@pytest.mark.fault("F07", "a service that says nothing is unavailable")
def test_a_silent_service_is_unavailable() -> None:
    with soap_service.service(), socket.create_server(("127.0.0.1", 0)) as mute:
        there = conn(conn_type="http", host="127.0.0.1", port=mute.getsockname()[1])
        with pytest.raises(SourceUnavailable, match=r"it has said nothing for 0\.2 s"):
            list(SoapConnector().read(there, request(timeout_s=0.2, attempts=1)))


def test_a_copy_for_which_there_is_no_room_is_told(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    class Full:
        write = full
        close = staticmethod(lambda: None)

    monkeypatch.setattr(soap_client.tempfile, "SpooledTemporaryFile", lambda _: Full())
    refused(service, StorageError, "a copy of an answer cannot be written: No space left")


# --- rows


def test_rows_are_streamed_and_memory_is_bounded(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The body lies on disk; of its rows only some thousands stand in memory."""
    monkeypatch.setattr(soap_client, "IN_MEMORY", 1 << 16)
    row = written({**texts(rows(1)[0]), "name": "张" * 600})
    count = 8_000
    body = f'<queryRowsResponse xmlns="{READERS}"><rows>{row * count}</rows></queryRowsResponse>'
    service.instead = Reply(envelope(body))
    assert len(service.instead.body) > 15_000_000
    del body
    asked = replace(request(), batch_rows=1_000)
    reading = iter(SoapConnector().read(system(service), asked))
    tracemalloc.start()
    try:
        found = sum(chunk.batch.num_rows for chunk in reading)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == count
    assert peak < 40_000_000, peak


@pytest.mark.parametrize("piece", [1, 7, 1 << 17])
def test_values_arrive_as_they_are_written(
    service: Service, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(soap_envelope, "PIECE", piece)
    cells = (
        '<m:key xsi:type="xsd:string">007</m:key><m:name xsi:nil="true"/>'
        "<m:amount><![CDATA[1 & 2]]></m:amount><m:at m:zone='x'> a&#13;b </m:at>"
    )
    body = (
        f'<m:queryRowsResponse xmlns:m="{READERS}"><m:rows><m:row id="9">{cells}</m:row>'
        f"<m:row><m:key>1</m:key><m:key>2</m:key></m:row><m:row>text<m:key>3</m:key></m:row>"
        f"<m:row><m:key/></m:row></m:rows></m:queryRowsResponse>"
    )
    service.instead = Reply(
        envelope(body, head=f"<m:row xmlns:m='{READERS}'><m:key>0</m:key></m:row>")
    )
    record, spaces = "/m:queryRowsResponse/m:rows/m:row", {"m": READERS}
    columns = ("m:key", "m:name", "m:amount", "m:at", "m:at/@m:zone", "@id")
    (chunk,) = read(service, replace(request(columns, record=record, namespaces=spaces), key=()))
    assert list(chunk.batch.to_pylist()[0].values()) == ["007", None, "1 & 2", " a\rb ", "x", "9"]
    assert dict(chunk.damaged) == {1: "record.xml", 2: "record.xml"}
    assert chunk.batch.to_pylist()[3]["f_m_key"] is None


def test_elements_that_no_contract_names_are_refused_by_name(service: Service) -> None:
    service.rows = [{**texts(rows(1)[0]), "extra": PERSON}]
    with pytest.raises(SchemaMismatch, match="column extra is not in the contract") as caught:
        read(service)
    silent(caught.value)
    service.rows = [{"key": "1"}, {"key": "2"}]
    with pytest.raises(SchemaMismatch, match="column name"):
        read(service, paginator={**NUMBERED, "size": 1})


def encoded(rows_: str, others: str = "") -> Reply:
    body = (
        f'<e:listRowsResponse xmlns:e="{ENCODED}" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">'
        f'<listRowsReturn xmlns:c="http://schemas.xmlsoap.org/soap/encoding/" xsi:type="c:Array"'
        f' c:arrayType="e:Row[2]">{rows_}</listRowsReturn></e:listRowsResponse>{others}'
    )
    return Reply(envelope(body))


def target(identity: str, inner: str) -> str:
    return (
        f'<multiRef id="{identity}" c:root="0" s:encodingStyle="x" xsi:type="e:Row"'
        f' xmlns:c="http://schemas.xmlsoap.org/soap/encoding/">{inner}</multiRef>'
    )


def item(inner: str = "", href: str = "") -> str:
    return f"<listRowsReturn{f' href={href!r}' if href else ''}>{inner}</listRowsReturn>"


def in_line(service: Service, reply: Reply) -> Chunk:
    service.instead = reply
    asked = request(("key", "number"), **ENCODED_OPTIONS)
    (chunk,) = read(service, replace(asked, key=()))
    assert service.calls[-1].params == {"unit": "A01"}
    assert service.calls[-1].path == "/axis/encoded"
    return chunk


def test_encoded_answers_give_rows_that_stand_elsewhere(service: Service) -> None:
    row = '<key xsi:type="xsd:string">b</key><number href="#n1"/>'
    inside = item('<key xsi:type="xsd:string">a</key><number xsi:type="xsd:long">1</number>')
    twice = item(href="#id1")
    found = in_line(
        service,
        encoded(
            inside + item(href="#id0") + twice,
            target("id0", row)
            + target("n1", "2")
            + target("id1", "<key>c</key><number xsi:nil='true'/>"),
        ),
    )
    assert [list(r.values()) for r in found.batch.to_pylist()] == [
        ["a", "1"],
        ["b", "2"],
        ["c", None],
    ]


@pytest.mark.parametrize(
    "others",
    [
        "",
        target("id0", "<key>a</key><number href='#id0'/>"),
        target("id0", "<key>a</key>text"),
        target("id0", "just text"),
        target("id0", "<key>a</key><number href='#n'/>") + target("n", "<key>b</key>1"),
    ],
    ids=["nothing", "circle", "mixed", "text", "broken inside"],
)
def test_a_reference_to_nothing_costs_its_row(service: Service, others: str) -> None:
    sound = item("<key>a</key><number>1</number>")
    found = in_line(service, encoded(sound + item(href="#id0"), others))
    assert dict(found.damaged) == {1: "record.xml"}


def test_references_are_bounded_and_told_apart(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.instead = encoded(item(href="#a"), target("a", "<key>1</key>") * 2)
    refused(service, ProtocolError, "two elements of the Body have one id", **ENCODED_OPTIONS)
    monkeypatch.setattr(references, "MOST", 3)
    service.instead = encoded(item(href="#a") * 4)
    refused(service, ProtocolError, "more than 3 references", **ENCODED_OPTIONS)


@pytest.mark.parametrize("inside", [True, False])
def test_a_list_that_stands_elsewhere_is_not_taken_for_none(service: Service, inside: bool) -> None:
    """As .NET writes encoded answers: the list is a reference, and its rows are references."""
    listed = "<listRowsReturn href='#list'/>" if inside else ""
    around = "" if inside else " href='#all'"
    service.instead = Reply(
        envelope(
            f'<e:listRowsResponse xmlns:e="{ENCODED}"{around}>{listed}</e:listRowsResponse>'
            + target("list", item(href="#id0"))
            + target("id0", "<key>a</key><number>1</number>")
        )
    )
    refused(service, ProtocolError, "stands elsewhere in it", **ENCODED_OPTIONS)


def test_what_nobody_asks_for_may_stand_elsewhere(service: Service) -> None:
    row = item("<key>a</key><number>1</number>")
    reply = encoded(row, target("m", "nobody's"))
    head, tail = reply.body.split(b"<listRowsReturn", 1)
    more = head + b"<message href='#m'/><listRowsReturn" + tail
    found = in_line(service, replace(reply, body=more))
    assert [list(r.values()) for r in found.batch.to_pylist()] == [["a", "1"]]


def test_a_value_behind_a_reference_of_soap_1_2_is_not_taken_for_none(service: Service) -> None:
    encoding = "http://www.w3.org/2003/05/soap-encoding"
    row = f"<key>a</key><number xmlns:c='{encoding}' c:ref='n1'/>"
    service.instead = encoded(item(row), target("n1", "2"))
    refused(service, ProtocolError, "enc:ref", **ENCODED_OPTIONS)


def test_an_attribute_of_that_name_is_a_value_where_nothing_is_encoded(service: Service) -> None:
    body = (
        f'<queryRowsResponse xmlns="{READERS}"><rows><row href="#1"><key>a</key></row></rows>'
        "</queryRowsResponse>"
    )
    service.instead = Reply(envelope(body))
    found = read(service, replace(request(("key", "@href")), key=()))
    assert [list(r.values()) for r in lines(found)] == [["a", "#1"]]


# --- the WSDL


def loaded(folder: Path, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        wsdl.service(SoapSource.model_validate({**OPTIONS, **options}), folder)
    return str(caught.value)


def edited(folder: Path, old: str, new: str, name: str = "readers.wsdl") -> Path:
    soap_service.copied(folder)
    file = folder / "services" / name
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    return folder


def test_what_is_not_there_is_named_with_what_is(tmp_path: Path) -> None:
    folder = soap_service.copied(tmp_path / "a")
    assert "did you mean services/readers.wsdl" in loaded(folder, wsdl="services/reader.wsdl")
    assert "did you mean queryRows" in loaded(folder, operation="queryRow")
    assert "known: ReadersSoap11" in loaded(folder, port="ReadersSoap12")
    assert "unknown version of SOAP '1.2'; known: 1.1" in loaded(
        folder, wsdl="services/encoded.wsdl", version="1.2"
    )
    port = '<wsdl:port name="ReadersSoap11" binding="r:Readers11">'
    address = '<soap:address location="http://b/"/></wsdl:port>'
    more = f'<wsdl:port name="Second" binding="r:Readers11">{address}{port}'
    twice = edited(tmp_path / "b", port, more)
    assert "an operation of several ports: ReadersSoap11, Second" in loaded(twice)
    found = wsdl.service(SoapSource.model_validate({**OPTIONS, "port": "Second"}), twice)
    assert found.path == "/"


@pytest.mark.parametrize("place", ["/etc/a.wsdl", "../a.wsdl", "a/../../b.wsdl", "readers.xml"])
def test_a_wsdl_lies_below_the_contracts(place: str) -> None:
    with pytest.raises(ValueError, match="below the folder of the contracts"):
        request(wsdl=place)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside = soap_service.copied(tmp_path / "outside")
    inside = soap_service.copied(tmp_path / "inside", "encoded.wsdl")
    (inside / "services" / "readers.wsdl").symlink_to(outside / "services" / "readers.wsdl")
    assert "unknown WSDL" in loaded(inside)
    (inside / "services" / "readers.wsdl").unlink()
    (inside / "services" / "readers.wsdl").write_bytes(
        (outside / "services" / "readers.wsdl").read_bytes()
    )
    (inside / "services" / "readers.xsd").symlink_to(outside / "services" / "readers.xsd")
    assert "imports readers.xsd, which is no file of its folder" in loaded(inside)


@pytest.mark.fault("F33", "nothing is downloaded for a WSDL, and nothing read outside its folder")
@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("http://127.0.0.1:{port}/readers.xsd", "nothing is downloaded"),
        ("file://127.0.0.1/readers.xsd", "nothing is downloaded"),
        ("file:/" + "//etc/passwd", "no file of its folder"),
        ("/etc/passwd", "no file of its folder"),
        ("../../secret.xsd", "no file of its folder"),
        ("nowhere.xsd", "no file of its folder"),
    ],
)
def test_imports_come_from_the_folder_alone(
    service: Service, tmp_path: Path, location: str, says: str
) -> None:
    own = location.format(port=service.server_address[1])
    folder = edited(tmp_path / "a", 'schemaLocation="readers.xsd"', f'schemaLocation="{own}"')
    (tmp_path / "secret.xsd").write_text("<a/>")
    assert says in loaded(folder)
    assert service.calls == []


HOSTILE = {
    "entity": '<!DOCTYPE d [<!ENTITY x SYSTEM "/etc/passwd">]>',
    "laughs": '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>',
    "external": '<!DOCTYPE d SYSTEM "http://127.0.0.1/x.dtd">',
}


@pytest.mark.parametrize("name", ["readers.wsdl", "readers.xsd"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_document_type_is_refused(tmp_path: Path, kind: str, name: str) -> None:
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    folder = edited(tmp_path / "a", head, head + HOSTILE[kind], name)
    said = loaded(folder)
    assert "a document type (DOCTYPE) stands in it" in said
    assert name in said


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("</wsdl:definitions>", "", "no well-formed XML"),
        ("<wsdl:service", "<a>" * 70 + "<wsdl:service", "more than 64 deep"),
        ('element="r:queryRows"', 'element="r:nothing"', "unknown operation 'queryRows'"),
        ("wsdl/soap", "wsdl/nothing", "unknown version of SOAP"),
        ('targetNamespace="urn:culture:readers"', 'targetNamespace=""', "no WSDL that can be used"),
        ('type="r:ReadersPort"', 'type="r:Nothing"', "no WSDL that can be used"),
    ],
)
def test_a_wsdl_that_is_none_is_one_error(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert says in loaded(edited(tmp_path / "a", old, new))


def test_an_operation_without_an_answer_gives_no_rows(tmp_path: Path) -> None:
    output = '<wsdl:output message="r:queryRowsResponse"/>'
    assert "queryRows has no request, or no answer" in loaded(edited(tmp_path / "a", output, ""))


def test_where_a_type_leaves_it_open_lint_says_nothing_and_the_call_does(tmp_path: Path) -> None:
    key = '<xsd:element name="key" type="xsd:string" minOccurs="0"/>'
    anything = '<xsd:any minOccurs="0" maxOccurs="unbounded" processContents="lax"/>'
    folder = edited(tmp_path / "a", key, anything, "readers.xsd")
    assert told(folder, params={"query.page": "1"}, since_param="query.new") == {}
    found = wsdl.service(SoapSource.model_validate(OPTIONS), folder)
    assert b":page>1<" in message(found, {"query.page": "1"})
    with pytest.raises(ConfigError, match="the request of queryRows cannot be written"):
        message(found, {"query.new": "1"})
    with pytest.raises(ConfigError, match="new is a parameter with a value of its own"):
        message(found, {"query.new": "1", "query.new.x": "2"})


@pytest.mark.parametrize("text", ["<a/>", "<html/>", "{}", ""])
def test_a_file_that_is_no_wsdl_is_one_error(tmp_path: Path, text: str) -> None:
    folder = soap_service.copied(tmp_path / "a")
    (folder / "services" / "readers.wsdl").write_text(text)
    assert "services/readers.wsdl" in loaded(folder) or "readers.wsdl: line" in loaded(folder)


def test_a_huge_document_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsdl, "LARGEST", 1000)
    assert "has more than 1000 bytes" in loaded(soap_service.copied(tmp_path / "a"))


def test_a_wsdl_is_parsed_once_until_any_of_its_documents_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, seen = soap_service.copied(tmp_path / "a"), []
    parsed = wsdl._parsed
    monkeypatch.setattr(wsdl, "_parsed", lambda *a: seen.append(1) or parsed(*a))
    options = SoapSource.model_validate(OPTIONS)
    for _ in range(3):
        wsdl.service(options, folder)
    assert len(seen) == 1
    file = folder / "services" / "readers.xsd"
    file.write_text(file.read_text() + "\n")
    wsdl.service(options, folder)
    assert len(seen) == 2


def test_many_threads_ask_at_once(service: Service) -> None:
    service.rows = [texts(r) for r in rows(30)]
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(lines(read(service, paginator=KEYSET)))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [30] * 8


# --- what is said of a service before the night


def told(folder: Path, **options: Any) -> dict[str, str]:
    """What lint says, by place."""
    found = SoapSource.model_validate({**OPTIONS, **options})
    return {
        place: f"{rule}: {message}"
        for place, rule, message in SoapConnector().misfits(found, folder)
    }


def test_options_that_fit_are_told_nothing_of() -> None:
    folder = soap_service.CONTRACTS
    success = {"field": "/queryRowsResponse/code", "value": "0"}
    window = {"since_param": "query.since", "until_param": "query.until", "by": {"k": "query.key"}}
    for paginator in (None, KEYSET, NUMBERED):
        assert told(folder, paginator=paginator, success=success, **window) == {}
    assert told(folder, **ENCODED_OPTIONS) == {}
    assert told(folder, version="1.2", port="ReadersSoap12") == {}


@pytest.mark.parametrize(
    ("options", "place", "says"),
    [
        ({"wsdl": "services/no.wsdl"}, "wsdl", "soap.wsdl: unknown WSDL 'services/no.wsdl'"),
        ({"operation": "queryrows"}, "operation", "soap.operation: .*did you mean queryRows"),
        ({"port": "x"}, "port", "soap.port: .*known: ReadersSoap11"),
        ({"since_param": "query.snice"}, "since_param", "soap.parameter: .*did you mean since"),
        ({"params": {"x": "1"}}, "params.x", "soap.parameter: .*known: query"),
        ({"by": {"k": "x"}}, "by.k", "soap.parameter"),
        ({"paginator": {**KEYSET, "size_param": "n"}}, "paginator.size_param", "soap.parameter"),
        ({"paginator": {**NUMBERED, "order": {"o": "1"}}}, "paginator.order.o", "soap.parameter"),
        ({"record": "/queryRowsResponse/rows/rwo"}, "record", "soap.path: .*'rwo'; known: row"),
        ({"record": "/queryRows/rows/row"}, "record", "soap.path: .*in the Body 'queryRows'"),
        ({"namespaces": {}}, "record", "soap.path"),
        (
            {"paginator": {**KEYSET, "next": "/queryRowsResponse/nxt"}},
            "paginator.next",
            "soap.path: .*did you mean next",
        ),
        (
            {"success": {"field": "/queryRowsResponse/cod", "value": "0"}},
            "success.field",
            "soap.path: .*did you mean code",
        ),
        (
            {"operation": "countRows", "record": "/countRowsResponse/count"},
            "params",
            "soap.parameter: .*Missing element unit.*stands in `params`",
        ),
    ],
)
def test_options_that_do_not_fit_are_named_with_what_does(
    options: dict[str, Any], place: str, says: str
) -> None:
    found = told(soap_service.CONTRACTS, **options)
    assert re.search(says, found[place])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"record": "queryRowsResponse/rows"}, "soap.record"),
        ({"record": "/row"}, "soap.record"),
        ({"paginator": {**KEYSET, "next": "next"}}, "paginator.next"),
        ({"success": {"field": "code", "value": "0"}}, "success.field"),
        ({"version": "1.0"}, "'1.1' or '1.2'"),
        ({"flavour": "x"}, "Extra inputs"),
    ],
)
def test_options_that_are_none_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        request(**options)


def test_the_example_of_the_page_is_valid() -> None:
    page = Path(__file__).parents[2] / "docs" / "adding-an-agency.md"
    part = page.read_text(encoding="utf-8").partition("### Web services\n")[2]
    block = yaml.safe_load(part.partition("```yaml\n")[2].partition("```")[0])
    found = SoapSource.model_validate(block["options"])
    assert list(found.asks()) == []
    assert (block["connector"], found.version) == ("soap", "1.1")


def test_numbered_pages_are_asked_for_an_order() -> None:
    (found,) = SoapSource.model_validate({**OPTIONS, "paginator": NUMBERED}).asks()
    assert found[:2] == ("paginator.order", "soap.page_order")


def contract(**options: Any) -> Any:
    source = {"connector": "soap", "connection": "made", "options": {**OPTIONS, **options}}
    return type_runs.contract("string", source)


@pytest.mark.parametrize("paginator", [None, KEYSET, NUMBERED])
def test_drift_sees_the_elements_of_the_first_answer(service: Service, paginator: Any) -> None:
    made = contract(paginator=paginator)
    assert describe(made, system(service)) is None
    service.rows = [texts(r) for r in rows(25 if paginator else 5_000)]
    found = describe(made, system(service))
    assert found is not None
    assert found.origin == "queryRows"
    assert {c.name for c in found.columns} == set(COLUMNS)
    assert {c.name for c in found.columns if c.always} >= {"key", "born", "at"}


def test_doctor_asks_for_the_first_page(service: Service) -> None:
    service.login = "digest"
    options = {**OPTIONS, "security": {"kind": "username_token", "password": "digest"}}
    assert probe(system(service), "soap", options) == "reached, login is good"
    with pytest.raises(ConfigError, match="login refused"):
        probe(system(service, password="x"), "soap", options)
    with pytest.raises(ConfigError, match="nothing is delivered"):
        probe(system(service), "soap", None)


def test_nothing_of_an_answer_is_logged(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    service.login = "text"
    service.rows = [{**texts(rows(1)[0]), "name": PERSON}]
    security = {"kind": "username_token", "password": "text"}
    assert lines(read(service, security=security))[0]["f_name"] == PERSON
    for secret in (PERSON, SECRET):
        assert secret not in caplog.text


def test_a_kind_of_its_own_stands_in_every_registry() -> None:
    assert "soap" in connectors.KINDS
    assert connectors.options("soap").source_options is SoapSource
