"""Rows of the housing provident fund: accounts, contributions, withdrawals."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from demo.calendar import Day
from demo.chance import constant, digits, text
from demo.people import People, dates
from demo.rows_hrss import employer, money, works

RATES = np.array([500, 800, 1000, 1200])


def holds(p: People) -> pl.Series:
    """Whether the person has an account: employed, and nine in ten of them."""
    return works(p) & pl.Series(p.chance.share("hf", 0.9))


def status(p: People) -> pl.Series:
    """State of the account: open, sealed, or closed by withdrawal."""
    return p.chance.pick("hf-status", ["01"] * 17 + ["02", "02", "05"])


def account_no(p: People) -> pl.Series:
    """The personal account number."""
    return text(constant("G4101", len(p.frame)), digits(p.chance.index, 11))


def _base_and_rate(p: People) -> tuple[np.ndarray, np.ndarray]:
    return (p.chance.below("base", 180) + 20) * 10_000, RATES[p.chance.below("rate", len(RATES))]


def hf_account(p: People, day: Day) -> pl.DataFrame:
    """D10: monthly amount = base times rate."""
    chance = p.chance
    base, rate = _base_and_rate(p)
    share = (pl.Series(rate).cast(pl.Decimal(10, 4)) / 10_000).cast(pl.Decimal(5, 4))
    closed = status(p) == "05"
    return p.frame.with_columns(
        grzh=account_no(p),
        dwzh=text(constant("D4101", len(p.frame)), digits(chance.below("employer", 9999), 8)),
        employer_uscc=employer(p),
        grzhzt=status(p),
        djbz=pl.lit("0"),
        grjcjs=money(base),
        dwjcbl=share,
        grjcbl=share,
        gryjce=money(base * rate // 10_000),
        grzhye=pl.when(closed)
        .then(money(base * 0))
        .otherwise(money(chance.below("hf-balance", 9_000_000))),
        jzny=pl.lit("2026-10"),
        khrq=dates(date(2015, 1, 1), chance.below("opened", 3000)),
        xhrq=pl.when(closed).then(pl.lit(date(2026, 6, 30))),
        grckzhhm=pl.col("bank_account"),
        source_updated_at=day.moments(chance, "hf-at", back_days=100),
        source_seq=pl.lit(1 + day.number, pl.Int64),
    ).filter(holds(p))


def hf_contribution(p: People, day: Day) -> pl.DataFrame:
    """D11: one a month and open account (a new month every demo day)."""
    chance = p.chance
    base, rate = _base_and_rate(p)
    amount = money(base * rate // 10_000)
    month = f"{2026 + (9 + day.number) // 12}-{(9 + day.number) % 12 + 1:02d}"
    due = pl.Series(chance.share(f"due{day.number}", 1.0 if day.number == 0 else 0.02))
    return p.frame.with_columns(
        ywlsh=text(constant(f"C{day.number:03d}", len(p.frame)), digits(chance.index, 12)),
        grzh=account_no(p),
        hjny=pl.lit(month),
        dwyjce=amount,
        gryjce=amount,
        posted_date=pl.lit(day.date),
        source_updated_at=day.moments(chance, f"due-at{day.number}"),
        source_seq=pl.lit(1 + day.number, pl.Int64),
    ).filter(holds(p) & (status(p) == "01") & due)


def hf_withdrawal(p: People, day: Day) -> pl.DataFrame:
    """D12: decided within three days (条例第二十五条)."""
    chance = p.chance
    at = day.moments(chance, f"draw-at{day.number}")
    rate = 0.05 if day.number == 0 else 0.005
    return p.frame.with_columns(
        ywlsh=text(constant(f"W{day.number:03d}", len(p.frame)), digits(chance.index, 12)),
        grzh=account_no(p),
        reason=chance.pick("draw", ["01", "05", "06"]),
        amount=money(chance.below("draw-amount", 900_000) + 10_000),
        accepted_at=at - timedelta(days=1),
        decided_at=at,
        payee_account=pl.col("bank_account"),
        close_account=pl.lit("0"),
        source_updated_at=at,
        source_seq=pl.lit(1 + day.number, pl.Int64),
    ).filter(
        holds(p)
        & (status(p) == "01")
        & pl.col("bank_account").is_not_null()
        & pl.Series(chance.share(f"draws{day.number}", rate))
    )
