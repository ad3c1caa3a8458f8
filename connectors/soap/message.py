"""The request of an operation: its parameters by dotted paths, held against the WSDL's types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.soap.wsdl import STRANGE, Service, WsdlError
from onecard.base.extras import extra
from onecard.errors import unknown

with extra("soap"):
    from lxml import etree
    from zeep.exceptions import Error as ZeepError
    from zeep.xsd import Any as AnyElement
    from zeep.xsd import AnyType

Parts = Mapping[str, Any]


def message(service: Service, params: Mapping[str, str]) -> bytes:
    """The envelope of one call, in UTF-8.

    Args:
        service: the operation.
        params: values by dotted paths.

    Raises:
        WsdlError: the request has no such parameter, or lacks one; names those that it has.
    """
    for path in params:
        check(service, path)
    operation = service.operation.name
    try:
        made = service.operation.create(**_nested(operation, params)).content
        return bytes(etree.tostring(made, xml_declaration=True, encoding="UTF-8"))
    except ZeepError as error:  # names of elements, no values
        text = f"the request of {operation} is not what the WSDL says: {error}"
        raise WsdlError(text, "params") from None
    except STRANGE as error:
        text = f"the request of {operation} cannot be written ({type(error).__name__})"
        raise WsdlError(text, "params") from None


def check(service: Service, path: str) -> None:
    """Hold the path of a parameter against the operation's request.

    Args:
        service: the operation.
        path: dotted.

    Raises:
        WsdlError: there is no such parameter, or it has parts.
    """
    body = service.operation.input.body
    kind = None if body is None else body.type
    steps = path.split(".")
    for place, step in enumerate(steps):
        parts = parts_of(kind)
        if parts is None:
            return
        if step not in parts:
            where = ".".join(steps[:place])
            what = f"parameter of {where}" if where else "parameter"
            text = f"{service.operation.name}: {unknown(what, step, parts)}"
            raise WsdlError(text, "params")
        kind = parts[step].type
    if parts := parts_of(kind):
        text = f"{service.operation.name}: {path} has parts: {', '.join(parts)}"
        raise WsdlError(text, "params")


def parts_of(kind: Any) -> Parts | None:  # noqa: ANN401 - zeep's
    """Elements and attributes of a type by name; None: anything may stand in it.

    Args:
        kind: zeep's type; None: there is none.
    """
    if kind is None:
        return {}
    listed = getattr(kind, "elements", ())
    if type(kind) is AnyType or any(isinstance(part, AnyElement) for _, part in listed):
        return None
    return dict((*listed, *getattr(kind, "attributes", ())))


def _nested(operation: str, params: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, value in params.items():
        *outer, last = path.split(".")
        inner = found
        for step in outer:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                text = f"{operation}: {path}: {step} is a parameter with a value of its own"
                raise WsdlError(text, "params")
        inner[last] = value
    return found
