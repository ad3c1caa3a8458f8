"""Rows of consents: who agreed that a concession is passed to the transport companies."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from demo.calendar import Day
from demo.chance import constant, digits, text
from demo.people import People
from demo.rows_city import edu_enrolment, transit_concession

STUDENTS = "f13-education-transport-student-concession"
CONCESSIONS = "f14-transport-transport-concession"
ADULT, CHILD_UNTIL = 18, 14
HOUR = timedelta(hours=1)


def consent_record(p: People, day: Day) -> pl.DataFrame:
    """Separate consents to f13 (of most students) and f14 (of most with a concession)."""
    enrolled = edu_enrolment(p, day).filter(pl.col("enrol_status") == "01")["index"]
    conceded = transit_concession(p, day)["index"]
    return pl.concat(
        [_consents(p, day, STUDENTS, enrolled, 0.9), _consents(p, day, CONCESSIONS, conceded, 0.95)]
    )


def _consents(p: People, day: Day, agreement: str, people: pl.Series, share: float) -> pl.DataFrame:
    chance, count, flow = p.chance, len(p.frame), agreement[1:3]
    child = pl.col("birth_date").dt.offset_by(f"{CHILD_UNTIL}y") > day.date
    given = day.moments(chance, f"consent-{flow}", back_days=60)
    withdrawn = pl.Series(chance.share(f"withdrawn-{flow}", 0.03))
    nothing = pl.lit(None, pl.Datetime("us", "UTC"))
    frame = p.frame.with_columns(
        consent_id=text(constant(f"CS{flow}", count), digits(chance.index, 10)),
        agreement=pl.lit(agreement),
        notice_version=pl.lit("N-2026-01"),
        consent_kind=pl.when(child).then(pl.lit("2")).otherwise(pl.lit("1")),
        guardian_id18=pl.when(child).then(_guardians(p)),
        given_at=given,
        withdrawn_at=pl.when(withdrawn).then(given + HOUR).otherwise(nothing),
        source_updated_at=pl.when(withdrawn).then(given + HOUR).otherwise(given),
        source_seq=pl.lit(1 + day.number, pl.Int64),
    )
    there = pl.col("index").is_in(people.implode()) & pl.Series(
        chance.share(f"agrees-{flow}", share)
    )
    orphan = child & pl.col("guardian_id18").is_null()
    return frame.filter(there & ~orphan)


def _guardians(p: People) -> pl.Series:
    """An adult of the same block for everybody; nobody where the block has no adult."""
    adults = p.frame.filter(pl.col("age") >= ADULT)["person_id18"]
    if adults.is_empty():
        return pl.Series([None] * len(p.frame), dtype=pl.String)
    return adults.gather(pl.Series(p.chance.below("guardian", len(adults))))
