"""From where a dataset's source is read: its watermark, less the overlap, or where it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from onecard.model.transfers import DatasetState
from onecard.ports.news import SourcePlace
from onecard.ports.source import ReadRequest
from schemas.models.contract import Contract

MOST_PAGES = 10
"""Of a source of pages by cursor, so many are read on at once: a burst takes no more memory, and
its first rows leave while the next are read."""


def since(contract: Contract, state: DatasetState) -> str | None:
    """The least cursor that is read, ISO 8601; None: everything is read.

    Args:
        contract: of the dataset.
        state: what the hub holds of it.
    """
    cursor = state.checkpoint.get("cursor")
    if not contract.source.cursor or not isinstance(cursor, str):
        return None
    return (datetime.fromisoformat(cursor) - contract.source.overlap.span).isoformat()


def reading_on(request: ReadRequest, place: SourcePlace) -> ReadRequest:
    """The same request, from a place on.

    Args:
        request: for everything behind the watermark.
        place: where a look has seen the source end.
    """
    return replace(request, since=place.since, page=place.page, most_pages=MOST_PAGES)
