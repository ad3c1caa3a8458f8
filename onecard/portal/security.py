"""Headers of every answer, tokens of forms, and what a visitor may write into one."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from fastapi import HTTPException, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onecard.base import personal

LONGEST_FORM = 32_768
"""Bytes of a form; an answer of 1,000 characters needs 9,000 at most in percent encoding."""

MOST_FIELDS = 80
"""Fields of a form: a page of problems that are chosen, and what is done with them."""

TOKEN_LIFE = timedelta(hours=8)
"""A working day: a form that was opened in the morning can be sent in the afternoon."""

BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows (Unicode TR9): text would lie."""

FIXED = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_POLICY = "default-src 'none'; {0}; base-uri 'none'; form-action {1}; frame-ancestors 'self'"


def page_policy(style_digest: str) -> str:
    """Content security policy of the portal's pages: one style sheet of a known digest."""
    return _POLICY.format(f"style-src 'sha256-{style_digest}'", "'self'")


REPORT_POLICY = _POLICY.format("style-src 'unsafe-inline'; img-src data:; font-src data:", "'none'")
"""Of report files, which carry their own styles and pictures."""


class Headers:
    """Puts the fixed headers on every answer, and the page policy where there is no other.

    The answer to an error that nothing has foreseen is made outside of it: `put` is for that.
    """

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self.app = app
        self.policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.put(MutableHeaders(scope=message), self.policy)
            await send(message)

        await self.app(scope, receive, with_headers)

    @staticmethod
    def put(headers: MutableHeaders, policy: str) -> None:
        """Complete the headers of an answer."""
        for name, value in {**FIXED, "Content-Security-Policy": policy}.items():
            headers.setdefault(name, value)


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form of limited size; empty for a request that changes nothing.

    Raises:
        HTTPException: 413 or 415.
    """
    if request.method in ("GET", "HEAD"):
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            raise HTTPException(413)
    try:
        text = body.decode("ascii")
        return dict(
            parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
        )
    except ValueError:
        raise HTTPException(400) from None


def token(secret: bytes, user: str, now: datetime) -> str:
    """A token that lets this user send a form for some hours.

    Args:
        secret: of the installation.
        user: who asks.
        now: the hub's time.
    """
    issued = f"{int(now.timestamp())}"
    return f"{issued}.{_mac(secret, user, issued)}"


def check_token(secret: bytes, user: str, now: datetime, form: Mapping[str, str]) -> None:
    """Refuse a form without a token of this user.

    Args:
        secret: of the installation.
        user: who sends.
        now: the hub's time.
        form: what was sent, the token with it.

    Raises:
        HTTPException: 403.
    """
    issued, _, mac = form.get("csrf", "").partition(".")
    right = hmac.compare_digest(mac.encode(), _mac(secret, user, issued).encode())
    age = now.timestamp() - int(issued) if right else -1.0
    if not right or not 0 <= age <= TOKEN_LIFE.total_seconds():
        raise HTTPException(403, "form")


def check_origin(request: Request) -> None:
    """Refuse a form that another site sends, where the browser says so.

    Raises:
        HTTPException: 403.
    """
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise HTTPException(403, "form")


def _mac(secret: bytes, user: str, issued: str) -> str:
    text = f"onecard-portal\0{user}\0{issued}".encode()
    return hmac.new(secret, text, hashlib.sha256).hexdigest()


def written(form: Mapping[str, str], name: str, longest: int) -> str:
    """What a visitor wrote into a field.

    Args:
        form: what was sent.
        name: of the field.
        longest: allowed number of characters.

    Raises:
        HTTPException: 422 with the reason as its detail: `empty`, `long`, `signs` (control or
            direction characters) or `personal` (an ID number, mobile, card, passport, plate).
    """
    text = form.get(name, "").replace("\r\n", "\n").strip()
    if not text:
        raise HTTPException(422, "empty")
    return _permitted(text, longest)


def sought(query: Mapping[str, str], name: str, longest: int) -> str:
    """What a visitor looks for, by the same rules as what is written; it may be empty.

    Args:
        query: of the address.
        name: of the box.
        longest: allowed number of characters.

    Raises:
        HTTPException: 422 with `long`, `signs` or `personal`, as `written`.
    """
    text = query.get(name, "").strip()
    return _permitted(text, longest) if text else ""


def _permitted(text: str, longest: int) -> str:
    if len(text) > longest:
        raise HTTPException(422, "long")
    if any(_hidden(c) for c in text):
        raise HTTPException(422, "signs")
    if personal.find(text):
        raise HTTPException(422, "personal")
    return text


def visible(value: Any) -> Any:  # noqa: ANN401 - whatever a template prints
    """A text with characters that nobody sees written out; anything else as it is."""
    if type(value) is not str or value.isprintable():  # what `_hidden` finds is not printable
        return value
    return "".join(f"⟨U+{ord(c):04X}⟩" if _hidden(c) else c for c in value)


def spelt(text: str) -> str:
    """A value of a row, in which each blank counts: those that nobody sees are written out.

    Args:
        text: a line end or a blank at its end may be just what is wrong with it.
    """
    first = len(text) - len(text.lstrip(" "))
    last = len(text.rstrip(" "))
    return "".join(
        f"⟨U+{ord(c):04X}⟩" if c.isspace() and (c != " " or not first <= at < last) else c
        for at, c in enumerate(text)
    )


def _hidden(character: str) -> bool:
    if character in BIDI:
        return True
    return unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t"
