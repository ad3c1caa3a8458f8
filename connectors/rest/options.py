"""Options of an HTTP JSON API, as contracts and agreements write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from onecard.base.frozen import Frozen
from onecard.base.platform_signature import SignatureForm


class Keyset(Frozen):
    """Pages by an opaque cursor: each page names the next one.

    Attributes:
        next: dotted path of the next cursor in the reply; null or absent ends the reading.
        has_more: dotted path of a flag that must agree with it, where the API has one.
    """

    kind: Literal["keyset"]
    cursor_param: str
    next: str
    has_more: str | None = None
    size_param: str
    size: int = Field(default=1000, ge=1)


class PageNumber(Frozen):
    """Pages by number; the reply says how many rows there are in total.

    Attributes:
        order: query parameters that make the API give its rows in one order (`{sort: id}`), or
            `stable` where it does so by itself; in another order rows stand on two pages or on
            none.
        versions: the API lists older versions of a row too, so that a key may stand on several
            pages; then only the same version (by the contract's order) must not.
        confirm: readings of at most so many pages are asked for a second time, and each page must
            hold the rows that it held, so that no row has moved past the reader; 0: never.
    """

    kind: Literal["page_number"]
    page_param: str
    size_param: str
    size: int = Field(default=1000, ge=1)
    total: str
    first: int = 1
    order: Mapping[str, str] | Literal["stable"] | None = None
    versions: bool = False
    confirm: int = Field(default=20, ge=0)


class NoAuth(Frozen):
    """No authentication."""

    kind: Literal["none"]


class Bearer(Frozen):
    """The connection's password as a bearer token."""

    kind: Literal["bearer"]


class PlatformSignature(SignatureForm):
    """Signed headers as on the national data-sharing platform; the city's prefix may differ."""

    kind: Literal["platform_signature"]


class ClientCredentials(Frozen):
    """A short-lived token from a token endpoint, got again before it expires."""

    kind: Literal["client_credentials"]
    token_path: str
    id_field: str = "client_id"
    secret_field: str = "client_secret"  # noqa: S105 - the name of a field
    token: str = "access_token"  # noqa: S105 - the name of a field
    expires: str = "expires_in"


Paginator = Annotated[Keyset | PageNumber, Field(discriminator="kind")]
Auth = Annotated[
    NoAuth | Bearer | PlatformSignature | ClientCredentials, Field(discriminator="kind")
]


class Success(Frozen):
    """What the reply must say for the call to have succeeded."""

    field: str
    value: str


class Wire(Frozen):
    """How every call is made.

    Attributes:
        per_second: calls that the system allows in a second; without it they follow each other.
    """

    auth: Auth = NoAuth(kind="none")
    attempts: int = Field(default=5, ge=1)
    max_wait_s: float = Field(default=20.0, ge=0)
    timeout_s: float = Field(default=30.0, gt=0)
    per_second: float | None = Field(default=None, gt=0)


class RestSource(Wire):
    """Options of an API that is read.

    Attributes:
        records: dotted path of the list of rows in the reply.
        since_param: parameter that takes the incremental bound, where the API has one.
        by: the contract's fields by which the API gives rows alone, with its parameter for each.
    """

    path: str
    records: str
    paginator: Paginator
    since_param: str | None = None
    by: Mapping[str, str] = Field(default_factory=dict)
    params: Mapping[str, str] = Field(default_factory=dict)
    success: Success | None = None

    @classmethod
    def of(cls, options: BaseModel) -> RestSource:
        """Options as a request has them: of this model, or of one that says the same."""
        return options if isinstance(options, cls) else cls.model_validate(options.model_dump())

    def asks(self) -> Iterator[tuple[str, str, str]]:
        """What lint asks for: numbered pages in a stated order."""
        if isinstance(self.paginator, PageNumber) and self.paginator.order is None:
            message = (
                "numbered pages need one order, else rows stand on two pages or on none: write the"
                " query parameters that the API takes for it, e.g. {sort: id}; or `stable` where"
                " it keeps one by itself. Without it a reading in which a row stands on two pages"
                " is begun again, and fails at the third time"
            )
            yield "paginator.order", "rest.page_order", message


class Count(Frozen):
    """Where an inbox says how many rows of one delivery it holds; asked before the manifest.

    Attributes:
        rows: dotted path of the number in the reply.
        delivery_param: parameter that takes the delivery's id.
    """

    path: str
    rows: str = "rows"
    delivery_param: str = "deliveryId"


class RestSink(Wire):
    """Options of an inbox endpoint; it answers 00 for stored and 01 for stored already.

    Attributes:
        count: where it can be asked how many rows it holds.
    """

    path: str
    count: Count | None = None
    batch_rows: int = Field(default=1000, ge=1)
    code: str = "code"
    stored: str = "00"
    already: str = "01"
