"""Whatever a caller may send wrong: a documented code in one constant form, and no trace of it.

One table over real HTTP. Each line changes one thing of a call that would be answered.
"""

from __future__ import annotations

import gzip
import http.client
import json
import logging
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from onecard.base.platform_signature import (
    AHEAD_MS,
    WINDOW_MS,
    Credential,
    bound,
    signature,
    system_ms,
)
from onecard.serve import codes
from onecard.serve.calls import MOST_BODY_BYTES
from onecard.serve.codes import Code
from schemas.models import catalogue
from tests.asked import BANK, F09, F10, F11, FUND, HIS, AskedHub, asked_hub, id_number, person
from tests.cities import empty_hub

LI = person(1, "金丝雀甲")
OTHER = id_number(77)
NUMBER = LI.id_number
WIDE = NUMBER.translate({ord("0") + d: 0xFF10 + d for d in range(10)})
OLD = f"{NUMBER[:6]}{NUMBER[8:17]}"
"""Fifteen digits, as ID numbers had until 1999."""
PATH = f"/v1/{F09}/query"
USUAL = {
    "date",
    "content-length",
    "content-type",
    "cache-control",
    "x-content-type-options",
}
"""Headers of every answer, beside those that HTTP asks for with a status."""
MORE = {401: {"www-authenticate"}, 405: {"allow"}, 413: {"connection"}, 431: {"connection"}}

Headers = list[tuple[str, str]]
ADDRESSES = count(1)


@dataclass(frozen=True)
class Wrong:
    """A call with one thing wrong.

    Attributes:
        code: it is answered with.
        body: made from a sound one; what comes back is sent and signed.
        headers: made from signed ones, after the signature.
        signed: changes what is signed: `at_ms`, `rid` or a header's value.
        path: called, and signed.
        sid: who calls.
        agreement: whose sound body is taken.
    """

    code: Code
    body: Callable[[dict[str, Any]], Any] = lambda body: body
    headers: Callable[[Headers], Headers] = lambda headers: headers
    signed: dict[str, str] = field(default_factory=dict)
    path: str = PATH
    sid: str = HIS
    agreement: str = F09


def without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda body: {k: v for k, v in body.items() if k != name}


def put(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda body: {**body, **changes}


def about(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda body: {**body, "person": {**body["person"], **changes}}


def text(change: Callable[[str], str]) -> Callable[[dict[str, Any]], Any]:
    return lambda body: change(json.dumps(body, ensure_ascii=False)).encode(
        "utf-8", "surrogatepass"
    )


def drop(name: str) -> Callable[[Headers], Headers]:
    return lambda headers: [h for h in headers if h[0] != f"gjgxjhpt_{name}"]


def twice(name: str) -> Callable[[Headers], Headers]:
    return lambda headers: [*headers, *(h for h in headers if h[0] == f"gjgxjhpt_{name}")]


def became(name: str, change: Callable[[str], str]) -> Callable[[Headers], Headers]:
    def changed(headers: Headers) -> Headers:
        return [(n, change(v) if n == f"gjgxjhpt_{name}" else v) for n, v in headers]

    return changed


def also(name: str, value: str) -> Callable[[Headers], Headers]:
    return lambda headers: [*headers, (name, value)]


MEMBERS = ("request_id", "operator", "purpose", "case", "person")
BAD_JSON = {
    "nothing": b"",
    "a blank": b" ",
    "no JSON": b"request",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"x"',
    "no UTF-8": b'{"request_id": "\xff\xfe"}',
    "UTF-16": json.dumps({"a": "b"}).encode("utf-16"),
    "brackets without end": b"[" * 4000,
    "objects without end": b'{"a":' * 700,
    "an unknown constant": b'{"request_id": NaN}',
    "a number of 4,000 digits": b'{"request_id": ' + b"9" * 4000 + b"}",
    "numbers beyond all bounds": b'{"request_id": 1e999999}',
}
TEXTS = {
    "cut off": text(lambda t: t[:-1]),
    "two documents": text(lambda t: t + t),
    "a byte order mark": text(lambda t: "\ufeff" + t),
    "a comma too many": text(lambda t: t[:-1] + ",}"),
    "single quotes": text(lambda t: t.replace('"', "'")),
    "a comment": text(lambda t: "/* */" + t),
    "a member twice": text(lambda t: t.replace("{", '{"operator": "N0999", ', 1)),
    "a member twice, the same": text(lambda t: t.replace("{", '{"purpose": "A7-03", ', 1)),
    "an ID number twice": text(
        lambda t: t.replace('"person": {', f'"person": {{"id_number": "{OTHER}", ')
    ),
    "half a pair of characters": text(lambda t: t.replace(LI.name, "\\ud800")),
    "a zero character": text(lambda t: t.replace(LI.name, "\\u0000")),
}
TYPES: dict[str, Any] = {
    "none": None,
    "a number": 1,
    "a fraction": 0.5,
    "true": True,
    "a list": ["x"],
    "an object": {"x": "y"},
    "an empty text": "",
}
NUMBERS: dict[str, Any] = {
    "full width": WIDE,
    "a blank before": f" {NUMBER}",
    "a blank behind": f"{NUMBER} ",
    "a line break behind": f"{NUMBER}\n",
    "blanks inside": f"{NUMBER[:6]} {NUMBER[6:14]} {NUMBER[14:]}",
    "hyphens inside": f"{NUMBER[:6]}-{NUMBER[6:14]}-{NUMBER[14:]}",
    "15 digits": OLD,
    "another check character": NUMBER[:17] + ("0" if NUMBER[17] != "0" else "1"),
    "a small x": "41019919900501004x",
    "no such day": "410199199002300017",
    "a wildcard": "4101991990%",
    "a star": "*",
    "two": [NUMBER, OTHER],
    "two in one": f"{NUMBER},{OTHER}",
    "a number": int(NUMBER[:17]),
    "SQL": f"{NUMBER}' OR '1'='1",
}
FORMS: dict[str, dict[str, str]] = {
    "request_id": {
        "short": "r-1",
        "long": "r" * 65,
        "a blank": "request 0001",
        "the person": NUMBER,
    },
    "operator": {"short": "N", "long": "N" * 33, "Chinese": "李四", "the person": NUMBER},
    "purpose": {"no such form": "A7-3", "a line break": "A7-03\n"},
    "case": {"short": "J", "long": "J" * 65, "a blank": "JZ 123", "the person": f"JZ{NUMBER}"},
}
TABLE: dict[str, Wrong] = {
    **{f"body: {n}": Wrong(codes.MALFORMED, lambda _, b=b: b) for n, b in BAD_JSON.items()},
    **{f"body: {name}": Wrong(codes.MALFORMED, change) for name, change in TEXTS.items()},
    **{f"member: no {name}": Wrong(codes.MALFORMED, without(name)) for name in MEMBERS},
    **{
        f"member: {name} is {what}": Wrong(codes.MALFORMED, put(**{name: value}))
        for name in MEMBERS
        for what, value in TYPES.items()
    },
    **{
        f"member: {name}: {what}": Wrong(codes.MALFORMED, put(**{name: value}))
        for name, wrong in FORMS.items()
        for what, value in wrong.items()
    },
    "member: an unknown one": Wrong(codes.MALFORMED, put(more=1)),
    "member: of a verify call": Wrong(codes.MALFORMED, put(values={"card_no": "1"})),
    "member: an unknown one of the person": Wrong(codes.MALFORMED, about(mobile="13812345678")),
    "member: a person without a name": Wrong(codes.MALFORMED, put(person={"id_number": NUMBER})),
    "member: several persons": Wrong(
        codes.MALFORMED, put(person=[{"id_number": NUMBER, "person_name": LI.name}])
    ),
    **{
        f"ID number: {what}": Wrong(codes.MALFORMED, about(id_number=value))
        for what, value in NUMBERS.items()
    },
    "name: 200 characters": Wrong(codes.MALFORMED, about(person_name="王" * 200)),
    "name: a list": Wrong(codes.MALFORMED, about(person_name=[LI.name])),
    "name: a line break": Wrong(codes.MALFORMED, about(person_name=f"{LI.name}\n")),
    **{
        f"values: {what}": Wrong(
            codes.MALFORMED, put(values=values), path=f"/v1/{F10}/verify", sid=BANK, agreement=F10
        )
        for what, values in {
            "none": {},
            "one missing": {"fin_status": "2"},
            "one unknown": {"fin_status": "2", "bank_account": "1", "card_no": "1"},
            "a number": {"fin_status": 2, "bank_account": "1"},
            "too long": {"fin_status": "2", "bank_account": "1" * 101},
        }.items()
    },
    "purpose: another": Wrong(codes.PURPOSE, put(purpose="A7-04")),
    "case: of another form": Wrong(codes.CASE, put(case="XX20261124000123")),
    "mode: another": Wrong(codes.MODE, path=f"/v1/{F09}/verify"),
    "agreement: of another caller": Wrong(codes.NO_AGREEMENT, path=f"/v1/{F11}/query"),
    "agreement: unknown": Wrong(codes.NO_AGREEMENT, path="/v1/f99-nothing/query"),
    "agreement: of deliveries": Wrong(
        codes.NO_AGREEMENT, path="/v1/f03-hrss-health-card-status/query"
    ),
    "agreement: none": Wrong(codes.NO_SUCH_PATH, path="/v1//query"),
    "path: a slash behind": Wrong(codes.NO_SUCH_PATH, path=f"{PATH}/"),
    "path: a person behind": Wrong(codes.NO_SUCH_PATH, path=f"{PATH}/{NUMBER}"),
    "path: a question behind": Wrong(codes.NO_SUCH_PATH, path=f"{PATH}?id_number={NUMBER}"),
    "path: another version": Wrong(codes.NO_SUCH_PATH, path=f"/v2/{F09}/query"),
    "path: upwards": Wrong(codes.NO_SUCH_PATH, path=f"/v1/../v1/{F09}/query"),
    **{
        f"{name}: missing": Wrong(codes.NOT_PROVED, headers=drop(name))
        for name in ("sid", "rid", "rtime", "sign")
    },
    **{
        f"{name}: twice": Wrong(codes.NOT_PROVED, headers=twice(name))
        for name in ("sid", "rid", "rtime", "sign")
    },
    "sign: cut off": Wrong(codes.NOT_PROVED, headers=became("sign", lambda s: s[:-2])),
    "sign: another": Wrong(codes.NOT_PROVED, headers=became("sign", lambda _: "A" * 43 + "=")),
    "sign: hexadecimal": Wrong(codes.NOT_PROVED, headers=became("sign", lambda _: "ab" * 32)),
    "sign: a blank inside": Wrong(
        codes.NOT_PROVED, headers=became("sign", lambda s: f"{s[:20]} {s[20:]}")
    ),
    "sign: of another body": Wrong(codes.NOT_PROVED, signed={"sign": "@body"}),
    "sign: of another path": Wrong(codes.NOT_PROVED, signed={"sign": "@path"}),
    "sign: of no path and body": Wrong(codes.NOT_PROVED, signed={"sign": "@short"}),
    "sign: by another algorithm": Wrong(codes.NOT_PROVED, signed={"sign": "@sm3"}),
    "sid: of another system": Wrong(codes.NOT_PROVED, headers=became("sid", lambda _: FUND)),
    "sid: unknown": Wrong(codes.NOT_PROVED, headers=became("sid", lambda _: "nobody")),
    "sid: a person": Wrong(codes.NOT_PROVED, headers=became("sid", lambda _: NUMBER)),
    "rid: another": Wrong(codes.NOT_PROVED, headers=became("rid", lambda r: r + "x")),
    "rid: 65 characters": Wrong(codes.NOT_PROVED, signed={"rid": "r" * 65}),
    "rid: a blank inside": Wrong(codes.NOT_PROVED, signed={"rid": "r 1"}),
    "rid: the person": Wrong(codes.MALFORMED, signed={"rid": f"r-{NUMBER}"}),
    "rtime: in seconds": Wrong(codes.NOT_PROVED, signed={"at_ms": str(system_ms() // 1000)}),
    "rtime: a digit more": Wrong(codes.NOT_PROVED, signed={"at_ms": f"{system_ms()}0"}),
    "rtime: no number": Wrong(codes.NOT_PROVED, signed={"at_ms": "2026-11-24T10"}),
    "rtime: long ago": Wrong(codes.OUT_OF_TIME, signed={"at_ms": "1000000000000"}),
    "rtime: six minutes ago": Wrong(codes.OUT_OF_TIME, signed={"at_ms": f"-{WINDOW_MS + 60_000}"}),
    "rtime: in three minutes": Wrong(codes.OUT_OF_TIME, signed={"at_ms": f"+{AHEAD_MS + 120_000}"}),
    "length: one byte too many": Wrong(
        codes.BODY, text(lambda t: t + " " * (MOST_BODY_BYTES + 1 - len(t.encode())))
    ),
    "length: a megabyte": Wrong(codes.BODY, text(lambda t: t + " " * 1_000_000)),
    "gzip: a bomb": Wrong(
        codes.BODY, lambda _: gzip.compress(b"0" * 3_000_000), also("Content-Encoding", "gzip")
    ),
    "deflate: a sound body": Wrong(
        codes.BODY,
        lambda body: zlib.compress(json.dumps(body).encode()),
        also("Content-Encoding", "deflate"),
    ),
    "identity: a sound body": Wrong(codes.BODY, headers=also("Content-Encoding", "identity")),
    "gzip: not said so": Wrong(
        codes.MALFORMED, lambda body: gzip.compress(json.dumps(body).encode())
    ),
}


@pytest.fixture(scope="module")
def asked(
    tmp_path_factory: pytest.TempPathFactory, quick_postgres: str, shared_folder: Path
) -> Iterator[AskedHub]:
    """Served for the whole table; afterwards it still answers."""
    home = tmp_path_factory.mktemp("bad-input")
    with (
        empty_hub(quick_postgres, shared_folder) as database,
        asked_hub(home / "hub", database) as found,
    ):
        found.card(LI)
        with found.serving():
            yield found
            assert found.code(F09, found.body(F09, LI)) == "00"


def sent(asked: AskedHub, wrong: Wrong) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of what a wrong call is answered with."""
    data = wrong.body(asked.body(wrong.agreement, LI))
    body = data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode()
    headers = wrong.headers(
        [
            *signed(asked, wrong, body).items(),
            ("Content-Length", str(len(body))),
            # Each from an address of its own: who fails often has a code of its own.
            ("X-Forwarded-For", f"10.0.0.{next(ADDRESSES)}"),
            ("X-Forwarded-Proto", "https"),
        ]
    )
    connection = http.client.HTTPConnection(asked.url.removeprefix("http://"), timeout=30)
    try:
        connection.putrequest("POST", wrong.path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        with suppress(BrokenPipeError, ConnectionResetError):  # it answers before it has read all
            connection.endheaders(body)
        answer = connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, names, answer.read()
    finally:
        connection.close()


def signed(asked: AskedHub, wrong: Wrong, body: bytes) -> dict[str, str]:
    """The four headers; what is wrong with them is signed with them where the table says so."""
    changed = dict(wrong.signed)
    if changed.get("at_ms", "")[:1] in ("+", "-"):
        changed["at_ms"] = str(system_ms() + int(changed["at_ms"]))
    way = changed.pop("sign", "")
    headers = asked.headers(wrong.path, body, wrong.sid, **changed)
    if way == "@body":
        other = asked.headers(wrong.path, body + b" ", wrong.sid, rid=headers["gjgxjhpt_rid"])
        headers = other
    elif way == "@path":
        headers = asked.headers(f"/v1/{F11}/query", body, wrong.sid)
    elif way:
        credential = asked.credential(wrong.sid)
        if way == "@sm3":
            form = credential.form.model_copy(update={"algorithm": "sm3"})
            credential = Credential(wrong.sid, credential.key, form)
            more = bound(form, wrong.path, body)
        else:
            more = b""
        rid, rtime = headers["gjgxjhpt_rid"], headers["gjgxjhpt_rtime"]
        headers["gjgxjhpt_sign"] = signature(credential, rid, rtime, more)
    return headers


@pytest.mark.parametrize("name", TABLE)
def test_it_has_its_code_in_one_form_and_leaves_no_trace(
    asked: AskedHub, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = TABLE[name]
    before = asked.execute("SELECT count(*) FROM ledger.question")
    status, headers, body = sent(asked, wrong)
    assert (status, body) == (
        wrong.code.status,
        json.dumps({"code": wrong.code.code}, separators=(",", ":")).encode(),
    )
    assert set(headers) == USUAL | MORE.get(status, set())
    assert headers["content-type"] == "application/json"
    assert asked.execute("SELECT count(*) FROM ledger.question") == before
    assert not [value for value in (*LI.values, WIDE, OLD, OTHER) if value in caplog.text]


def test_a_signed_call_that_comes_again_is_told_so_in_the_same_form(asked: AskedHub) -> None:
    body = json.dumps(asked.body(F09, LI)).encode()
    headers = asked.headers(PATH, body, HIS)
    assert asked.code(F09, body, headers=headers) == "00"
    again = asked.post(F09, body, headers=headers)
    assert (again.status_code, again.content) == (409, b'{"code":"42"}')


def test_lengths_that_are_none_are_no_body(asked: AskedHub) -> None:
    body = json.dumps(asked.body(F09, LI)).encode()
    headers = asked.headers(PATH, body, HIS)
    for lengths in ([], ["+5"], ["0x10"], ["5", "6"], ["99999999999999999999"]):
        status, said = raw(asked, headers, [f"Content-Length: {n}" for n in lengths], body)
        assert status in (400, codes.BODY.status), lengths
        assert status == 400 or said == b'{"code":"43"}'
    status, said = raw(asked, headers, ["Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n\r\n")
    assert (status, said) == (413, b'{"code":"43"}')


def raw(
    asked: AskedHub, headers: dict[str, str], more: list[str], body: bytes
) -> tuple[int, bytes]:
    """Status and body of what bytes are answered with that no client would send."""
    connection = http.client.HTTPConnection(asked.url.removeprefix("http://"), timeout=30)
    try:
        connection.connect()
        lines = [f"POST {PATH} HTTP/1.1", "Host: x", *(f"{n}: {v}" for n, v in headers.items())]
        head = "\r\n".join([*lines, *more]).encode() + b"\r\n\r\n"
        connection.sock.sendall(head + body)
        answer = http.client.HTTPResponse(connection.sock, method="POST")
        answer.begin()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_table_has_every_code_that_a_caller_meets_before_the_registry_is_read() -> None:
    shown = {wrong.code.code for wrong in TABLE.values()}
    elsewhere = {
        codes.ANSWERED, codes.REPLAYED, codes.FAILED_TOO_OFTEN, codes.NO_SUCH_METHOD, codes.HEADERS,
        codes.UNAVAILABLE, codes.STOPPED, codes.SUSPENDED, codes.QUOTA_OPERATOR, codes.QUOTA_CALLER,
        codes.QUOTA_AGREEMENT, codes.QUOTA_PERSON, codes.CONFLICT, codes.CHANGED, codes.BLOCKED,
    }  # fmt: skip
    assert shown == {c.code for c in codes.CODES} - {c.code for c in elsewhere}
    assert catalogue.load().callers[HIS].algorithm == "sha256"
