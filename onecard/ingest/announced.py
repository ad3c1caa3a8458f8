"""What a part says of itself in its headers, and the text that is signed with it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from connectors.push.spool import UUID
from onecard.model.uploads import Declared

ID, OFFSET, LENGTH, DIGEST = "Upload-Id", "Upload-Offset", "Upload-Length", "Upload-Digest"
FORMS = {
    ID: re.compile(UUID),
    OFFSET: re.compile(r"0|[1-9][0-9]{0,14}"),
    LENGTH: re.compile(r"[1-9][0-9]{0,14}"),
    DIGEST: re.compile(r"[0-9a-f]{64}"),
}
"""The four headers, each of one form."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A part as its headers describe it.

    Attributes:
        upload: what is said of the whole.
        offset: of its first byte in the whole.
    """

    upload: Declared
    offset: int


def read(dataset: str, headers: Iterable[tuple[str, str]]) -> Announced | None:
    """The headers of a part; None: one is missing, stands twice, or is not of its form.

    Args:
        dataset: that the path names.
        headers: names and values of the call; upper and lower case are the same in names.
    """
    wanted = {name.lower(): name for name in FORMS}
    found: dict[str, str] = {}
    for header, value in headers:
        name = wanted.get(header.lower())
        if name is None:
            continue
        if name in found or not FORMS[name].fullmatch(value):
            return None
        found[name] = value
    if len(found) < len(FORMS):
        return None
    upload = Declared(dataset, found[ID], int(found[LENGTH]), found[DIGEST])
    return Announced(upload, int(found[OFFSET]))


def signed(path: str, part: Announced | None = None) -> bytes:
    """What is signed behind sid, rid and rtime, so that no call can pass for another.

    A line each: the path; of a part also its upload, offset, length and digest. Its bytes are
    proved by the digest of the whole. None of these has a line break, and an `rtime` always has
    13 digits.

    Args:
        path: as it is called, from the first slash on.
        part: as announced; None: nothing is brought.
    """
    lines = ["", path]
    if part is not None:
        upload = part.upload
        lines += [upload.upload, str(part.offset), str(upload.length), upload.digest]
    return "\n".join(lines).encode()
