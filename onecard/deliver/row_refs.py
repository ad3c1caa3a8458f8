"""Keyed references and digests of the rows that a consumer has (`onecard.store.holding`).

A row's reference is 128 bits of HMAC(key, agreement and the values of its key before treatment):
SHA-256 or SM3 by the suite, under a key derived from the quarantine key. The other 128 bits are
stored nowhere; with them before the text, XXH3 makes the row's digest, 48 bits. So each row has a
secret of its own: whoever has the database, without the key, cannot try values against it (ADR
0020).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from onecard.crypto.keys import Key
from onecard.crypto.suites import Suite
from onecard.model.gate_inputs import GateInputs
from onecard.native import digests as native
from onecard.store.holding import DIGEST_BITS
from schemas.models.agreement import Agreement
from schemas.models.agreement_parts import SharedField
from schemas.models.contract import Contract

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

FORMAT = 1
"""Of references and digests; another one makes all records anew."""
_DERIVED = "holding"


@dataclass(frozen=True)
class RowRefs:
    """Makes the entries of one agreement's rows under one key.

    Attributes:
        key: the quarantine key.
        shape: see `shape`.
    """

    agreement: Agreement
    suite: Suite
    key: Key
    shape: str
    _secret: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        derived = self.suite.digests(self.key.secret, [_DERIVED])[0]
        object.__setattr__(self, "_secret", derived.hex().encode())

    @property
    def name(self) -> str:
        """Of the key, as a record's head names it."""
        return f"{self.suite.name}/{self.key.epoch}"

    def of(self, rows: pl.DataFrame, *, digests: bool = True) -> pl.DataFrame:
        """The entry of each row.

        Args:
            rows: the agreement's columns before treatment; without digests, of the key alone.
            digests: with them.

        Returns:
            Columns `high`, `low` and, with digests, `digest`; row for row.
        """
        import numpy as np  # noqa: PLC0415 - only where rows flow
        import polars as pl  # noqa: PLC0415

        keys = _texts(rows, self.agreement.key, self.agreement.id)
        made = np.concatenate([self.suite.digest_rows(self._secret, some) for some in keys])
        words = made.view(">u8").reshape(-1, 4)
        high, low = (words[:, i].astype(np.uint64) for i in (0, 1))
        found = pl.DataFrame({"high": high, "low": low})
        if not digests:
            return found
        return found.with_columns(_short(rows, _compared(self.agreement), self.shape, made))


def shape(agreement: Agreement, contracts: Mapping[str, Contract], token_epoch: str) -> str:
    """A digest of whatever makes of a row what leaves: fields, treatments, masks, token epoch.

    Args:
        agreement: whose rows.
        contracts: of what it reads.
        token_epoch: of the tokens that leave; empty without tokens.
    """
    behind = GateInputs(agreement, contracts).fields

    def content(shared: SharedField) -> list[object]:
        below = behind.get(shared.name)
        mask = below.semantic_type.mask if below and shared.treatment == "mask" else None
        return [shared.model_dump(mode="json", by_alias=True), mask, below.type if below else None]

    fields = [content(f) for f in agreement.fields]
    text = json.dumps([FORMAT, token_epoch, fields], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def basis(agreement: Agreement, more: object) -> str:
    """A digest of whatever decides which rows there are, besides the registry.

    Args:
        agreement: its approved text.
        more: what else decides, as JSON.
    """
    text = json.dumps([FORMAT, agreement.fingerprint, more], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _compared(agreement: Agreement) -> tuple[str, ...]:
    """Fields whose change sends a row again: not those of a join whose changes are ignored."""
    ignored = {j.alias for j in agreement.joins if j.on_change == "ignore"}
    return tuple(
        f.name
        for f in agreement.fields
        if f.origin is None or f.origin.rpartition(".")[0] not in ignored
    )


def _texts(rows: pl.DataFrame, names: tuple[str, ...], head: str) -> Iterator[pl.Series]:
    """Values as one text a row, which no other values give: PostgreSQL's text holds no NUL.

    Some rows after the other; what is made of them must be made before the next are asked for.

    Args:
        rows: have these columns.
        names: of the columns.
        head: before the values.
    """
    columns = [_comparable(rows[name]) for name in names]
    found = native.row_texts(columns, head)
    return iter([_joined(columns, head, None)]) if found is None else found


def _short(
    rows: pl.DataFrame, names: tuple[str, ...], head: str, digests: npt.NDArray[np.uint8]
) -> pl.Series:
    """The digest of each row: of its values as `_texts` makes them, after its key's secret.

    Args:
        rows: have these columns.
        names: of the columns.
        head: before the values.
        digests: of the rows' keys; their last 16 bytes are the secret, written as two numbers.
    """
    import polars as pl  # noqa: PLC0415 - only where rows flow

    columns = [_comparable(rows[name]) for name in names]
    found = native.row_hashes(columns, head, digests)
    whole = _hashed(_joined(columns, head, digests)) if found is None else pl.Series(found)
    return (whole % (1 << DIGEST_BITS)).clip(lower_bound=1).alias("digest")


def _hashed(texts: pl.Series) -> pl.Series:
    """XXH3 of texts, without the compiled library."""
    import polars as pl  # noqa: PLC0415 - only where rows flow
    import polars_hash  # noqa: F401, PLC0415 - registers the expression below

    return pl.select(pl.lit(texts).nchash.xxh3_64()).to_series()  # type: ignore[attr-defined]


def _comparable(column: pl.Series) -> pl.Series:
    """As text or as a whole number: days since 1970, microseconds since then."""
    import polars as pl  # noqa: PLC0415 - only where rows flow

    if isinstance(column.dtype, pl.Datetime):
        return column.dt.epoch("us")
    if column.dtype == pl.Date:
        return column.to_physical()
    return column if column.dtype in (pl.String, pl.Int32, pl.Int64) else column.cast(pl.String)


def _joined(
    columns: list[pl.Series], head: str, digests: npt.NDArray[np.uint8] | None
) -> pl.Series:
    """The rows' texts without the compiled library; digests: given, with their secrets."""
    import numpy as np  # noqa: PLC0415 - only where rows flow
    import polars as pl  # noqa: PLC0415

    parts: list[pl.Expr] = [pl.lit(head)]
    for column in columns:
        text = pl.concat_str(pl.lit("="), pl.lit(column.cast(pl.String)))
        parts.append(text.fill_null("~"))
    if digests is not None:
        words = digests.view(">u8").reshape(-1, 4)
        last = (pl.lit(pl.Series(words[:, i].astype(np.uint64))) for i in (2, 3))
        parts.insert(0, pl.concat_str(*last))
    return pl.select(pl.concat_str(parts, separator="\0")).to_series()
