"""What both suites share: the batch of keyed digests, sealed layout, and the proof by vectors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import Hash, HashAlgorithm
from cryptography.hazmat.primitives.hmac import HMAC

from onecard.errors import PolicyError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

DIGEST_PREFIX = b"v1|"
DIGEST_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
SECRET_BYTES = 32

Vector = tuple[str, bytes, bytes]
"""What is computed, what came out, what the standard says."""


def keyed_digests(algorithm: HashAlgorithm, secret: bytes, values: Iterable[str]) -> list[bytes]:
    """HMAC of `v1|` and each value; the keyed state is made once and copied.

    Args:
        algorithm: hash of the HMAC.
        secret: the key.
        values: texts, one digest each.
    """
    started = HMAC(secret, algorithm)
    started.update(DIGEST_PREFIX)
    copy = started.copy
    made: list[bytes] = []
    for value in values:
        one = copy()
        one.update(value.encode())
        made.append(one.finalize())
    return made


def digest_rows(
    algorithm: HashAlgorithm, secret: bytes, values: pl.Series
) -> npt.NDArray[np.uint8]:
    """HMAC of `v1|` and each value of a column, each distinct value computed once.

    Args:
        algorithm: hash of the HMAC.
        secret: the key.
        values: a column of text; one row of 32 bytes for each value.

    Returns:
        One row of 32 bytes for each value; a NULL's row is that of the empty text.
    """
    import numpy as np  # noqa: PLC0415 - only where rows flow

    coded = values.fill_null("").to_arrow().dictionary_encode()
    made = keyed_digests(algorithm, secret, coded.dictionary.to_pylist())
    distinct = np.frombuffer(b"".join(made), np.uint8).reshape(len(made), DIGEST_BYTES)
    rows: npt.NDArray[np.uint8] = distinct[coded.indices.to_numpy()]
    return rows


def hmac(algorithm: HashAlgorithm, secret: bytes, data: bytes) -> bytes:
    """One HMAC of bytes.

    Args:
        algorithm: its hash.
        secret: the key.
        data: that is authenticated.
    """
    one = HMAC(secret, algorithm)
    one.update(data)
    return one.finalize()


def digest(algorithm: HashAlgorithm, data: bytes) -> bytes:
    """One hash of bytes."""
    one = Hash(algorithm)
    one.update(data)
    return one.finalize()


def does_not_open() -> PolicyError:
    """The error of sealed bytes that do not open; it tells nothing of key or content."""
    return PolicyError("sealed data does not open: tampered with, moved, or another key")


def signing_secret(secret: bytes) -> bytes:
    """The secret itself, when it has the length of a signing key.

    Raises:
        PolicyError: it has another length.
    """
    if len(secret) != SECRET_BYTES:
        msg = f"a signing key has {SECRET_BYTES} bytes, this one has not: nothing leaves"
        raise PolicyError(msg)
    return secret


def prove(suite: str, vectors: Iterable[Vector]) -> None:
    """Compare known answers with what this machine's libraries compute.

    Raises:
        PolicyError: one differs, or cannot be computed here.
    """
    try:
        wrong = [what for what, found, wanted in vectors if found != wanted]
    except (UnsupportedAlgorithm, ImportError, ValueError, TypeError) as error:
        msg = f"suite {suite} cannot run here ({type(error).__name__}): nothing leaves"
        raise PolicyError(msg) from None
    if wrong:
        msg = f"suite {suite} fails its self-test of {', '.join(wrong)}: nothing leaves"
        raise PolicyError(msg)
