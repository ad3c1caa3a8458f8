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


RENEWED, REGRETTED = 3, 8
"""Days after a resident's turn: a consent is given anew; half of these are withdrawn."""


def renewals(p: People, day: Day, turn: int) -> pl.DataFrame:
    """Consents that are given a second time, and those of them that are withdrawn some days later.

    A third of the first consents behind them was never withdrawn: the newest decides.

    Args:
        p: residents of the stock.
        day: today.
        turn: the residents' turns come in so many days.
    """
    frames = [consent_record(p, Day(0)).head(0)]
    for since, withdrawn in ((RENEWED, False), (REGRETTED, True)):
        if day.number < since:
            continue
        given = Day(day.number - since + RENEWED).moments(p.chance, "renewed-at")
        at = day.moments(p.chance, "regretted-at") if withdrawn else given
        first = consent_record(People(p.chance, p.frame.with_columns(_given=given, _at=at)), Day(0))
        index = pl.col("index")
        chosen = (index % turn == (day.number - since) % turn) & (index % 3 != 2)
        frames.append(
            first.filter(chosen & (index % 2 == 0) if withdrawn else chosen)
            .with_columns(
                consent_id=pl.col("consent_id").str.replace("CS", "CR"),
                given_at=pl.col("_given"),
                withdrawn_at=pl.col("_at") if withdrawn else pl.lit(None, pl.Datetime("us", "UTC")),
                source_updated_at=pl.col("_at"),
                source_seq=pl.lit(1 + day.number, pl.Int64),
            )
            .select(frames[0].columns)
        )
    return pl.concat(frames)


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
