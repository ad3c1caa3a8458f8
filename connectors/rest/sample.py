"""One page of an API: where its rows stand, and what the reply says of further pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from connectors.common.record_columns import parts_of, place_of_rows, to_propose
from connectors.common.strict_json import at, scalar_text
from connectors.http.options import Wire
from connectors.rest.client import Client
from connectors.rest.options import RestSource
from onecard.base.connections import Connection
from onecard.base.shown import is_like_a_value
from onecard.errors import ProtocolError, UsageError
from onecard.model.discovered import SAMPLE_ROWS, SampledColumn, SampledSource

_NEXT = ("next", "nextcursor", "next_cursor", "nextpage", "cursor", "after")
_MORE = ("hasmore", "has_more", "more", "hasnext", "has_next")
_TOTAL = ("total", "totalcount", "total_count", "count", "totalrows")
_CODE = ("code", "status", "resultcode", "errcode", "retcode")
_GOOD = ("0", "00", "000", "0000", "200")
"""What APIs call the parts of a reply, in lower case; `_GOOD` says that all went well."""
_WIRE = frozenset(Wire.model_fields)


def sampled(connection: Connection, target: str, options: Mapping[str, Any]) -> SampledSource:
    """An API as one page shows it.

    Args:
        connection: of the agency's system.
        target: path below its host.
        options: of `RestSource`, as far as they are known; of the reply are found: the place of the
            rows (`records`), the paginator's `next`, `has_more` or `total`, `success`.

    Raises:
        UsageError: the options are none of an API.
        ProtocolError: the reply holds no list of records.
        OnecardError: as the client raises it.
    """
    path = target if target.startswith("/") else f"/{target}"
    wire = _wire(options)
    client = Client(connection, wire, "a sample")
    try:
        reply = client.get(path, _asked(path, options))
    finally:
        client.close()
    place = str(options.get("records") or place_of_rows(reply))
    records = at(reply, place)
    if not isinstance(records, list):
        msg = f"{path}: the reply holds no list of records" + (f" at {place}" if place else "")
        raise ProtocolError(msg)
    found, guessed = _completed(reply, {"path": path, "records": place, **options})
    sound = [r for r in records[:SAMPLE_ROWS] if isinstance(r, dict)]
    columns, left_out = to_propose(sound)
    return SampledSource(
        origin=path,
        name=path.rstrip("/").rpartition("/")[2],
        connector="rest",
        options=found,
        columns=tuple(SampledColumn(c) for c in columns),
        rows=tuple(tuple(scalar_text(r.get(c.name)) for c in columns) for r in sound),
        remarks=(*guessed, *left_out),
    )


def _wire(options: Mapping[str, Any]) -> Wire:
    try:
        if "paginator" in options and "records" in options:
            RestSource.model_validate({"path": "/", **options})
        return Wire.model_validate({k: v for k, v in options.items() if k in _WIRE})
    except ValidationError as error:
        parts = ", ".join(sorted({".".join(map(str, e["loc"])) for e in error.errors()}))
        msg = f"options of an API: {parts} cannot be"
        raise UsageError(msg) from None


def _asked(path: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of the first page, where the options say how pages are asked for."""
    if "paginator" not in options:
        return dict(options.get("params") or {})
    whole = {"records": "$", **options, "path": path}
    try:
        return dict(RestSource.model_validate(whole).first_page())
    except ValidationError as error:
        parts = ", ".join(sorted({".".join(map(str, e["loc"])) for e in error.errors()}))
        msg = f"options of an API: {parts} cannot be"
        raise UsageError(msg) from None


def _completed(reply: object, options: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The options with what the reply shows, and what of it is a guess."""
    remarks = []
    if "paginator" not in options:
        options["paginator"] = _paginator(reply)
        remarks.append(
            "source.options.paginator: the names of the parameters do not stand in a reply:"
            " take them from the API's own page"
        )
        if options["paginator"]["kind"] == "page_number":
            remarks.append(
                "source.options.paginator.order: say what gives the pages one order; `stable`"
                " is not known"
            )
    code = _named(reply, _CODE)
    if "success" not in options and code and scalar_text(at(reply, code)) in _GOOD:
        options["success"] = {"field": code, "value": scalar_text(at(reply, code))}
    if "since_param" not in options:
        remarks.append(
            "source.options.since_param: with it and a cursor only what is new is read; without"
            " it every reading reads all"
        )
    return options, remarks


def _paginator(reply: object) -> dict[str, Any]:
    following, total = _named(reply, _NEXT), _named(reply, _TOTAL)
    if following or not total:
        found = {"kind": "keyset", "cursor_param": "after", "next": following or "next"}
        more = _named(reply, _MORE)
        return found | ({"has_more": more} if more else {}) | {"size_param": "limit"}
    return {
        "kind": "page_number",
        "page_param": "page",
        "size_param": "size",
        "total": total,
        "order": "stable",
    }


def _named(reply: object, names: Sequence[str]) -> str:
    """The path of the first part of a reply that has one of these names; empty: none has.

    As of `place_of_rows`, a path with a name in it that may be a value is none.
    """
    places = {
        place.rpartition(".")[2].lower(): place
        for place, _ in parts_of(reply)
        if not any(map(is_like_a_value, place.split(".")))
    }
    return next((places[name] for name in names if name in places), "")
