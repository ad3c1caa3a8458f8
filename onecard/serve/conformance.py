"""Says what is wrong with a call that its sender has kept: for those who write a caller.

It looks at more than the service does, which tells a stranger nothing: each header, the text that
was signed, the time, the bytes of the body. It never shows the key, nor a signature that would be
right, nor what stands in the body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from onecard.base.platform_signature import (
    AHEAD_MS,
    FORMS,
    WINDOW_MS,
    Credential,
    SignatureForm,
    bound,
    signature,
)
from onecard.daemon.codes import Code
from onecard.daemon.front import MOST_HEADER_BYTES
from onecard.errors import UsageError
from onecard.serve import calls as asked
from onecard.serve import codes, openapi, signing_mistakes
from onecard.serve.calls import MOST_BODY_BYTES, Malformed
from onecard.serve.signing_mistakes import Signing
from schemas.models.agreement import Agreement
from schemas.models.callers import CallerSystem

_LINE = re.compile(rb"POST (\S+) HTTP/1\.[01]\r?")
_PATH = re.compile(r"/v1/([^/?]+)/(query|verify)|/v1/disclosures")
_SHOWN = 8
"""Hexadecimal digits of a hash that are shown: enough to compare."""
_HINTS = {
    "sid": "1 to 64 printable ASCII characters without blanks",
    "rid": "1 to 64 printable ASCII characters without blanks, new for every call",
    "rtime": "milliseconds since 1970, 13 digits",
    "sign": "Base64 of 32 bytes: 44 characters of the alphabet with + and /, the last one =",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A call as its sender has kept it.

    Attributes:
        path: that was called, with everything behind it.
        headers: names and values, in order.
        body: as it was sent.
        signed: the text that its sender signed, where that was kept too.
    """

    path: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    signed: bytes | None = field(default=None, repr=False)

    def values(self, name: str) -> list[str]:
        """Values of a header; upper and lower case are the same."""
        return [value for header, value in self.headers if header.lower() == name.lower()]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        rule: short stable id.
        code: the service answers with it.
        says: what is wrong, and what is right.
    """

    rule: str
    code: Code
    says: str


@dataclass(frozen=True)
class Known:
    """What a call is held against.

    Attributes:
        systems: that may call, by sid.
        keys: appKeys of each system that has one, by sid.
        agreements: under which one may ask, by id.
        now_ms: when the call came, in milliseconds since 1970.
    """

    systems: Mapping[str, CallerSystem]
    keys: Mapping[str, Sequence[bytes]] = field(repr=False)
    agreements: Mapping[str, Agreement]
    now_ms: int


def read(text: bytes, body: bytes | None = None, signed: bytes | None = None) -> Kept:
    """A call from the text of an HTTP request: request line, headers, a blank line, the body.

    Args:
        text: of the request; lines end with LF or CR LF.
        body: where it is kept apart; the text then ends with the headers.
        signed: the text that was signed, if that was kept.

    Raises:
        UsageError: it is no request; nothing of it is in the message.
    """
    parts = re.split(rb"\r?\n\r?\n", text, maxsplit=1)
    first, *lines = parts[0].split(b"\n")
    asked = _LINE.fullmatch(first)
    if asked is None:
        msg = "line 1 is no request line, such as `POST /v1/<agreement>/query HTTP/1.1`"
        raise UsageError(msg)
    headers = []
    for number, line in enumerate(lines, start=2):
        name, colon, value = line.rstrip(b"\r").partition(b":")
        if not line.strip():
            continue
        if not colon or not name or name != name.strip():
            msg = f"line {number} is no header: a name, a colon, a value"
            raise UsageError(msg)
        headers.append((name.decode("latin-1"), value.strip().decode("latin-1")))
    inside = parts[1] if len(parts) > 1 else b""
    if body is not None and inside.strip():
        msg = "the request has a body, and another one was given: give one of them"
        raise UsageError(msg)
    return Kept(
        asked[1].decode("latin-1"), tuple(headers), inside if body is None else body, signed
    )


def examine(kept: Kept, known: Known) -> list[Fault]:
    """Everything that is wrong with a call; empty: the service takes it, unless its rid was taken.

    Args:
        kept: the call.
        known: what it is held against.
    """
    prefix = _prefix(kept, known)
    found = [*_bounds(kept), *_path(kept, known), *_headers(kept, prefix)]
    said = {name: kept.values(prefix + name) for name in FORMS}
    if all(len(values) == 1 for values in said.values()):
        found += _signed(kept, known, {name: values[0] for name, values in said.items()})
    return [*found, *_body(kept, known)]


def _prefix(kept: Kept, known: Known) -> str:
    """The prefix that most of the four headers are there with."""
    usual = SignatureForm().header_prefix
    prefixes = [usual, *sorted({s.header_prefix for s in known.systems.values()} - {usual})]
    return max(prefixes, key=lambda p: sum(bool(kept.values(p + name)) for name in FORMS))


def _bounds(kept: Kept) -> Iterator[Fault]:
    if sum(len(n) + len(v) for n, v in kept.headers) > MOST_HEADER_BYTES:
        yield Fault(
            "headers.size", codes.HEADERS, f"more than {MOST_HEADER_BYTES} bytes of headers"
        )
    for name in ("Transfer-Encoding", "Content-Encoding"):
        if kept.values(name):
            says = f"{name}: the body is sent whole and as it is, not in chunks, not compressed"
            yield Fault("body.encoding", codes.BODY, says)
    lengths = kept.values("Content-Length")
    if not kept.values("Transfer-Encoding") and len(lengths) != 1:
        says = f"Content-Length stands {len(lengths)} times; it stands once"
        yield Fault("body.length", codes.BODY, says)
    elif lengths and lengths != [str(len(kept.body))]:
        says = (
            f"Content-Length is not the length of the body as it was kept: {len(kept.body)} bytes"
        )
        yield Fault("body.length", codes.BODY, says)
    if len(kept.body) > MOST_BODY_BYTES:
        says = f"the body has {len(kept.body)} bytes; at most {MOST_BODY_BYTES} are taken"
        yield Fault("body.size", codes.BODY, says)


def _path(kept: Kept, known: Known) -> Iterator[Fault]:
    found = _PATH.fullmatch(kept.path)
    if found is None:
        says = "the path is `/v1/<agreement>/query`, `/v1/<agreement>/verify` or `/v1/disclosures`"
        yield Fault("path.form", codes.NO_SUCH_PATH, f"{says}, with nothing before or behind it")
    elif found[1] and found[1] not in known.agreements:
        yield Fault("path.agreement", codes.NO_AGREEMENT, "no agreement of that id is asked under")
    elif found[1] and known.agreements[found[1]].mode != found[2]:
        says = f"{found[1]} has mode {known.agreements[found[1]].mode}"
        yield Fault("path.mode", codes.MODE, says)


def _headers(kept: Kept, prefix: str) -> Iterator[Fault]:
    for name, form in FORMS.items():
        header, values = prefix + name, kept.values(prefix + name)
        if not values:
            says = f"{header} is missing{_like(kept, name)}"
            yield Fault("header.missing", codes.NOT_PROVED, says)
        elif len(values) > 1:
            says = f"{header} stands {len(values)} times; it stands once"
            yield Fault("header.doubled", codes.NOT_PROVED, says)
        elif not form.fullmatch(values[0]):
            says = f"{header} is not of its form: {_HINTS[name]}{_seen(name, values[0])}"
            yield Fault("header.form", codes.NOT_PROVED, says)


def _like(kept: Kept, name: str) -> str:
    """A header that may be meant: another prefix, or a hyphen where some proxies put one."""
    found = [h for h, _ in kept.headers if re.fullmatch(rf".*[_-]{name}|{name}", h.lower())]
    return f"; is `{found[0]}` meant? Proxies may drop or change names with `_`" if found else ""


def _seen(name: str, value: str) -> str:
    """What a value of a wrong form seems to be; nothing of it is said but its length."""
    found = f"; yours has {len(value)} characters"
    if name == "rtime" and re.fullmatch(r"[0-9]{10}", value):
        return f"{found}: seconds"
    if name == "sign" and re.fullmatch(r"[0-9A-Fa-f]{64}", value):
        return f"{found}: hexadecimal"
    if name == "sign" and re.fullmatch(r"[A-Za-z0-9_-]{43}=?", value):
        return f"{found}: the alphabet of addresses with - and _, or no = at its end"
    return found + (" and begins or ends with a blank" if value != value.strip() else "")


def _signed(kept: Kept, known: Known, said: Mapping[str, str]) -> Iterator[Fault]:
    system = known.systems.get(said["sid"])
    if system is None:
        says = f"the sid is none of: {', '.join(sorted(known.systems))}"
        yield Fault("sid.unknown", codes.NOT_PROVED, says)
        return
    yield from _time(said["rtime"], known.now_ms)
    keys = known.keys.get(said["sid"], ())
    if not keys:
        yield Fault("key.missing", codes.NOT_PROVED, f"{said['sid']} has no key that is good today")
        return
    more = bound(system, kept.path, kept.body)
    for key in keys:
        if said["sign"] == signature(
            Credential(said["sid"], key, system), said["rid"], said["rtime"], more
        ):
            return
    yield from _mistaken(kept, system, keys, said)


def _time(rtime: str, now_ms: int) -> Iterator[Fault]:
    if not FORMS["rtime"].fullmatch(rtime):
        return
    late = now_ms - int(rtime)
    if not -AHEAD_MS <= late <= WINDOW_MS:
        far = f"{abs(late) / 1000:,.0f} s {'before' if late > 0 else 'after'} the call came"
        window = f"{WINDOW_MS // 60_000} minutes before to {AHEAD_MS // 60_000} after"
        says = f"rtime is {far}; a call is taken with an rtime of {window} that"
        yield Fault("time.window", codes.OUT_OF_TIME, says)


def _mistaken(
    kept: Kept, system: CallerSystem, keys: Sequence[bytes], said: Mapping[str, str]
) -> Iterator[Fault]:
    """Why a signature is not the one that it should be."""
    signing = Signing(
        system, said["sid"], said["rid"], said["rtime"], kept.path, kept.body, kept.values("Host")
    )
    if kept.signed is not None:
        yield from _text(signing, kept.signed)
    ways = signing_mistakes.explained(signing, keys, said["sign"], kept.signed)
    says = "the signature is not the one of this call"
    says += f"; it is what comes out with: {' and '.join(ways)}" if ways else _not_explained(kept)
    yield Fault("sign.wrong", codes.NOT_PROVED, says)


def _not_explained(kept: Kept) -> str:
    more = "" if kept.signed is not None else "; give the text that was signed to have it compared"
    return f" by this key, and no usual mistake explains it: compare key and text{more}"


def _text(signing: Signing, text: bytes) -> Iterator[Fault]:
    """Line by line, how the text that was signed differs from the one to be signed."""
    wanted, lines = signing.text.split(b"\n"), text.split(b"\n")
    names = ("sid, rid and rtime", "the path", "the hash of the body")
    if len(lines) != len(wanted):
        says = f"the text has {len(lines)} lines; it has {len(wanted)}, and none behind the last"
        yield Fault("signed.lines", codes.NOT_PROVED, says)
    for number, (right, yours) in enumerate(zip(wanted, lines, strict=False), start=1):
        if right == yours:
            continue
        says = f"line {number} ({names[number - 1]}) differs: {_difference(right, yours)}"
        if number == 2:
            says += f"; right is {signing.path}"
        if number == 3:
            says += f"; right begins with {right[:_SHOWN].decode()}"
        yield Fault(f"signed.line_{number}", codes.NOT_PROVED, says)


def _difference(right: bytes, yours: bytes) -> str:
    """Where two lines part; nothing of either."""
    if yours.rstrip(b"\r") == right:
        return "it ends with CR; lines end with LF alone"
    if yours.strip() == right:
        return "it has blanks before or behind it"
    if yours.removeprefix(b"\xef\xbb\xbf") == right:
        return "it begins with a byte order mark"
    if yours.lower() == right.lower():
        return "capitals and small letters"
    pairs = zip(right, yours, strict=False)
    place = next(
        (i for i, (a, b) in enumerate(pairs, start=1) if a != b), min(len(right), len(yours)) + 1
    )
    return f"from byte {place} on; yours has {len(yours)} bytes, right are {len(right)}"


def _body(kept: Kept, known: Known) -> Iterator[Fault]:
    """What a body is that cannot be read, or which member is not as described."""
    try:
        content = asked.members(kept.body)
    except Malformed:
        says = "the body is not one JSON object in UTF-8, each member once"
        if kept.body.startswith(b"\xef\xbb\xbf"):
            says += "; it begins with a byte order mark"
        yield Fault("body.json", codes.MALFORMED, says)
        return
    found = _PATH.fullmatch(kept.path)
    agreement = known.agreements.get(found[1]) if found and found[1] else None
    if agreement is None:
        return
    faults = list(_members(content, agreement))
    yield from faults or _unsaid(kept.body, agreement)


def _members(content: Mapping[str, Any], agreement: Agreement) -> Iterator[Fault]:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - only where a call is examined

    schema = openapi.question(agreement)
    for error in Draft202012Validator(schema).iter_errors(content):
        place = ".".join(map(str, error.absolute_path)) or "the body"
        rule = str(error.validator)
        if rule == "required":
            lacking = sorted(set(error.schema["required"]) - set(error.instance))
            says = f"{place}: these members are missing: {', '.join(lacking)}"
        elif rule == "additionalProperties":
            says = f"{place}: a member too many; known: {', '.join(error.schema['properties'])}"
        else:
            wanted = f"{rule} {json.dumps(error.validator_value, ensure_ascii=False)}"
            says = f"{place}: not as the OpenAPI document says ({wanted})"
        code = {"purpose": codes.PURPOSE, "case": codes.CASE}.get(place, codes.MALFORMED)
        yield Fault("body.member", code, says)


def _unsaid(body: bytes, agreement: Agreement) -> Iterator[Fault]:
    """What no schema says: the check character, and that what is recorded names nobody."""
    by = [path.rpartition(".")[2] for path in (agreement.asking.by if agreement.asking else ())]
    try:
        asked.question(body, by, agreement.names if agreement.mode == "verify" else ())
    except Malformed:
        says = (
            "the ID number has no such day or another check character, or request_id, operator or"
            " case holds a value of the person"
        )
        yield Fault("body.person", codes.MALFORMED, says)
