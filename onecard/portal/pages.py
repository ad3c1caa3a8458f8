"""Renders the pages: Jinja2 with autoescape; whatever is printed shows its hidden characters."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from onecard.base.times import shown
from onecard.portal.security import spelt, visible
from onecard.portal.site import Language
from onecard.stewardship.agreement_words import TREATMENTS
from schemas.models.strict_yaml import parse

HERE = Path(__file__).parent
LANGUAGES = {"zh": "zh-CN", "en": "en"}


@cache
def _words() -> Mapping[str, Mapping[str, str]]:
    return parse(HERE / "words.yaml").data


@cache
def style() -> str:
    """The one style sheet, as it stands inside every page."""
    return (HERE / "templates" / "style.css").read_text(encoding="utf-8")


def style_digest() -> str:
    """SHA-256 of the style sheet, as a content security policy names it."""
    return base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()


@dataclass(frozen=True, slots=True)
class Words:
    """The portal's words in one language."""

    language: str

    def __call__(self, key: str, **values: object) -> str:
        """The word of that key; an unknown key is an error, an unknown state its own word."""
        return _words()[key][self.language].format(**values)

    def known(self, group: str, name: str) -> str:
        """The word of one state of a group, or the state itself."""
        word = _words().get(f"{group}_{name}")
        return word[self.language] if word else name

    def treatment(self, name: str) -> str:
        """How a field is treated."""
        return TREATMENTS[name] if self.language == "zh" else name.replace("_", " ")

    def agency(self, agency: Any) -> str:  # noqa: ANN401 - schemas.models.catalogue.Agency
        """Name of an agency."""
        return str(agency.title if self.language == "zh" else agency.title_en)


def language(request: Request) -> Language:
    """`en` when asked for, else `zh`."""
    asked = request.query_params
    return "en" if "lang" in asked and asked["lang"] == "en" else "zh"


def path(request: Request, *parts: str) -> str:
    """Address of a page of the portal, in the page's language."""
    return address(request, *parts)


def address(request: Request, *parts: str, **query: str) -> str:
    """Address of a page of the portal with a query, in the page's language.

    Args:
        request: gives the language and where the portal is.
        *parts: of the path.
        **query: its names and values.
    """
    asked = {**query, "lang": "en"} if language(request) == "en" else query
    root = str(request.scope.get("root_path", "")).rstrip("/")
    return f"{root}/{'/'.join(parts)}" + (f"?{urlencode(asked)}" if asked else "")


def _links(request: Request) -> Callable[..., str]:
    """Gives what `path` gives: language and place are looked up once for all links of a page."""
    root, _, ending = path(request).rpartition("/")
    return lambda *parts: f"{root}/{'/'.join(parts)}{ending}"


def other_language(request: Request, asked: Mapping[str, str]) -> str:
    """Address of the same page in the other language.

    Args:
        request: gives the page and its language.
        asked: of the address: names and values.
    """
    kept = {name: value for name, value in asked.items() if name != "lang"}
    there = kept if language(request) == "en" else {**kept, "lang": "en"}
    # Two slashes before a name would be another site's address.
    return "/" + request.url.path.lstrip("/") + (f"?{urlencode(there)}" if there else "")


def indented(body: str) -> str:
    """JSON with a line for each part; what is none as it stands."""
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=1)
    except (ValueError, RecursionError):
        return body


def render(
    request: Request, template: str, values: Mapping[str, object], status: int = 200
) -> HTMLResponse:
    """One page.

    Args:
        request: gives the language and the address.
        template: file name without `.html.j2`.
        values: what the template prints; `visitor` and `logout` must be among them.
        status: of the answer.
    """
    chosen = language(request)
    root = str(request.scope.get("root_path", "")).rstrip("/")
    text = (
        _environment()
        .get_template(f"{template}.html.j2")
        .render(
            {
                "t": Words(chosen),
                "html_lang": LANGUAGES[chosen],
                "style": style(),
                "link": _links(request),
                "other": other_language(request, request.query_params),
                "root": root,
                **values,
            }
        )
    )
    return HTMLResponse(text, status)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["clock"] = _clock
    made.filters["spelt"] = spelt
    made.filters["count"] = lambda n: f"{n:,}"
    made.filters["seconds"] = lambda s: "—" if s is None else f"{s:,.1f}"
    made.filters["share"] = lambda s: "—" if s is None else _share(s)
    return made


def _clock(at: datetime) -> str:
    return shown(at, "%Y-%m-%d %H:%M")


def _share(share: float) -> str:
    """Never rounds something to nothing."""
    return "<0.01%" if 0 < share < 0.0001 else f"{share:.2%}"
