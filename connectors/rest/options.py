"""Options of an HTTP JSON API, as contracts and agreements write them."""

from __future__ import annotations

from pydantic import BaseModel, Field

from connectors.http.options import Paged, Paginator, Wire
from onecard.base.frozen import Frozen


class RestSource(Paged):
    """Options of an API that is read; its parameters are those of the query.

    Attributes:
        path: below the connection's host.
        records: dotted path of the list of rows in the reply; all paths in a reply are dotted.
    """

    path: str
    records: str
    paginator: Paginator

    @classmethod
    def of(cls, options: BaseModel) -> RestSource:
        """Options as a request has them: of this model, or of one that says the same."""
        return options if isinstance(options, cls) else cls.model_validate(options.model_dump())


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
