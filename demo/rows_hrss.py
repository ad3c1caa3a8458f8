"""Rows of the bureau of human resources: cards, e-cards, pension, work, subsidies."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from demo.calendar import DAY_ZERO, Day
from demo.chance import constant, digits, text, uscc
from demo.people import People, dates
from schemas.models import codes

STREETS = list(codes.codes("street_zz"))
COUNTIES = [c for c in codes.codes("division_zz") if c != "410100"]
ITEMS = ["ZBT001", "ZBT002", "LNJT01", "CJBT01", "NYBT03"]
ETHNIC = ["01"] * 18 + ["03", "11", "05", "08"]


def died(p: People) -> pl.Series:
    """Who died just before day 0, of those past eighty."""
    old = p.frame["birth_date"] < date(DAY_ZERO.year - 80, DAY_ZERO.month, DAY_ZERO.day)
    return old & pl.Series(p.chance.share("death", 0.03))


def event_kind(p: People) -> pl.Series:
    """What happened to the card before day 0: `06`, `08`, `10`, `14` or nothing (`--`)."""
    kinds = ["06", "08", "10", "14"] + ["--"] * 76
    return pl.Series(["14"]).zip_with(died(p), p.chance.pick("event", kinds))


STATUS_AFTER = {"06": "4", "08": "2", "10": "3", "14": "9", "--": "1"}


def card_master(p: People, day: Day) -> pl.DataFrame:
    """D01, one card each."""
    chance, count = p.chance, len(p.frame)
    issued = dates(date(2025, 1, 2), chance.below("issued", 600))
    hexadecimal = np.frombuffer(b"0123456789ABCDEF", np.uint8)
    nibbles = [
        hexadecimal[(chance.bits(f"ident{i}") % np.uint64(16)).astype(np.int64)] for i in range(32)
    ]
    ident = text(np.stack(nibbles, axis=1))
    nothing = pl.Series([None], dtype=pl.String)
    status = event_kind(p).replace_strict(STATUS_AFTER)
    return (
        p.frame.with_columns(
            chance.pick("ethnic", ETHNIC).alias("ethnic"),
            id_doc_type=pl.lit("01"),
            id_valid_to=pl.lit(date(2036, 1, 1)),
            issue_division=chance.pick("county", COUNTIES),
            card_ident_code=ident.zip_with(pl.Series(chance.share("ident", 0.5)), nothing),
            card_gen=chance.pick("gen", ["1", "2", "2"]),
            card_status=status,
            eligibility_type=chance.pick("eligible", ["1", "1", "1", "2", "3"]),
            resid_division=chance.pick("street", STREETS),
            issue_date=issued,
            valid_to=issued.dt.offset_by("10y"),
            source_updated_at=day.moments(chance, "card", back_days=300),
            source_seq=pl.lit(1 + day.number, pl.Int64),
        ).filter("has_card")
        if count
        else p.frame
    )


def card_event(p: People, day: Day) -> pl.DataFrame:
    """D02: the one event behind each card that is not in normal use."""
    chance = p.chance
    frame = p.frame.with_columns(
        event_type=event_kind(p),
        event_id=event_id(p, day.number),
        occurred_at=day.moments(chance, "event-at"),
        channel=chance.pick("channel", ["01", "02", "03", "04", "05"]),
        operator_org=uscc(chance.below("org", 40) + 1_000_000),
        cancelled=pl.Series(["01"]).zip_with(died(p), chance.pick("cancel", ["02", "04", "99"])),
    ).filter(pl.col("has_card") & (pl.col("event_type") != "--"))
    temporary = pl.col("event_type") == "06"
    return frame.with_columns(
        event_seq=pl.lit(1, pl.Int64),
        from_status=pl.lit("1"),
        to_status=pl.col("event_type").replace_strict(STATUS_AFTER),
        reason_code=pl.when(pl.col("event_type") == "14").then("cancelled"),
        effective_at=pl.col("occurred_at"),
        expires_at=pl.when(temporary).then(pl.col("occurred_at") + timedelta(days=10)),
        replaced_by_card_no=pl.lit(None, pl.String),
    )


def event_id(p: People, day: int, step: int = 0) -> pl.Series:
    """A UUIDv7 (RFC 9562) made of day, step and person."""
    count = len(p.chance.index)
    head = constant(f"0193{day:04d}-{step:04d}-7000-8000-", count)
    return text(head, digits(p.chance.index, 12))


def ecard_binding(p: People, day: Day) -> pl.DataFrame:
    """D03."""
    chance, count = p.chance, len(p.frame)
    return p.frame.with_columns(
        ecard_sign_no=text(constant("E4101", count), digits(chance.index, 12)),
        ecard_status=chance.pick("ecard", ["1"] * 9 + ["2"]),
        sign_level=chance.pick("level", ["1", "2"]),
        sign_date=day.moments(chance, "signed", back_days=200),
        channel_code=chance.pick("ecard-channel", ["APP01", "ALIPAY", "WECHAT"]),
        bound_mobile=pl.col("mobile"),
        source_updated_at=day.moments(chance, "ecard-at", back_days=200),
        source_seq=pl.lit(1 + day.number, pl.Int64),
    ).filter(pl.col("has_card") & pl.Series(chance.share("has_ecard", 0.5)))


def pension_status(p: People, day: Day) -> pl.DataFrame:
    """D13: insured from 22, retired from 60."""
    chance, count = p.chance, len(p.frame)
    retired = pl.col("age") >= 60
    return p.frame.with_columns(
        aac001=text(constant("41", count), digits(chance.index, 10)),
        insurance=chance.pick("insurance", ["110", "110", "170", "120"]),
        pay_status=chance.pick("pay", ["1", "1", "1", "2"]),
        retired=pl.when(retired).then(pl.lit("1")).otherwise(pl.lit("0")),
        first_insured=pl.col("birth_date").dt.offset_by("22y"),
        retire_date=pl.when(retired).then(pl.col("birth_date").dt.offset_by("60y")),
        benefit_status=pl.when(retired & died(p)).then(pl.lit("3")).when(retired).then(pl.lit("1")),
        benefit_amount=pl.when(retired).then(money(chance.below("benefit", 500_000) + 20_000)),
        auth_date=pl.when(retired).then(pl.lit(date(2026, 3, 1))),
        agency=pl.lit("4101001"),
        source_updated_at=day.moments(chance, "pension-at", back_days=100),
        source_seq=pl.lit(1 + day.number, pl.Int64),
    ).filter((pl.col("age") >= 23) & pl.Series(chance.share("pension", 0.45)))


def works(p: People) -> pl.Series:
    """Whether the person is employed by an organisation (16 to 59 years)."""
    adult = (p.frame["age"] >= 18) & (p.frame["age"] < 60)
    return adult & pl.Series(p.chance.share("works", 0.6))


def employer(p: People) -> pl.Series:
    """The employer's credit code; about one employer for forty people."""
    return uscc(p.chance.below("employer", max(20, len(p.chance.index) // 40)) + 2_000_000)


def employment_status(p: People, day: Day) -> pl.DataFrame:
    """D14."""
    chance = p.chance
    at_work = works(p)
    nothing = pl.Series([None], dtype=pl.String)
    return p.frame.with_columns(
        emp_status=chance.pick("emp", ["2", "3"]).zip_with(~at_work, pl.Series(["1"])),
        employer_uscc=employer(p).zip_with(at_work, nothing),
        employer_name=pl.Series(["郑州市示范企业有限公司"]).zip_with(at_work, nothing),
        start_date=dates(date(2018, 1, 1), chance.below("start", 2500)),
        end_date=pl.lit(None, pl.Date),
        unemp_benefit_flag=chance.pick("dole", ["0", "1"]).zip_with(~at_work, pl.Series(["0"])),
        source_updated_at=day.moments(chance, "emp-at", back_days=100),
        source_seq=pl.lit(1 + day.number, pl.Int64),
    ).filter(
        (pl.col("age") >= 18)
        & (pl.col("age") < 60)
        & (at_work | pl.Series(chance.share("seeks", 0.3)))
    )


def subsidy_payment(p: People, day: Day) -> pl.DataFrame:
    """D15: paid to the card's own account; what waits for its activation is not paid yet."""
    chance, count = p.chance, len(p.frame)
    drawn = chance.pick("failed", ["0", "1", "1", "1", "1", "1", "1", "1", "1", "2"])
    idle = p.frame["fin_status"] == "1"
    failed = pl.select(pl.when(idle).then(pl.lit("0")).otherwise(drawn)).to_series()
    return p.frame.with_columns(
        pay_id=text(constant(f"P{day.number:03d}", count), digits(chance.index, 10)),
        subsidy_item=chance.pick("item", ITEMS),
        dept_uscc=uscc(chance.below("dept", 12) + 3_000_000),
        division9=chance.pick("street", STREETS),
        amount=money(chance.below("subsidy", 90_000) + 5_000),
        period=pl.lit(f"{2026 + (10 + day.number) // 12}-{(10 + day.number) % 12 + 1:02d}"),
        pay_status=failed,
        fail_reason=pl.when(failed == "2").then(chance.pick("why", ["01", "02", "03"])),
        source_updated_at=day.moments(chance, "subsidy-at", back_days=20),
        source_seq=pl.lit(1 + day.number, pl.Int64),
    ).filter(
        pl.col("has_card")
        & pl.col("fin_status").is_in(["1", "2"])
        & ~died(p)
        & pl.Series(chance.share("subsidy", 0.16))
    )


def money(fen: np.ndarray) -> pl.Series:
    """Whole fen as exact yuan."""
    return (pl.Series(fen).cast(pl.Decimal(20, 2)) / 100).cast(pl.Decimal(16, 2))
