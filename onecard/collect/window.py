"""From where a dataset's source is read: its watermark, less the overlap."""

from __future__ import annotations

from datetime import datetime

from onecard.model.transfers import DatasetState
from schemas.models.contract import Contract


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
