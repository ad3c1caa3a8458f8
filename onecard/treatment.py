"""Treatment of fields on their way out: masks, keyed tokens, generalisation.

Formats of masks and tokens: `schemas/semantic_types.yaml` and `TOKEN_PATTERN`. A token is the
first 26 characters of base32(HMAC-SHA256(key[consumer, epoch], "v1|" + ID number)): the same
person has different tokens at different consumers, and the hub keeps no reverse table.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping

import polars as pl

from onecard.errors import PolicyError
from onecard.keys import Key
from schemas import semantic
from schemas.agreement import Agreement, SharedField
from schemas.contract import Contract, Field

ZONE_NAME = "Asia/Shanghai"
TOKEN_PATTERN = r"^[A-Z2-7]{26}$"  # noqa: S105 - the shape of a token, not a secret
TOKEN_LENGTH = 26


def token(key: Key, id_number: str) -> str:
    """The keyed token of one ID number."""
    digest = hmac.digest(key.secret, f"v1|{id_number}".encode(), "sha256")
    return base64.b32encode(digest)[:TOKEN_LENGTH].decode()


def mask(name: semantic.MaskName, column: pl.Expr) -> pl.Expr:
    """Mask a text column; NULL stays NULL."""
    length = column.str.len_chars()
    stars = pl.lit("*")

    def hide(head: int, tail: int) -> pl.Expr:
        middle = stars.repeat_by((length - head - tail).clip(lower_bound=0)).list.join("")
        end = column.str.slice(-tail) if tail else pl.lit("")
        return pl.concat_str([column.str.slice(0, head), middle, end])

    edges = {"NAME": (1, 0), "ID": (3, 4), "MOBILE": (3, 4), "LAST4": (0, 4), "LAST3": (0, 3)}
    return hide(*edges[name])


def treat(
    frame: pl.DataFrame, agreement: Agreement, fields: Mapping[str, Field], key: Key | None
) -> pl.DataFrame:
    """Apply the agreement's treatments.

    Args:
        agreement: says how each field is treated.
        frame: one column per shared field (named as it leaves), values as in the registry.
        fields: the contract field behind each shared field that has one.
        key: the consumer's token key; needed when a field is tokenised.

    Returns:
        Columns exactly as the agreement names them, in its order.

    Raises:
        PolicyError: a treatment cannot be applied (no key, no mask): nothing leaves.
    """
    columns = [_treated(frame, shared, fields.get(shared.name), key) for shared in agreement.fields]
    return frame.select(columns)


def _treated(
    frame: pl.DataFrame, shared: SharedField, field: Field | None, key: Key | None
) -> pl.Expr | pl.Series:
    column = pl.col(shared.name)
    if field is not None and field.type == "number" and frame[shared.name].dtype == pl.String:
        column = column.cast(pl.Decimal(field.precision or 38, field.scale or 0))
    local = column.dt.convert_time_zone(ZONE_NAME) if shared.treatment == "hour" else column
    if shared.treatment == "token":
        return _tokens(frame[shared.name], key)
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
        "hour": local.dt.truncate("1h"),
        "county": column.str.slice(0, 6),
        "yuan": (column.cast(pl.Decimal(18, 2)) / pl.lit(100)).cast(pl.Decimal(16, 2)),
    }
    return treated[shared.treatment].alias(shared.name)


def _tokens(values: pl.Series, key: Key | None) -> pl.Series:
    if key is None:
        msg = f"field {values.name}: no token key for the consumer: nothing leaves"
        raise PolicyError(msg)
    distinct = values.drop_nulls().unique()
    made = pl.Series([token(key, value) for value in distinct], dtype=pl.String)
    return values.replace_strict(distinct, made, default=None, return_dtype=pl.String)


def assert_treated(frame: pl.DataFrame, agreement: Agreement, fields: Mapping[str, Field]) -> None:
    """The last look before a batch leaves: columns, masks and tokens are what was agreed.

    Raises:
        PolicyError: anything differs; names the field, never a value.
    """
    if tuple(frame.columns) != agreement.names:
        extra = sorted(set(frame.columns) ^ set(agreement.names))
        msg = f"{agreement.id}: columns differ from the agreement: {', '.join(extra)}"
        raise PolicyError(msg)
    for shared in agreement.fields:
        pattern = _pattern(shared, fields.get(shared.name))
        if pattern and not frame[shared.name].drop_nulls().str.contains(pattern).all():
            msg = f"{agreement.id}: field {shared.name} does not look {shared.treatment}ed"
            raise PolicyError(msg)


def _pattern(shared: SharedField, field: Field | None) -> str | None:
    if shared.treatment == "token":
        return TOKEN_PATTERN
    if shared.treatment == "mask" and field and field.semantic_type.mask:
        return semantic.load().masks[field.semantic_type.mask].pattern
    return None


def fields_of(agreement: Agreement, contracts: Mapping[str, Contract]) -> dict[str, Field]:
    """The contract field behind each shared field; constants and counts have none."""
    datasets = {"": agreement.dataset} | {j.alias: j.dataset for j in agreement.joins}
    counted = agreement.statistics.count if agreement.statistics else None
    found: dict[str, Field] = {}
    for shared in agreement.fields:
        if shared.origin is None or shared.name == counted:
            continue
        alias, _, name = shared.origin.rpartition(".")
        found[shared.name] = contracts[datasets[alias]].field(name)
    return found
