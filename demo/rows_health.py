"""Rows of the health commission and the medical insurance bureau: visits, deaths, settlements."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from demo.calendar import Day
from demo.chance import constant, digits, text
from demo.people import People
from demo.rows_hrss import died, money

TYPES = ["11", "11", "12", "13", "21", "41"]


def visits(p: People, day: Day) -> pl.Series:
    """Who sees a doctor on the day."""
    return pl.Series(p.chance.share(f"visit{day.number}", 0.10 if day.number == 0 else 0.01))


def visit_id(p: People, day: Day) -> pl.Series:
    """The visit's id, shared by the hospital and the insurer."""
    return text(constant(f"M{day.number:03d}", len(p.frame)), digits(p.chance.index, 12))


def hospital(p: People) -> pl.Series:
    """The institution's code."""
    return text(constant("H4101", len(p.frame)), digits(p.chance.below("hospital", 60), 7))


def health_visit(p: People, day: Day) -> pl.DataFrame:
    """D04."""
    chance = p.chance
    certificate = chance.pick("cert", ["01", "02", "03"])
    at = day.moments(chance, f"visit-at{day.number}")
    stay = pl.Series(chance.below("stay", 5)) + 1
    kind = chance.pick("med", TYPES)
    return p.frame.with_columns(
        mdtrt_id=visit_id(p, day),
        fixmedins_code=hospital(p),
        mdtrt_cert_type=pl.when(pl.col("has_card")).then(certificate).otherwise(pl.lit("02")),
        card_no=pl.when(pl.col("has_card") & (certificate == "03")).then(pl.col("card_no")),
        med_type=kind,
        dept_code=chance.pick("dept", ["A03", "A04", "B01", "C07"]),
        visit_time=at - timedelta(hours=6),
        discharge_time=pl.when(kind != "21").then(
            at - timedelta(hours=6) + pl.duration(hours=pl.lit(stay))
        ),
        diag_code=chance.pick("diag", ["J06.900", "I10.x00", "K29.500", "E11.900"]),
        visit_status=pl.lit("3"),
        source_updated_at=at,
        source_seq=pl.lit(1 + day.number, pl.Int64),
    ).filter(visits(p, day))


def death_notice(p: People, day: Day) -> pl.DataFrame:
    """Deaths among the very old, before day 0."""
    chance = p.chance
    at = day.moments(chance, "death-at")
    return p.frame.with_columns(
        death_date=pl.lit(day.date - timedelta(days=2)),
        source_updated_at=at,
        source_seq=pl.lit(1 + day.number, pl.Int64),
    ).filter(died(p))


def med_settlement(p: People, day: Day) -> pl.DataFrame:
    """D05: fund + person + hospital = total; account + cash + shared = person."""
    chance, count = p.chance, len(p.frame)
    fund, account = chance.below("fund", 80_000), chance.below("account", 20_000)
    cash, shared, hosp = (
        chance.below("cash", 30_000),
        chance.below("shared", 500),
        chance.below("hosp", 100),
    )
    person = account + cash + shared
    at = day.moments(chance, f"visit-at{day.number}")
    return p.frame.with_columns(
        setl_id=text(constant(f"S{day.number:03d}", count), digits(chance.index, 12)),
        mdtrt_id=visit_id(p, day),
        psn_no=text(constant("4101", count), digits(chance.index, 12)),
        fixmedins_code=hospital(p),
        insutype=chance.pick("insutype", ["310", "310", "390", "390", "390", "510"]),
        med_type=chance.pick("med", TYPES),
        setl_time=at,
        medfee_sumamt=money(fund + person + hosp),
        fund_pay_sumamt=money(fund),
        hifp_pay=money(fund * 9 // 10),
        psn_part_amt=money(person),
        acct_pay=money(account),
        psn_cash_pay=money(cash),
        acct_mulaid_pay=money(shared),
        hosp_part_amt=money(hosp),
        balc=money(chance.below("balance", 300_000)),
        insuplc_admdvs=pl.lit("410100"),
        refd_setl_flag=pl.Series(np.full(count, "0")),
        source_updated_at=at,
        source_seq=pl.lit(1 + day.number, pl.Int64),
    ).filter(visits(p, day))
