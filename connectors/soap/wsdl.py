"""WSDL documents from the folder of the contracts, and an operation of one as it is called.

Nothing is downloaded. Before zeep sees a document, it is read as every XML here: no document type,
bounded depth; what it imports must lie in its own folder.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from connectors.common.xml_stream import Handler, fed
from connectors.soap.options import SoapSource, Version
from onecard.base import files
from onecard.base.extras import extra
from onecard.base.settings import Settings
from onecard.errors import ConfigError, ProtocolError, unknown
from schemas.models import catalogue

with extra("soap"):
    from zeep import Settings as ZeepSettings
    from zeep.exceptions import Error as ZeepError
    from zeep.wsdl import Document
    from zeep.wsdl.bindings import Soap11Binding, Soap12Binding

LARGEST = 16 * 1024**2
"""Bytes of one document; a large service has some hundred thousand."""
PIECE = 1 << 16
MOST_KEPT = 16
"""Documents that a process keeps parsed."""
BINDINGS: Mapping[Version, type[Any]] = {"1.1": Soap11Binding, "1.2": Soap12Binding}
WELL_KNOWN = {"http://schemas.xmlsoap.org/soap/encoding/": Path(__file__).parent / "encoding.xsd"}
"""Documents that zeep asks for by their namespace where a WSDL only refers to them."""
STRANGE = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError),
    *(NotImplementedError, RecursionError, TypeError, ValueError),
)
"""What zeep raises on documents that are no WSDL, besides errors of its own."""

_kept: dict[Path, tuple[object, Any]] = {}
_loading = threading.Lock()


class WsdlError(ConfigError):
    """Something in the options does not fit the WSDL.

    Args:
        message: names the WSDL, and the valid choices.
        place: the option.
    """

    def __init__(self, message: str, place: str = "wsdl") -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True, slots=True)
class Service:
    """An operation of a port, as it is called.

    Attributes:
        operation: zeep's, which makes the message and knows the types of request and answer.
        version: of SOAP.
        path: below the connection's host.
    """

    operation: Any
    version: Version
    path: str

    @property
    def headers(self) -> dict[str, str]:
        """Of a request in this version (SOAP 1.1, 6.1.1; SOAP 1.2 part 2, 6.5.3)."""
        action = self.operation.soapaction or ""
        if self.version == "1.1":
            return {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{action}"'}
        told = f'; action="{action}"' if action else ""
        return {"Content-Type": f"application/soap+xml; charset=utf-8{told}"}


def contracts_folder() -> Path:
    """The folder of the contracts in force, below which WSDL documents lie."""
    return Settings.load().schemas or catalogue.ROOT


def service(options: SoapSource, folder: Path) -> Service:
    """The operation that the options name.

    Args:
        options: WSDL, operation, version and port.
        folder: of the contracts.

    Raises:
        WsdlError: no such file, no WSDL, or it has no such operation or port; names those that it
            has.
    """
    document = _document(options.wsdl, folder)
    ports = [port for found in document.services.values() for port in found.ports.values()]
    own = [p for p in ports if isinstance(p.binding, BINDINGS[options.version])]
    if not own:
        there = (v for v, kind in BINDINGS.items() for p in ports if isinstance(p.binding, kind))
        raise _not_there(options, "version", there)
    if options.port is not None:
        named = [p for p in own if p.name == options.port]
        if not named:
            raise _not_there(options, "port", (p.name for p in own))
        own = named
    return _operation(options, own)


def _not_there(options: SoapSource, option: str, known: Iterable[str]) -> WsdlError:
    """That the WSDL has no such version, port or operation, and which ones it has."""
    what = "version of SOAP" if option == "version" else option
    message = unknown(what, getattr(options, option), known)
    return WsdlError(f"{options.wsdl}: {message}", option)


def _operation(options: SoapSource, ports: list[Any]) -> Service:
    having = [p for p in ports if options.operation in p.binding.all()]
    if not having:
        raise _not_there(options, "operation", (name for p in ports for name in p.binding.all()))
    if len(having) > 1:
        names = ", ".join(sorted(p.name for p in having))
        message = f"{options.wsdl}: {options.operation} is an operation of several ports: {names}"
        raise WsdlError(message, "port")
    (port,) = having
    found = port.binding.get(options.operation)
    if found.input is None or getattr(found.output, "abstract", None) is None:
        message = f"{options.wsdl}: {options.operation} has no request, or no answer"
        raise WsdlError(message, "operation")
    address = urlsplit((port.binding_options or {}).get("address") or "")
    told = address.path + (f"?{address.query}" if address.query else "")
    return Service(found, options.version, options.path or told or "/")


def _document(name: str, folder: Path) -> Any:  # noqa: ANN401 - zeep's
    """The parsed WSDL; a process parses the same bytes once."""
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()) or not file.is_file():
        raise WsdlError(unknown("WSDL", name, _there(folder)))
    state = tuple((str(f), files.digest(f)) for f in _documents(file.parent))
    with _loading:
        known, found = _kept.get(file, (None, None))
        if known != state:
            found = _parsed(name, file)
            _kept.pop(file, None)
            _kept[file] = state, found
            while len(_kept) > MOST_KEPT:
                del _kept[next(iter(_kept))]
    return found


def _documents(folder: Path) -> list[Path]:
    return sorted(f for kind in ("*.wsdl", "*.xsd") for f in folder.rglob(kind) if f.is_file())


def _there(folder: Path) -> Iterator[str]:
    return (f.relative_to(folder).as_posix() for f in sorted(folder.rglob("*.wsdl")))


def _parsed(name: str, file: Path) -> Any:  # noqa: ANN401 - zeep's
    settings = ZeepSettings(strict=True, forbid_dtd=True)
    try:
        with warnings.catch_warnings():  # of operations that nobody calls
            warnings.simplefilter("ignore")
            found = Document(str(file), _Beside(name, file.parent), settings=settings)
    except ZeepError as error:
        message = f"{name} is no WSDL that can be used: {error or type(error).__name__}"
        raise WsdlError(message) from None
    except STRANGE as error:
        message = f"{name} is no WSDL that can be used ({type(error).__name__})"
        raise WsdlError(message) from None
    if not found.services:
        message = f"{name} is no WSDL that can be used: it names no service"
        raise WsdlError(message)
    return found


class _Beside:
    """Gives zeep documents of one folder, and no others."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name, self._folder = name, folder

    def load(self, url: str) -> bytes:
        """The bytes of a document.

        Raises:
            WsdlError: it lies elsewhere, is not there, or is no XML that is read.
        """
        if url in WELL_KNOWN:
            return WELL_KNOWN[url].read_bytes()
        parts = urlsplit(str(url))
        if parts.scheme not in ("", "file") or parts.netloc:
            message = (
                f"{self._name} imports {url}: nothing is downloaded; put the document beside it and"
                " name it by its file name"
            )
            raise WsdlError(message)
        file = Path(unquote(parts.path) if parts.scheme else str(url)).resolve()
        if not file.is_relative_to(self._folder) or not file.is_file():
            message = f"{self._name} imports {file.name}, which is no file of its folder"
            raise WsdlError(message)
        if file.stat().st_size > LARGEST:
            message = f"{self._name}: {file.name} has more than {LARGEST} bytes"
            raise WsdlError(message)
        data = file.read_bytes()
        try:
            for _ in fed(Handler(), _pieces(data), file.name, list):
                pass
        except ProtocolError as error:
            raise WsdlError(str(error)) from None
        return data


def _pieces(data: bytes) -> Generator[bytes, None, None]:
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]
