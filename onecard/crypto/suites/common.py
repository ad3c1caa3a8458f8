"""What both suites share: the batch of keyed digests, sealed layout, and the proof by vectors."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import Hash, HashAlgorithm
from cryptography.hazmat.primitives.hmac import HMAC

from onecard.errors import PolicyError
from onecard.native import digests as native

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


_CASE_2 = (b"Jefe", b"what do ya want ", "for nothing?")
"""RFC 4231: key, and data in two parts."""
_KNOWN = {
    "sha256": "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    "sm3": "2e87f1d16862e6d964b50a5200bf2b10b764faa9680a296a2405f24bec39f882",
}
"""HMACs of `_CASE_2`; that with SM3 as OpenSSL and `gmssl` give it."""


def native_rows(
    hashed: Literal["sha256", "sm3"], secret: bytes, values: pl.Series
) -> npt.NDArray[np.uint8] | None:
    """`digest_rows` by the compiled library (ADR 0028); None where it is not there.

    Args:
        hashed: hash of the HMAC.
        secret: the key.
        values: a column of text.

    Raises:
        PolicyError: the library fails its known answer.
    """
    made = native.keyed(hashed, secret, DIGEST_PREFIX, values)
    if made is not None:
        _prove_native(hashed)
    return made


@cache
def _prove_native(hashed: Literal["sha256", "sm3"]) -> None:
    """Hold the library once to a published answer; a failure is not remembered."""
    import polars as pl  # noqa: PLC0415 - only where rows flow

    key, prefix, text = _CASE_2
    found = native.keyed(hashed, key, prefix, pl.Series([text] * 9))
    wanted = bytes.fromhex(_KNOWN[hashed]) * 9
    prove(hashed, [("keyed columns", b"" if found is None else found.tobytes(), wanted)])


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


def no_public_key() -> PolicyError:
    """The error of what should be a consumer's public key, and is none."""
    return PolicyError("the consumer's public key is none of this suite: nothing leaves")


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
