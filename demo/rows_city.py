"""Rows of education and transport: enrolment, campus payments, rides, concessions."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from demo.calendar import Day
from demo.chance import constant, digits, text
from demo.people import People
from demo.rows_hrss import died

LINES = {
    "1号线": ["河南工业大学", "郑大科技园", "二七广场", "会展中心"],
    "2号线": ["柳林", "紫荆山", "花寨", "南四环"],
    "5号线": ["后河芦", "月季公园", "郑州东站", "海滩寺"],
}
STATIONS = [f"{line}|{station}" for line, stations in LINES.items() for station in stations]


def studies(p: People) -> pl.Series:
    """Whether the person is in the education authority's roll."""
    age = p.frame["age"]
    return (age >= 6) & (age <= 24) & pl.Series(p.chance.share("studies", 0.9))


def edu_enrolment(p: People, day: Day) -> pl.DataFrame:
    """D06."""
    chance = p.chance
    graduate = (pl.col("age") >= 16) & pl.Series(chance.share("graduate", 0.08))
    stage = (
        pl.when(pl.col("age") <= 11)
        .then(pl.lit("21"))
        .when(pl.col("age") <= 14)
        .then(pl.lit("31"))
        .when(pl.col("age") <= 17)
        .then(pl.lit("34"))
        .otherwise(pl.lit("42"))
    )
    return p.frame.with_columns(
        student_no=pl.lit("G") + pl.col("person_id18"),
        school_code=text(constant("41410", len(p.frame)), digits(chance.below("school", 400), 5)),
        stage=stage,
        grade_year=chance.pick("grade", ["2022", "2023", "2024", "2025", "2026"]),
        enrol_status=pl.when(graduate).then(pl.lit("07")).otherwise(pl.lit("01")),
        status_date=pl.lit(date(2026, 9, 1)),
        expected_grad_date=pl.when(~graduate).then(pl.lit(date(2028, 6, 30))),
        guardian_id18=pl.lit(None, pl.String),
        guardian_consent_id=pl.lit(None, pl.String),
        source_updated_at=day.moments(chance, "enrol-at", back_days=60),
        source_seq=pl.lit(1 + day.number, pl.Int64),
    ).filter(studies(p))


def campus_payment(p: People, day: Day) -> pl.DataFrame:
    """D07: meals, and grants to some."""
    chance = p.chance
    kind = chance.pick(f"campus{day.number}", ["01", "01", "01", "02", "06", "04", "05", "09"])
    at = day.moments(chance, f"campus-at{day.number}")
    fen = pl.Series(chance.below("fen", 5_000) + 300)
    rate = 0.8 if day.number == 0 else 0.3
    return p.frame.with_columns(
        txn_id=text(constant(f"T{day.number:03d}", len(p.frame)), digits(chance.index, 12)),
        school_code=text(constant("41410", len(p.frame)), digits(chance.below("school", 400), 5)),
        txn_type=kind,
        amount_fen=pl.when(kind == "09").then(-fen).otherwise(fen),
        txn_time=at,
        aid_item=pl.when(kind.is_in(["04", "05"])).then(pl.lit("ZXJ2026")),
        pay_status=pl.lit("1"),
        source_updated_at=at,
        source_seq=pl.lit(1 + day.number, pl.Int64),
    ).filter(pl.col("has_card") & studies(p) & pl.Series(chance.share(f"pays{day.number}", rate)))


def transit_ride(p: People, day: Day) -> pl.DataFrame:
    """D08: metro entries and exits, buses."""
    chance = p.chance
    place = chance.pick(f"station{day.number}", STATIONS)
    kind = chance.pick(f"ride{day.number}", ["地铁入站", "地铁出站", "巴士"])
    due = pl.Series(chance.below("due", 5) * 100 + 200)
    at = day.moments(chance, f"ride-at{day.number}")
    entry, bus = kind == "地铁入站", kind == "巴士"
    rate = 0.9 if day.number == 0 else 0.15
    return p.frame.with_columns(
        ride_id=text(constant(f"R{day.number:03d}", len(p.frame)), digits(chance.index, 12)),
        deal_time=at - timedelta(hours=1),
        ride_type=kind,
        line_name=pl.when(bus).then(pl.lit("B60路")).otherwise(place.str.split("|").list.get(0)),
        station=pl.when(~bus).then(place.str.split("|").list.get(1)),
        device_no=text(constant("D", len(p.frame)), digits(chance.below("device", 900), 6)),
        amount_due_fen=pl.when(entry).then(0).otherwise(due).cast(pl.Int64),
        amount_paid_fen=pl.when(entry).then(0).otherwise(due * 95 // 100).cast(pl.Int64),
        transfer_flag=chance.pick("transfer", ["0", "0", "1"]),
        settle_time=at,
        concession_group=pl.lit("C0"),
        source_updated_at=at,
        source_seq=pl.lit(1 + day.number, pl.Int64),
    ).filter(
        pl.col("has_card")
        & pl.col("transit_account_no").is_not_null()
        & ~died(p)
        & pl.Series(chance.share(f"rides{day.number}", rate))
    )


def transit_concession(p: People, day: Day) -> pl.DataFrame:
    """D09: free from 65, half price for students."""
    from demo.chance import uscc  # noqa: PLC0415 - only here

    chance = p.chance
    return p.frame.with_columns(
        concession_group=pl.when(pl.col("age") >= 65).then(pl.lit("C1")).otherwise(pl.lit("C2")),
        valid_from=pl.lit(date(2026, 1, 1)),
        valid_to=pl.lit(date(2028, 12, 31)),
        proof_org=uscc(chance.below("proof", 30) + 4_000_000),
        source_updated_at=day.moments(chance, "concession-at", back_days=90),
        source_seq=pl.lit(1 + day.number, pl.Int64),
    ).filter(
        pl.col("has_card")
        & ((pl.col("age") >= 65) | studies(p))
        & pl.Series(chance.share("concession", 0.5))
    )
