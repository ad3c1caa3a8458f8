"""The manifest beside a file: what it promises, and the digest that is held against it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from connectors.files.options import Manifest
from onecard.errors import ProtocolError


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def parsed(content: bytes | None, path: str) -> dict[str, Any] | None:
    """A manifest as a JSON object; None where there is none.

    Raises:
        ProtocolError: it is not a JSON object; the message names its path.
    """
    if content is None:
        return None
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        msg = f"the manifest of {path} is not a JSON object"
        raise ProtocolError(msg)
    return found


def promised_digest(promise: dict[str, Any], manifest: Manifest) -> str:
    """SHA-256 that a manifest promises, hexadecimal in small letters."""
    return str(promise.get(manifest.digest)).lower()
