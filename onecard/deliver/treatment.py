"""Treatment of fields on their way out: masks, keyed tokens, generalisation.

Formats of masks: `schemas/semantic_types.yaml`; of tokens: `onecard.model.treated`. A token is the
first 26 characters of base32(HMAC(key[consumer, epoch], "v1|" + ID number)), SHA-256 or SM3 by
the suite: the same person has different tokens at different consumers, and the hub keeps no
reverse table. Instants leave in Beijing time, and their year, month, day and hour are those there.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from onecard.base.times import OFFSET
from onecard.crypto.keys import Key
from onecard.crypto.suites import Suite
from onecard.errors import PolicyError
from onecard.model.treated import TOKEN_LENGTH
from onecard.native import digests as native
from schemas.models import semantic
from schemas.models.agreement import Agreement
from schemas.models.agreement_parts import SharedField
from schemas.models.contract import Field


class Tokeniser:
    """Keyed digests and tokens of ID numbers at one consumer, under one key.

    The digests of the last column are kept: a row's token and its reference in the disclosure
    ledger come from the same digest.
    """

    def __init__(self, suite: Suite, key: Key) -> None:
        self._suite, self.key = suite, key
        self._last: tuple[pl.Series, npt.NDArray[np.uint8]] | None = None

    def token(self, id_number: str) -> str:
        """The token of one ID number."""
        return str(self.tokens(pl.Series([id_number]))[0])

    def digests(self, values: pl.Series) -> npt.NDArray[np.uint8]:
        """The 32-byte digest of each value, one row each; a NULL's row means nothing."""
        if self._last is None or not self._last[0].equals(values, null_equal=True):
            self._last = (values, self._suite.digest_rows(self.key.secret, values))
        return self._last[1]

    def tokens(self, values: pl.Series) -> pl.Series:
        """The column as tokens; NULL stays NULL."""
        found = pl.Series(values.name, _base32(self.digests(values)), dtype=pl.String)
        if not values.null_count():
            return found
        return pl.select(pl.when(values.is_not_null()).then(found)).to_series().alias(values.name)


_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
"""RFC 4648, section 6."""
_LETTERS = np.frombuffer(b"".join(bytes((a, b)) for a in _ALPHABET for b in _ALPHABET), np.uint16)
"""Two letters for each ten bits."""


def _base32(digests: npt.NDArray[np.uint8]) -> pa.LargeStringArray:
    """The first 26 characters of the base32 of 32-byte digests."""
    made = native.base32(digests, TOKEN_LENGTH)
    letters = pa.py_buffer(_letters(digests) if made is None else made)
    offsets = np.arange(len(digests) + 1, dtype=np.int64) * TOKEN_LENGTH
    return pa.LargeStringArray.from_buffers(len(digests), pa.py_buffer(offsets), letters)


def _letters(digests: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """The same without the compiled library, ten bits at a time."""
    count, ten = len(digests), np.uint64(1023)
    first = np.ascontiguousarray(digests[:, 0:8]).view(">u8").ravel().astype(np.uint64)
    second = np.ascontiguousarray(digests[:, 7:15]).view(">u8").ravel().astype(np.uint64)
    third = np.ascontiguousarray(digests[:, 15:17]).view(">u2").ravel()
    pairs = np.empty((count, TOKEN_LENGTH // 2), np.uint16)
    for place in range(6):  # bits 0 to 59 stand in the first word, 60 to 119 in the second
        pairs[:, place] = (first >> np.uint64(54 - 10 * place)) & ten
        pairs[:, 6 + place] = (second >> np.uint64(50 - 10 * place)) & ten
    pairs[:, 12] = third >> 6
    found: npt.NDArray[np.uint16] = _LETTERS[pairs]
    return found


def mask(name: semantic.MaskName, column: pl.Expr) -> pl.Expr:
    """Mask a text column; NULL stays NULL."""
    length = column.str.len_chars().cast(pl.Int64)  # a difference of unsigned numbers wraps round
    stars = pl.lit("*")

    def hide(head: int, tail: int) -> pl.Expr:
        middle = stars.repeat_by((length - head - tail).clip(lower_bound=0)).list.join("")
        end = column.str.slice(-tail) if tail else pl.lit("")
        return pl.concat_str([column.str.slice(0, head), middle, end])

    edges = {"NAME": (1, 0), "ID": (3, 4), "MOBILE": (3, 4), "LAST4": (0, 4), "LAST3": (0, 3)}
    return hide(*edges[name])


def treat(
    frame: pl.DataFrame,
    agreement: Agreement,
    fields: Mapping[str, Field],
    tokeniser: Tokeniser | None,
) -> pl.DataFrame:
    """Apply the agreement's treatments.

    Args:
        agreement: says how each field is treated.
        frame: one column per shared field (named as it leaves), values as in the registry.
        fields: the contract field behind each shared field that has one.
        tokeniser: the consumer's; needed when a field is tokenised.

    Returns:
        Columns exactly as the agreement names them, in its order.

    Raises:
        PolicyError: a treatment cannot be applied (no key, no mask): nothing leaves.
    """
    return treat_some(frame, agreement, fields, tokeniser, agreement.names)


def treat_some(
    frame: pl.DataFrame,
    agreement: Agreement,
    fields: Mapping[str, Field],
    tokeniser: Tokeniser | None,
    names: tuple[str, ...],
) -> pl.DataFrame:
    """As `treat`, some columns alone.

    Args:
        frame: has these columns.
        agreement: says how each field is treated.
        fields: the contract field behind each shared field that has one.
        tokeniser: the consumer's; needed when a field is tokenised.
        names: of shared fields.
    """
    shared = {f.name: f for f in agreement.fields}
    return frame.select([_treated(frame, shared[n], fields.get(n), tokeniser) for n in names])


def _treated(
    frame: pl.DataFrame, shared: SharedField, field: Field | None, tokeniser: Tokeniser | None
) -> pl.Expr | pl.Series:
    column = pl.col(shared.name)
    if field is not None and field.type == "number" and frame[shared.name].dtype == pl.String:
        column = column.cast(pl.Decimal(field.precision or 38, field.scale or 0))
    if isinstance(frame[shared.name].dtype, pl.Datetime):
        column = column.dt.convert_time_zone(OFFSET)
    if shared.treatment == "token":
        if tokeniser is None:
            msg = f"field {shared.name}: no token key for the consumer: nothing leaves"
            raise PolicyError(msg)
        return tokeniser.tokens(frame[shared.name])
    if shared.treatment == "mask":
        name = field.semantic_type.mask if field else None
        if name is None:
            msg = f"field {shared.name}: its semantic type has no mask: nothing leaves"
            raise PolicyError(msg)
        return mask(name, column).alias(shared.name)
    treated = {
        "as_is": column,
        "year": column.dt.year().cast(pl.String),
        "month": column.dt.strftime("%Y-%m"),
        "day": column.dt.strftime("%Y-%m-%d"),
        "hour": column.dt.truncate("1h"),
        "county": column.str.slice(0, 6),
        "yuan": (column.cast(pl.Decimal(18, 2)) / pl.lit(100)).cast(pl.Decimal(16, 2)),
    }
    return treated[shared.treatment].alias(shared.name)
