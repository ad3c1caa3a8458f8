"""What the rehearsal reads out of inboxes, and how it is compared with the agreements."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from demo import inbox
from demo.http_api import store
from demo.inbox import Sending, holding
from demo.verify_inboxes import compared
from schemas.models import catalogue

KNOWN = catalogue.load().agreements
F16 = "f16-hrss-bank-subsidy-payment"


def rows(**values: str) -> pl.DataFrame:
    return pl.DataFrame({"k": list(values), "v": list(values.values())})


def test_the_last_row_counts_unless_it_was_dropped_since() -> None:
    nothing, gone = pl.DataFrame(), pl.DataFrame({"k": ["a", "b"]})
    came = [
        Sending(nothing, rows(a="1", b="1", c="1")),
        Sending(nothing, rows(c="2")),
        Sending(gone, rows(b="3")),  # drop first, then take
    ]
    assert dict(holding(came, ["k"]).iter_rows()) == {"b": "3", "c": "2"}
    assert dict(holding([*came, Sending(gone, nothing)], ["k"]).iter_rows()) == {"c": "2"}
    assert holding([], ["k"]).is_empty()


def test_batches_of_an_api_tell_what_to_drop(tmp_path: Path) -> None:
    for number, content in enumerate(
        ({"rows": [{"k": "a"}, {"k": "b"}]}, {"rows": [], "deleted": [{"k": "a"}]})
    ):
        body = {"batchId": f"b{number}", **content}
        assert store(tmp_path, "f01", body, manifest=False) == "00"
    assert inbox.http(tmp_path)["f01"]["k"].to_list() == ["a", "b"]
    assert holding(inbox.http_sendings(tmp_path)["f01"], ["k"])["k"].to_list() == ["b"]


@pytest.mark.parametrize(
    "held",
    [
        {"amount": ["12.50", "7.00"], "pay_id": ["P1", "P2"]},
        {"amount": [Decimal("12.5"), Decimal(7)], "pay_id": ["P1", "P2"]},
    ],
)
def test_equal_values_are_equal_however_they_are_kept(held: dict[str, list[object]]) -> None:
    granted = _payments([Decimal("12.50"), Decimal("7.00")])
    there = pl.DataFrame({"person_name": ["张三", None], "bank_account": ["1", "2"], **held})
    assert compared(KNOWN[F16], granted, there).same


def _payments(amounts: list[Decimal]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "person_name": ["张三", ""][: len(amounts)],
            "bank_account": ["1", "2"][: len(amounts)],
            "amount": pl.Series(amounts, dtype=pl.Decimal(16, 2)),
            "pay_id": ["P1", "P2"][: len(amounts)],
        }
    )


def test_what_is_missing_differs_or_is_too_much_is_counted() -> None:
    granted = _payments([Decimal("12.50"), Decimal("7.00")])
    wrong = granted.with_columns(amount=pl.lit("1.00"))
    assert compared(KNOWN[F16], granted, wrong.head(1)).missing == 1
    assert compared(KNOWN[F16], granted, wrong).differing == 2
    assert not compared(KNOWN[F16], granted, pl.DataFrame()).same
    extra = pl.concat([granted, granted.head(1).with_columns(pay_id=pl.lit("P3"))])
    telling = KNOWN[F16].model_copy(
        update={"delivery": KNOWN[F16].delivery.model_copy(update={"deletes": "rows"})}
    )
    assert compared(KNOWN[F16], granted, extra).same  # nobody has told the consumer to drop it
    assert compared(telling, granted, extra).extra == 1


def test_moments_without_a_zone_are_beijing_time() -> None:
    moment = datetime(2026, 11, 1, 0, 30, tzinfo=UTC)
    agreement = KNOWN["f01-hrss-transport-card-status"]
    granted = pl.DataFrame(
        {
            "transit_account_no": ["1"],
            "to_status": ["1"],
            "event_seq": [1],
            "effective_at": pl.Series([moment], dtype=pl.Datetime("us", "UTC")),
            "expires_at": pl.Series([None], dtype=pl.Datetime("us", "UTC")),
        }
    )
    naive = granted.with_columns(effective_at=pl.lit(datetime(2026, 11, 1, 8, 30)))
    text = granted.with_columns(
        effective_at=pl.lit("2026-11-01T08:30:00+08:00"), expires_at=pl.lit(None, pl.String)
    )
    assert compared(agreement, granted, naive).same
    assert compared(agreement, granted, text).same
    late = naive.with_columns(effective_at=pl.lit(datetime(2026, 11, 1, 0, 30)))
    assert compared(agreement, granted, late).differing == 1
