"""What the door answers: a code, how much is there, and what became of an upload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from onecard.daemon.codes import Code
from onecard.ingest import codes
from onecard.model.uploads import Upload


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer before it is HTTP.

    Attributes:
        code: of the closed list.
        received: bytes of the upload that are there; None: it is not said.
        content: more members of the JSON; no value of a row.
        retry_s: seconds after which a next call has a chance; 0: as the code says.
    """

    code: Code
    received: int | None = None
    content: Mapping[str, Any] = field(default_factory=dict)
    retry_s: float = 0.0


def of_record(upload: Upload, received: int) -> Answer:
    """What is told of an upload, now and whenever it is asked for.

    Args:
        upload: as it is on record.
        received: bytes of it that are there.
    """
    told: dict[str, Any] = {
        "upload": upload.upload,
        "state": upload.state,
        "received": received,
        "length": upload.length,
    }
    if upload.outcome is not None:
        told["outcome"] = dict(upload.outcome)
    if upload.transfer is not None:
        told["transfer"] = upload.transfer
    if upload.state == "open":
        whole = received == upload.length
        return Answer(codes.JUDGING if whole else codes.PART, received, told)
    by_state = {"refused": codes.NOT_READABLE, "expired": codes.EXPIRED}
    return Answer(by_state.get(upload.state, codes.TAKEN), received, told)
