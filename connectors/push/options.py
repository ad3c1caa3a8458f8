"""Options of datasets that their agency brings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from connectors.files.options import CsvSource, JsonLines
from onecard.base.frozen import Frozen
from schemas.models.values import Duration

UploadFormat = Annotated[CsvSource | JsonLines, Field(discriminator="kind")]


class PushSource(Frozen):
    """Options of a dataset that its agency brings to `onecard ingest`.

    Attributes:
        format: of every upload.
        uploads: `changes`: rows that are new or have changed; `whole`: everything each time, so
            that a row that is missing in the newest one is found by reconciliation.
        max_bytes: of one upload.
        waiting_bytes: of all uploads that are not published yet.
        kept: how long an upload waits for its collect, and for the rest of its own bytes, at most;
            of `whole` ones the newest that was published is kept as long, for reconciliation.
    """

    format: UploadFormat
    uploads: Literal["changes", "whole"] = "changes"
    max_bytes: int = Field(default=1024**3, gt=0)
    waiting_bytes: int = Field(default=4 * 1024**3, gt=0)
    kept: Duration = Duration("P7D")

    @model_validator(mode="after")
    def _one_has_room(self) -> PushSource:
        if self.waiting_bytes < self.max_bytes:
            msg = "push.waiting_bytes: is less than max_bytes: an upload may never find room"
            raise ValueError(msg)
        return self
