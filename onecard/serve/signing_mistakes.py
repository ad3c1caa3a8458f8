"""Usual mistakes in signing a call: which of them explain a signature that is not the right one.

Each mistake changes one step of the recipe: what is signed, how, with which key, how it is written.
All of them are tried alone, then in pairs.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import combinations

from onecard.base.platform_signature import (
    Algorithm,
    Credential,
    SignatureForm,
    body_digest,
    bound,
    signature,
)


@dataclass(frozen=True)
class Signing:
    """What a call is signed from.

    Attributes:
        form: of its system.
        path: as it is called.
        hosts: values of the header Host.
    """

    form: SignatureForm
    sid: str
    rid: str
    rtime: str
    path: str
    body: bytes = field(repr=False)
    hosts: Sequence[str] = ()

    @property
    def head(self) -> str:
        """The first line."""
        return f"{self.sid}{self.rid}{self.rtime}"

    @property
    def text(self) -> bytes:
        """What is to be signed."""
        return self.head.encode() + bound(self.form, self.path, self.body)


@dataclass(frozen=True)
class _Recipe:
    """How a signature is made, step by step."""

    head: bytes
    path: bytes
    digest: bytes
    key: bytes = field(repr=False)
    algorithm: Algorithm
    between: bytes = b"\n"
    end: bytes = b""
    whole: bytes | None = None
    written: Callable[[bytes], str] = lambda mac: base64.b64encode(mac).decode()

    def made(self) -> str:
        """The signature."""
        text = self.whole
        if text is None:
            text = self.between.join((self.head, self.path, self.digest)) + self.end
        form = SignatureForm(algorithm=self.algorithm)
        return self.written(
            base64.b64decode(signature(Credential("", self.key, form), "", "", text))
        )


@dataclass(frozen=True, slots=True)
class _Mistake:
    """A step of the recipe that is another one."""

    says: str
    step: str
    value: object = field(repr=False)

    def __call__(self, recipe: _Recipe) -> _Recipe:
        return replace(recipe, **{self.step: self.value})  # type: ignore[arg-type]


def explained(
    signing: Signing, keys: Sequence[bytes], sign: str, signed: bytes | None
) -> tuple[str, ...]:
    """The mistakes that lead to a signature; empty: none that is known.

    Args:
        signing: what the call is to be signed from.
        keys: that are good today, and that may have been used.
        sign: as it came.
        signed: the text that was signed, if that was kept: then only key, algorithm and way of
            writing are looked at.
    """
    for key in keys:
        right = _recipe(signing, key)
        mistakes = [*_of_key(key), *_of_algorithm(signing.form), *_of_writing()]
        if signed is not None:
            right = replace(right, whole=signed)
            if right.made() == sign:
                return ("another text, as said above",)
        else:
            mistakes += [*_of_text(signing), *_of_digest(signing)]
        for number in (1, 2):
            for together in combinations(mistakes, number):
                if len({m.step for m in together}) == number and _made(right, together) == sign:
                    return tuple(m.says for m in together)
    return ()


def _recipe(signing: Signing, key: bytes) -> _Recipe:
    digest = body_digest(signing.form, signing.body).encode()
    path = signing.path.encode("latin-1", "replace")
    return _Recipe(signing.head.encode(), path, digest, key, signing.form.algorithm)


def _made(recipe: _Recipe, mistakes: Sequence[_Mistake]) -> str:
    for mistake in mistakes:
        recipe = mistake(recipe)
    return recipe.made()


def _of_text(signing: Signing) -> Iterator[_Mistake]:
    path, sid, rid, rtime = signing.path, signing.sid, signing.rid, signing.rtime
    yield _Mistake(
        "sid, rid and rtime alone: path and body not signed", "whole", signing.head.encode()
    )
    yield _Mistake("an empty body's line left out", "whole", f"{signing.head}\n{path}".encode())
    yield _Mistake("rid before sid", "head", f"{rid}{sid}{rtime}".encode())
    yield _Mistake("rtime before rid", "head", f"{sid}{rtime}{rid}".encode())
    yield _Mistake("rtime in seconds", "head", f"{sid}{rid}{rtime[:10]}".encode())
    for sign, name in (("&", "&"), (",", "commas"), ("\n", "line breaks"), ("|", "|")):
        yield _Mistake(
            f"{name} between sid, rid and rtime", "head", sign.join((sid, rid, rtime)).encode()
        )
    for between, says in (
        (b"\r\n", "CR LF between the lines instead of LF"),
        (b"", "nothing between the lines instead of LF"),
        (b"\\n", "the two characters \\n instead of a line break"),
        (b" ", "blanks between the lines instead of LF"),
        (b"&", "& between the lines instead of LF"),
    ):
        yield _Mistake(says, "between", between)
    yield _Mistake("a line break behind the last line", "end", b"\n")
    yield _Mistake("CR LF behind the last line", "end", b"\r\n")
    for scheme in ("http", "https"):
        for host in signing.hosts:
            yield _Mistake("the whole address as path", "path", f"{scheme}://{host}{path}".encode())
    yield _Mistake("the host before the path", "path", "".join([*signing.hosts, path]).encode())
    for says, other in (
        ("the path without its first slash", path.lstrip("/")),
        ("a slash behind the path", f"{path}/"),
        ("the path without /v1", path.removeprefix("/v1")),
        ("the path without what is behind ?", path.partition("?")[0]),
        ("the method before the path", f"POST {path}"),
        ("an empty path", ""),
    ):
        yield _Mistake(says, "path", other.encode())


def _of_digest(signing: Signing) -> Iterator[_Mistake]:
    body = signing.body

    def digest(data: bytes, algorithm: Algorithm = signing.form.algorithm) -> str:
        return body_digest(SignatureForm(algorithm=algorithm), data)

    raw = bytes.fromhex(digest(body))
    other = _other(signing.form)
    yield _Mistake("the hash in capital digits", "digest", digest(body).upper().encode())
    yield _Mistake("the hash in Base64", "digest", base64.b64encode(raw))
    yield _Mistake("the hash as bytes", "digest", raw)
    yield _Mistake(f"the body hashed by {other}", "digest", digest(body, other).encode())
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    yield _Mistake("the body hashed by MD5", "digest", md5.encode())
    yield _Mistake("the body itself instead of its hash", "digest", body)
    for says, bytes_ in _bodies(body):
        yield _Mistake(f"the hash of {says}", "digest", digest(bytes_).encode())


def _bodies(body: bytes) -> Iterator[tuple[str, bytes]]:
    """What may have been hashed instead of the body that was sent."""
    yield "nothing", b""
    yield "the body with a line break behind it", body + b"\n"
    yield "the body with CR LF behind it", body + b"\r\n"
    yield "the body without the blanks around it", body.strip()
    yield "the body with LF instead of CR LF", body.replace(b"\r\n", b"\n")
    yield "the body with CR LF instead of LF", body.replace(b"\n", b"\r\n")
    yield "the body without its byte order mark", body.removeprefix(b"\xef\xbb\xbf")
    try:
        text = body.decode()
        content = json.loads(text)
    except (ValueError, RecursionError):
        return
    yield "the body in GB 18030", text.encode("gb18030", "replace")
    yield "the body in UTF-16", text.encode("utf-16-le")
    for plain in (False, True):
        for order in (False, True):
            for separators in ((",", ":"), (", ", ": ")):
                written = json.dumps(
                    content, ensure_ascii=plain, sort_keys=order, separators=separators
                )
                yield "JSON that was written anew", written.encode("utf-8", "replace")


def _of_key(key: bytes) -> Iterator[_Mistake]:
    with suppress(ValueError):  # a key that is no hexadecimal text
        plain = bytes.fromhex(key.decode())
        yield _Mistake("the bytes that the key's digits stand for", "key", plain)
    yield _Mistake("the key in capital letters", "key", key.upper())
    yield _Mistake("a line break behind the key", "key", key + b"\n")
    yield _Mistake("CR LF behind the key", "key", key + b"\r\n")
    yield _Mistake("the key in quotes", "key", b'"' + key + b'"')
    yield _Mistake("the key in Base64", "key", base64.b64encode(key))


def _of_algorithm(form: SignatureForm) -> Iterator[_Mistake]:
    other = _other(form)
    yield _Mistake(f"HMAC by {other} instead of {form.algorithm}", "algorithm", other)


def _of_writing() -> Iterator[_Mistake]:
    ways: tuple[tuple[str, Callable[[bytes], str]], ...] = (
        ("the signature in hexadecimal", bytes.hex),
        ("the signature in capital hexadecimal", lambda mac: mac.hex().upper()),
        ("Base64 of the hexadecimal digits", lambda m: base64.b64encode(m.hex().encode()).decode()),
        ("Base64 for addresses (- and _)", lambda mac: base64.urlsafe_b64encode(mac).decode()),
        ("Base64 without = at its end", lambda m: base64.b64encode(m).decode().rstrip("=")),
    )
    for says, way in ways:
        yield _Mistake(says, "written", way)


def _other(form: SignatureForm) -> Algorithm:
    return "sha256" if form.algorithm == "sm3" else "sm3"
