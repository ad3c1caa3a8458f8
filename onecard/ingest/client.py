"""A client of the door, as an agency's system would have it: signs, sends in parts, goes on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from onecard.base.endpoints import is_here
from onecard.base.platform_signature import Credential, signed_headers
from onecard.errors import ConfigError, ProtocolError, SourceUnavailable, UsageError
from onecard.ingest import announced, codes
from onecard.ingest.announced import Announced
from onecard.model.uploads import Declared

PART_BYTES = 8 * 1024**2
"""Of one part: what is lost of it when the line breaks is sent again."""
PATIENCE_S = 60.0
TRIES = 20
"""So often in a row nothing may come of a call before it is given up."""
FIRST_S, LONGEST_S = 0.5, 30.0
"""Between two tries, the first and the longest wait."""
PASSING = 500
"""From this status on, what is no JSON comes from a proxy that does not reach the door now."""
AGAIN = frozenset(
    code.code
    for code in (
        *(codes.PART, codes.JUDGING, codes.TOO_OFTEN, codes.UNAVAILABLE),
        *(codes.SLOW, codes.IN_HAND, codes.OFFSET, codes.REPLAYED),
    )
)
"""After these the same upload goes on."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the door has answered.

    Attributes:
        received: bytes that are there; None: it did not say.
        content: the JSON.
    """

    received: int | None
    content: Mapping[str, Any] = field(repr=False)

    @property
    def code(self) -> str:
        """Of the closed list."""
        return str(self.content.get("code"))


class Client:
    """Brings files to one door.

    Args:
        base: its address, without a slash at its end.
        credential: of the agency.
        part_bytes: of one part.
        wait: waits so many seconds.

    Raises:
        ConfigError: it is on another machine, and not called through https.
    """

    def __init__(
        self,
        base: str,
        credential: Credential,
        part_bytes: int = PART_BYTES,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        at = urlsplit(base)
        if at.scheme != "https" and not (at.scheme == "http" and is_here(at.hostname or "")):
            msg = "a door beyond this machine is called through https"
            raise ConfigError(msg)
        self._base, self._credential = base, credential
        self._part_bytes, self._wait = part_bytes, wait
        self._session = requests.Session()
        self._session.trust_env = at.scheme == "https"  # in the clear it goes through no proxy

    def bring(self, dataset: str, file: Path, upload: str) -> Told:
        """Bring a file, from wherever an earlier attempt has ended; returns the last answer.

        Args:
            dataset: its id.
            file: what is brought.
            upload: a UUID; the same when it is tried again.

        Raises:
            UsageError: there is no such file, or it is empty.
            SourceUnavailable: the door cannot be reached, or does not get on, again and again.
            ProtocolError: it answers no JSON object.
        """
        if not file.is_file() or not (length := file.stat().st_size):
            msg = f"{file}: no such file, or an empty one"
            raise UsageError(msg)
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            whole, offset, vain = Declared(dataset, upload, length, digest), 0, 0
            while True:
                stream.seek(offset)
                told = self._part(whole, offset, stream.read(self._part_bytes))
                if told is None:
                    told = self.ask(dataset, upload)
                if told is not None and told.code not in {*AGAIN, codes.NO_SUCH_UPLOAD.code}:
                    return told
                there = told.received if told is not None and told.received is not None else offset
                vain = 0 if there > offset else vain + 1
                if vain > TRIES:
                    msg = f"the door at {self._base} does not get on with upload {upload}"
                    raise SourceUnavailable(msg)
                if vain:
                    self._wait(min(LONGEST_S, FIRST_S * 2 ** (vain - 1)))
                offset = there

    def ask(self, dataset: str, upload: str) -> Told | None:
        """How much is there, and what became of it; None: the door cannot be reached.

        Args:
            dataset: its id.
            upload: a UUID.
        """
        path = f"/ingest/{dataset}/{upload}"
        headers = signed_headers(self._credential, announced.signed(path))
        return self._called("GET", path, headers, b"")

    def _part(self, whole: Declared, offset: int, data: bytes) -> Told | None:
        path = f"/ingest/{whole.dataset}"
        more = announced.signed(path, Announced(whole, offset))
        headers = signed_headers(self._credential, more) | {
            announced.ID: whole.upload,
            announced.OFFSET: str(offset),
            announced.LENGTH: str(whole.length),
            announced.DIGEST: whole.digest,
        }
        return self._called("POST", path, headers, data)

    def _called(
        self, method: str, path: str, headers: Mapping[str, str], data: bytes
    ) -> Told | None:
        try:
            answer = self._session.request(
                method,
                self._base + path,
                data=data,
                headers=headers,
                timeout=PATIENCE_S,
                allow_redirects=False,
            )
            content = answer.json()
        except requests.JSONDecodeError:
            content = None
        except requests.RequestException:
            return None
        if not isinstance(content, dict):
            if answer.status_code >= PASSING:
                return None
            msg = f"the door at {self._base} answers no JSON object (status {answer.status_code})"
            raise ProtocolError(msg)
        received = answer.headers.get(announced.OFFSET, "")
        known = announced.FORMS[announced.OFFSET].fullmatch(received)
        return Told(int(received) if known else None, content)
