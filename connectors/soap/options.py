"""Options of a SOAP web service, as contracts write them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from connectors.common.xml_names import is_path
from connectors.http.options import Keyset, NoAuth, Paged, PageNumber
from onecard.base.frozen import Frozen

Version = Literal["1.1", "1.2"]
LARGEST = 1024**3
"""Bytes that an answer may unpack to where nothing else is said; it lies on disk, not in memory."""


class UsernameToken(Frozen):
    """The connection's login and password in the header of each message (WS-Security 1.1.1).

    Attributes:
        password: as it is (`text`), or as a digest with a nonce and the time, of each message its
            own (`digest`); a text is as safe as the line that it goes over.
    """

    kind: Literal["username_token"]
    password: Literal["text", "digest"]


class SoapSource(Paged):
    """Options of a web service that is read.

    Its parameters are dotted paths in the operation's request (`query.pageNo`). What stands in the
    answer is named by paths of elements below the Body, from its first element on.

    Attributes:
        wsdl: file below the folder of the contracts; it and what it imports lie in one folder.
        operation: of the WSDL.
        version: of SOAP.
        port: of the WSDL; None: the only one that has the operation in that version.
        path: below the connection's host; None: the WSDL's. Its host is never called.
        record: path of the elements that are rows: `/queryResponse/return/row`.
        namespaces: prefixes of the paths here and in the contract, and their URIs; the empty prefix
            is of names that have none.
        until_param: parameter that takes the end of what is asked for: the moment of the reading.
        time_format: how the bound and that moment are written (strftime, Beijing time); None: ISO
            8601.
        security: a header of each message; the login is then no other's.
        max_bytes: that an answer may unpack to.
    """

    page_order: ClassVar[str] = "soap.page_order"
    wsdl: str
    operation: str
    version: Version = "1.1"
    port: str | None = None
    path: str | None = None
    record: str
    namespaces: Mapping[str, str] = Field(default_factory=dict)
    until_param: str | None = None
    time_format: str | None = None
    security: UsernameToken | None = None
    max_bytes: int = Field(default=LARGEST, gt=0)

    @property
    def around(self) -> str:
        """Path of the element in which the rows stand."""
        return self.record.rpartition("/")[0]

    @property
    def beside(self) -> Mapping[str, str]:
        """Paths of what is read of an answer beside its rows, by the option that names them."""
        found: dict[str, str | None] = {}
        if self.success is not None:
            found["success.field"] = self.success.field
        if isinstance(self.paginator, Keyset):
            found["paginator.next"] = self.paginator.next
            found["paginator.has_more"] = self.paginator.has_more
        elif isinstance(self.paginator, PageNumber):
            found["paginator.total"] = self.paginator.total
        return {place: path for place, path in found.items() if path}

    @property
    def parameters(self) -> Mapping[str, str]:
        """Every parameter that is ever sent, by the option that names it last."""
        paginator, found = self.paginator, {name: f"params.{name}" for name in self.params}
        if isinstance(paginator, Keyset):
            found[paginator.cursor_param] = "paginator.cursor_param"
        elif isinstance(paginator, PageNumber):
            found[paginator.page_param] = "paginator.page_param"
            if isinstance(paginator.order, Mapping):
                found |= {name: f"paginator.order.{name}" for name in paginator.order}
        if paginator is not None:
            found[paginator.size_param] = "paginator.size_param"
        found |= {name: f"by.{field}" for field, name in self.by.items()}
        own = {"since_param": self.since_param, "until_param": self.until_param}
        return found | {name: place for place, name in own.items() if name}

    @field_validator("wsdl")
    @classmethod
    def _beside_the_contracts(cls, value: str) -> str:
        path = Path(value)
        if path.is_absolute() or ".." in path.parts or path.suffix.lower() != ".wsdl":
            msg = "soap.wsdl: a .wsdl file below the folder of the contracts: services/card.wsdl"
            raise ValueError(msg)
        return value

    @field_validator("record")
    @classmethod
    def _below_the_body(cls, value: str) -> str:
        if not is_path(value) or value.count("/") < 2:
            msg = (
                "soap.record: names each element below the Body, and the rows stand in one at"
                " least: /queryResponse/row"
            )
            raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _paths_and_login(self) -> SoapSource:
        for place, path in self.beside.items():
            if not is_path(path):
                msg = f"{place}: names each element below the Body: /queryResponse/total"
                raise ValueError(msg)
        if self.security is not None and not isinstance(self.auth, NoAuth):
            msg = "security and auth both take the connection's password: one of them"
            raise ValueError(msg)
        return self
