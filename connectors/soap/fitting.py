"""What lint asks of a web service: do the options fit the WSDL?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from connectors.common.xml_names import Names
from connectors.common.xml_stream import SEPARATOR
from connectors.soap.message import check, message
from connectors.soap.options import SoapSource
from connectors.soap.wsdl import Service, WsdlError, service
from onecard.base.extras import extra
from onecard.errors import unknown

with extra("soap"):
    from zeep.xsd import AnyType, Element

Found = tuple[str, str, str]
"""Dotted place below the options, rule, message."""


def problems(options: SoapSource, folder: Path) -> Iterator[Found]:
    """What does not fit.

    Args:
        options: of the source.
        folder: of the contracts.
    """
    try:
        found = service(options, folder)
    except WsdlError as error:
        yield error.place, f"soap.{error.place}", str(error)
        return
    wrong = list(_parameters(options, found))
    yield from wrong
    if not wrong:
        yield from _first_call(options, found)
    yield from _paths(options, found)


def _parameters(options: SoapSource, found: Service) -> Iterator[Found]:
    """Parameters that the request does not have."""
    for path, place in options.parameters.items():
        try:
            check(found, path)
        except WsdlError as error:
            yield place, "soap.parameter", str(error)


def _first_call(options: SoapSource, found: Service) -> Iterator[Found]:
    """What the first call of all lacks: it has no bound and no cursor yet."""
    params = options.first_page()
    if options.until_param:
        params[options.until_param] = "2026-01-01T00:00:00+08:00"
    try:
        message(found, params)
    except WsdlError as error:
        text = f"{error}; what a reading without a bound or a cursor needs stands in `params`"
        yield "params", "soap.parameter", text


def _paths(options: SoapSource, found: Service) -> Iterator[Found]:
    """Paths of the answer that its type does not have."""
    names = Names(options.namespaces)
    for place, path in {"record": options.record, **options.beside}.items():
        wrong = _wrong_step(found, names, path)
        if wrong:
            yield place, "soap.path", f"{options.operation}: {wrong}"


def _wrong_step(found: Service, names: Names, path: str) -> str:
    """What is wrong with a path; empty: nothing, or the type leaves it open."""
    outer, *steps = path.split("/")[1:]
    body = found.operation.output.body
    if body is None:
        return ""
    # Calls in the style `rpc` have no declared name of what is around the answer (WSDL 1.1, 3.5).
    if found.operation.style != "rpc" and outer != _own(names, body.qname):
        return unknown("element in the Body", outer, [_own(names, body.qname)])
    kind = body.type
    for place, step in enumerate(steps):
        parts = _elements(kind, names)
        if parts is None:
            return ""
        if step not in parts:
            above = "/".join(["", outer, *steps[:place]])
            return unknown(f"element in {above}", step, parts)
        kind = parts[step]
    return ""


def _elements(kind: Any, names: Names) -> dict[str, Any] | None:  # noqa: ANN401 - zeep's
    """Types of the elements that a type declares, by name; None: anything may stand there."""
    listed = [part for _, part in getattr(kind, "elements", ())]
    if type(kind) is AnyType or not all(isinstance(part, Element) for part in listed):
        return None
    return {_own(names, part.qname): part.type for part in listed}


def _own(names: Names, name: Any) -> str:  # noqa: ANN401 - lxml's QName
    """A name as the options write it."""
    full = f"{name.namespace}{SEPARATOR}{name.localname}" if name.namespace else name.localname
    return names.of(full)
