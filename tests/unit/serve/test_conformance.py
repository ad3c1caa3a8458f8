"""What is wrong with a call is said, and neither the key nor what stands in the body."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from onecard.base.platform_signature import Credential, bound, signature
from onecard.errors import UsageError
from onecard.serve import codes, signing_mistakes
from onecard.serve.codes import Code
from onecard.serve.conformance import Fault, Kept, Known, examine, read
from onecard.serve.signing_mistakes import Signing, explained
from schemas.models import catalogue
from tests.asked import BANK, CASES, F09, F10, HIS, id_number

KEY = "0123456789abcdef" * 4
OLD_KEY = "fedcba9876543210" * 4
NOW_MS = 1_764_403_200_000
SYSTEMS = catalogue.load().callers
ASKED = {name: a for name, a in catalogue.load().agreements.items() if a.asked}
KNOWN = Known(
    SYSTEMS, {HIS: (KEY.encode(), OLD_KEY.encode()), BANK: (KEY.encode(),)}, ASKED, NOW_MS
)
NUMBER, NAME = id_number(1), "金丝雀甲"
BODY: dict[str, Any] = {
    "request_id": "request-0001",
    "operator": "N0123",
    "purpose": "A7-03",
    "case": CASES[F09],
    "person": {"id_number": NUMBER, "person_name": NAME},
}
PATH = f"/v1/{F09}/query"
DATA = json.dumps(BODY, ensure_ascii=False).encode()


def kept(
    body: bytes = DATA,
    path: str = PATH,
    sid: str = HIS,
    key: str = KEY,
    at_ms: int = NOW_MS,
    **changed: str,
) -> Kept:
    """A call, signed; headers that are named are other ones."""
    system = SYSTEMS[sid]
    rid, rtime = "rid-1", str(at_ms)
    sign = signature(Credential(sid, key.encode(), system), rid, rtime, bound(system, path, body))
    values = {"sid": sid, "rid": rid, "rtime": rtime, "sign": sign} | changed
    headers = [("Host", "hub:8092"), ("Content-Length", str(len(body)))]
    headers += [(f"gjgxjhpt_{name}", value) for name, value in values.items()]
    return Kept(path, tuple(headers), body)


def without(call: Kept, name: str) -> Kept:
    return replace(call, headers=tuple(h for h in call.headers if h[0] != name))


def also(call: Kept, name: str, value: str) -> Kept:
    return replace(call, headers=(*call.headers, (name, value)))


def renamed(call: Kept, old: str, new: str) -> Kept:
    return replace(call, headers=tuple((new if n == old else n, v) for n, v in call.headers))


def body(**changes: Any) -> bytes:
    return json.dumps({**BODY, **changes}, ensure_ascii=False).encode()


def rules(faults: Sequence[Fault]) -> list[str]:
    return [fault.rule for fault in faults]


def test_a_sound_call_has_no_fault() -> None:
    assert examine(kept(), KNOWN) == []
    assert examine(kept(key=OLD_KEY), KNOWN) == [], "an earlier key is good until its window ends"
    values = {"bank_account": "6222", "fin_status": "2"}
    verified = body(purpose="A7-04", case=CASES[F10], values=values)
    assert examine(kept(verified, f"/v1/{F10}/verify", BANK), KNOWN) == []


FAULTS: dict[str, tuple[Callable[[], Kept], str, Code, str]] = {
    "missing": (lambda: without(kept(), "gjgxjhpt_rid"), "header.missing", codes.NOT_PROVED, "gjgxjhpt_rid"),
    "a hyphen": (
        lambda: renamed(kept(), "gjgxjhpt_sid", "gjgxjhpt-sid"), "header.missing", codes.NOT_PROVED, "`gjgxjhpt-sid` meant"
    ),
    "doubled": (lambda: also(kept(), "GJGXJHPT_RID", "x"), "header.doubled", codes.NOT_PROVED, "2 times"),
    "a blank": (lambda: kept(rid="r 1"), "header.form", codes.NOT_PROVED, "printable ASCII"),
    "seconds": (lambda: kept(rtime="1764403200"), "header.form", codes.NOT_PROVED, "10 characters: seconds"),
    "hexadecimal": (lambda: kept(sign="ab" * 32), "header.form", codes.NOT_PROVED, "hexadecimal"),
    "of addresses": (lambda: kept(sign="-" * 43 + "="), "header.form", codes.NOT_PROVED, "- and _"),
    "cut off": (lambda: kept(sign="A" * 40), "header.form", codes.NOT_PROVED, "40 characters"),
    "unknown sid": (lambda: kept_as("nobody"), "sid.unknown", codes.NOT_PROVED, HIS),
    "no key": (lambda: kept(sid="city-app"), "key.missing", codes.NOT_PROVED, "no key"),
    "late": (lambda: kept(at_ms=NOW_MS - 301_000), "time.window", codes.OUT_OF_TIME, "301 s before"),
    "early": (lambda: kept(at_ms=NOW_MS + 61_000), "time.window", codes.OUT_OF_TIME, "61 s after"),
    "wrong": (lambda: kept(sign="A" * 43 + "="), "sign.wrong", codes.NOT_PROVED, "no usual mistake"),
    "chunked": (lambda: also(kept(), "Transfer-Encoding", "chunked"), "body.encoding", codes.BODY, "chunks"),
    "compressed": (lambda: also(kept(), "content-encoding", "gzip"), "body.encoding", codes.BODY, "compressed"),
    "no length": (lambda: without(kept(), "Content-Length"), "body.length", codes.BODY, "0 times"),
    "another length": (lambda: replace(kept(), headers=(*without(kept(), "Content-Length").headers, ("Content-Length", "5"))), "body.length", codes.BODY, f"{len(DATA)} bytes"),
    "large": (lambda: kept(DATA + b" " * 5000), "body.size", codes.BODY, "4096"),
    "large headers": (lambda: also(kept(), "x", "y" * 9000), "headers.size", codes.HEADERS, "8192"),
    "a question": (lambda: kept(path=f"{PATH}?a=1"), "path.form", codes.NO_SUCH_PATH, "behind"),
    "no agreement": (lambda: kept(path="/v1/f99-x/query"), "path.agreement", codes.NO_AGREEMENT, "id"),
    "the other mode": (lambda: kept(path=f"/v1/{F09}/verify"), "path.mode", codes.MODE, "mode query"),
    "no JSON": (lambda: kept(DATA[:-1]), "body.json", codes.MALFORMED, "JSON"),
    "a mark": (lambda: kept(b"\xef\xbb\xbf" + DATA), "body.json", codes.MALFORMED, "byte order mark"),
    "a member too many": (lambda: kept(body(more=NUMBER)), "body.member", codes.MALFORMED, "too many"),
    "a member missing": (
        lambda: kept(json.dumps({k: v for k, v in BODY.items() if k != "case"}, ensure_ascii=False).encode()),
        "body.member", codes.MALFORMED, "missing: case",
    ),
    "a wrong form": (lambda: kept(body(operator="N 1")), "body.member", codes.MALFORMED, "operator: "),
    "another purpose": (lambda: kept(body(purpose="A7-04")), "body.member", codes.PURPOSE, "A7-03"),
    "another case": (lambda: kept(body(case="XX1234")), "body.member", codes.CASE, "JZ"),
    "a check character": (
        lambda: kept(body(person={"id_number": NUMBER[:17] + ("0" if NUMBER[17] != "0" else "1"), "person_name": NAME})),
        "body.person", codes.MALFORMED, "check character",
    ),
    "the person in the case": (lambda: kept(body(operator=f"N{NUMBER}")), "body.person", codes.MALFORMED, "operator"),
}  # fmt: skip


def kept_as(sid: str) -> Kept:
    call = kept()
    changed = tuple((n, sid if n == "gjgxjhpt_sid" else v) for n, v in call.headers)
    return replace(call, headers=changed)


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_said_with_its_code_and_nothing_of_the_call(name: str) -> None:
    make, rule, code, words = FAULTS[name]
    faults = examine(make(), KNOWN)
    assert rule in rules(faults)
    fault = next(f for f in faults if f.rule == rule)
    assert fault.code is code
    assert words in fault.says
    silent(faults)


def silent(faults: Sequence[Fault]) -> None:
    """Neither key nor person nor a signature that is right stands in what is said."""
    said = " ".join(f"{f.rule} {f.says} {f!r}" for f in faults)
    right = dict(kept().headers)["gjgxjhpt_sign"]
    for secret in (
        KEY,
        KEY.upper(),
        OLD_KEY,
        base64.b64encode(KEY.encode()).decode(),
        NUMBER,
        NAME,
        right,
    ):
        assert secret not in said
    assert KEY not in repr(KNOWN)


# --- the signature


def signing(sid: str = HIS, body: bytes = DATA) -> Signing:
    return Signing(SYSTEMS[sid], sid, "rid-1", str(NOW_MS), PATH, body, ["hub:8092"])


PRETTY = json.dumps(BODY, ensure_ascii=False, indent=1).replace("\n", "\r\n").encode() + b"\r\n"


SAME_HERE = {
    "the path without what is behind ?",
    "the hash of the body without its byte order mark",
    "Base64 for addresses (- and _)",
}
"""No mistakes where a path has no `?`, a body no such mark, a signature neither + nor /."""


def mistakes(what: Signing) -> list[Any]:
    key = KEY.encode()
    return [
        *signing_mistakes._of_key(key),
        *signing_mistakes._of_algorithm(what.form),
        *signing_mistakes._of_writing(),
        *signing_mistakes._of_text(what),
        *signing_mistakes._of_digest(what),
    ]


@pytest.mark.parametrize("sid", [HIS, BANK], ids=["sha256", "sm3"])
def test_every_usual_mistake_is_recognised(sid: str) -> None:
    what = signing(sid, PRETTY)
    right = signing_mistakes._recipe(what, KEY.encode())
    for mistake in mistakes(what):
        sign = mistake(right).made()
        if sign == right.made():
            assert mistake.says in SAME_HERE
            continue
        found = explained(what, (OLD_KEY.encode(), KEY.encode()), sign, None)
        assert len(found) == 1, mistake.says
        alike = [m.says for m in mistakes(what) if m(right).made() == sign]
        assert found[0] in alike


def test_two_mistakes_are_recognised_together() -> None:
    what = signing(HIS, PRETTY)
    right = signing_mistakes._recipe(what, KEY.encode())
    pairs = [p for p in combinations(mistakes(what), 2) if len({m.step for m in p}) == 2][::97]
    assert len(pairs) > 10
    for first, second in pairs:
        sign = second(first(right)).made()
        assert explained(what, (KEY.encode(),), sign, None), (first.says, second.says)


def test_a_signature_of_another_key_is_not_explained() -> None:
    sign = dict(kept(key="00" * 32).headers)["gjgxjhpt_sign"]
    assert explained(signing(), (KEY.encode(),), sign, None) == ()


@pytest.mark.parametrize(
    ("change", "rule", "words"),
    [
        (lambda t: t.replace(b"rid-1", b"rid-2"), "signed.line_1", "from byte"),
        (lambda t: t.replace(b"/v1", b""), "signed.line_2", f"right is {PATH}"),
        (lambda t: t.replace(b"\n", b"\r\n"), "signed.line_1", "CR"),
        (lambda t: t + b"\n", "signed.lines", "4 lines"),
        (lambda t: t.rpartition(b"\n")[0], "signed.lines", "2 lines"),
        (lambda t: t[:-64] + t[-64:].upper(), "signed.line_3", "capitals"),
        (lambda t: b"\xef\xbb\xbf" + t, "signed.line_1", "byte order mark"),
        (lambda t: t + b" ", "signed.line_3", "blanks"),
        (lambda t: t[:-1] + bytes([t[-1] ^ 1]), "signed.line_3", "from byte 64 on"),
    ],
)
def test_the_line_that_differs_is_named(
    change: Callable[[bytes], bytes], rule: str, words: str
) -> None:
    text = change(signing().text)
    sign = signature(Credential("", KEY.encode(), SYSTEMS[HIS]), "", "", text)
    faults = examine(replace(kept(sign=sign), signed=text), KNOWN)
    assert rule in rules(faults)
    assert words in next(f.says for f in faults if f.rule == rule)
    assert "another text, as said above" in faults[-1].says
    silent(faults)


def test_a_right_text_under_a_wrong_key_or_algorithm() -> None:
    text = signing().text
    form = SYSTEMS[HIS].model_copy(update={"algorithm": "sm3"})
    for key, algorithm, words in (
        (bytes.fromhex(KEY), SYSTEMS[HIS], "bytes that the key's digits stand for"),
        (KEY.encode(), form, "HMAC by sm3 instead of sha256"),
    ):
        sign = signature(Credential("", key, algorithm), "", "", text)
        (fault,) = examine(replace(kept(sign=sign), signed=text), KNOWN)
        assert words in fault.says


# --- files


def test_a_request_is_read_as_it_was_sent() -> None:
    call = kept()
    lines = [f"POST {PATH} HTTP/1.1", *(f"{n}: {v}" for n, v in call.headers)]
    for end in ("\n", "\r\n"):
        head = end.join([*lines, "", ""]).encode()
        assert read(head + DATA) == call
        assert read(head, DATA) == call
        assert read(head.rstrip(), DATA) == call
    assert "rid-1" not in repr(call)
    assert NAME not in repr(call)


@pytest.mark.parametrize(
    ("text", "body"),
    [
        (b"", None),
        (b"GET / HTTP/1.1\n\n", None),
        (b"\x00\xff", None),
        (b"POST /v1 HTTP/1.1\nno header\n\n", None),
        (b"POST /v1 HTTP/1.1\n: x\n\n", None),
        (b"POST /v1 HTTP/1.1\n\n{}", b"{}"),
    ],
)
def test_what_is_no_request_is_refused(text: bytes, body: bytes | None) -> None:
    with pytest.raises(UsageError):
        read(text, body)
