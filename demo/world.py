"""The city from day to day: the stock of day 0, and what changes on each later day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from demo import rows_city, rows_consent, rows_health, rows_housing, rows_hrss
from demo.calendar import Day
from demo.chance import uscc
from demo.people import BLOCK, People, block

Rows = Callable[[People, Day], pl.DataFrame]

STOCK: dict[str, Rows] = {
    "hrss/card_master": rows_hrss.card_master,
    "hrss/card_status_event": rows_hrss.card_event,
    "hrss/ecard_binding": rows_hrss.ecard_binding,
    "hrss/pension_status": rows_hrss.pension_status,
    "hrss/employment_status": rows_hrss.employment_status,
    "hrss/consent_record": rows_consent.consent_record,
    "health/death_notice": rows_health.death_notice,
    "education/edu_enrolment": rows_city.edu_enrolment,
    "transport/transit_concession": rows_city.transit_concession,
    "housing_fund/hf_account": rows_housing.hf_account,
}
"""Datasets of states: later days bring newcomers and changes."""

DAILY: dict[str, Rows] = {
    "hrss/subsidy_payment": rows_hrss.subsidy_payment,
    "health/health_visit": rows_health.health_visit,
    "medical_insurance/med_settlement": rows_health.med_settlement,
    "education/campus_payment": rows_city.campus_payment,
    "transport/transit_ride": rows_city.transit_ride,
    "housing_fund/hf_contribution": rows_housing.hf_contribution,
    "housing_fund/hf_withdrawal": rows_housing.hf_withdrawal,
}
"""Datasets of happenings: every day has its own."""

LIFE_CYCLE = 97
"""On day d something happens to the residents whose index leaves remainder d."""
TURN = 199
"""On day d the records of the residents whose index leaves remainder d elsewhere change, too."""
WEEK = 7
"""Days until a bank finds again what was lost."""
MISTAKEN = 2
"""Days until a death that was noted by mistake is taken back."""
LATE = timedelta(minutes=5)
"""How far before the previous day's end a late update is dated: inside the overlap."""


@dataclass(frozen=True, slots=True)
class World:
    """A city of `persons` residents on day 0."""

    seed: int
    persons: int

    def rows(self, dataset: str, number: int) -> Iterator[pl.DataFrame]:
        """Blocks of clean rows that are new or changed on a day (day 0: all there is)."""
        day = Day(number)
        if dataset in DAILY:
            make = DAILY[dataset]
            yield from (make(people, day) for people in self._blocks(day))
        elif number == 0:
            make = STOCK[dataset]
            yield from (make(people, day) for people in self._blocks(day))
        else:
            yield self._changes(dataset, day)

    def deleted_ecards(self, number: int) -> list[str]:
        """Signing numbers of e-card bindings that the source deletes on a day, without a trace."""
        if number == 0:
            return []
        day = Day(number)
        gone: list[str] = []
        for people in self._blocks(day):
            frame = rows_hrss.ecard_binding(people, Day(0))
            chosen = (frame["index"] % LIFE_CYCLE == number % LIFE_CYCLE) & (
                frame["index"] % 3 == 0
            )
            gone += frame.filter(chosen)["ecard_sign_no"].to_list()
        return gone

    def withdrawn_deaths(self, number: int) -> list[str]:
        """ID numbers of residents whose death the source takes back on a day, without a trace."""
        if number <= MISTAKEN:
            return []
        noted = Day(number - MISTAKEN)
        frames = [_mistaken(people, noted) for people in self._blocks(noted)]
        return [p for frame in frames for p in frame["person_id18"].to_list()]

    def _blocks(self, day: Day) -> Iterator[People]:
        for start in range(0, self.persons, BLOCK):
            yield block(self.seed, start, min(BLOCK, self.persons - start), day.date)

    def _newcomers(self, day: Day) -> People:
        each = max(4, self.persons // 500)
        start = self.persons + (day.number - 1) * each
        return block(self.seed, start, each, day.date)

    def _changes(self, dataset: str, day: Day) -> pl.DataFrame:
        frames = [STOCK[dataset](self._newcomers(day), day)]
        if dataset == "hrss/card_status_event":
            frames = []
        for people in self._blocks(day):
            chosen = _touched(people, day)
            if len(chosen.frame):
                frames += _life(dataset, people, chosen, day)
            frames += _second_thoughts(dataset, people, day)
        frames += [_turned(dataset, people, day) for people in self._blocks(Day(0))]
        empty = STOCK[dataset](self._newcomers(day), day).head(0)
        return pl.concat([f.select(empty.columns) for f in frames] or [empty])


def _turned(dataset: str, people: People, day: Day) -> pl.DataFrame:
    """Records of a dataset that today's routine changes: a new month, a year more, a move."""
    chance = people.chance
    frame = people.frame.with_columns(_at=day.moments(chance, f"turn-at{dataset}{day.number}"))
    rows = STOCK[dataset](People(chance, frame), Day(0))
    chosen, changes = _routine(day).get(dataset, (pl.lit(value=False), {}))
    today = pl.col("index") % TURN == day.number % TURN
    if dataset == "hrss/card_master":
        found = _accounts(rows, day)
    else:
        found = rows.filter(chosen & today).with_columns(**changes)
    return found.with_columns(
        **{name: pl.col("_at") for name in rows.columns if name == "source_updated_at"},
        **{name: pl.lit(1 + day.number, pl.Int64) for name in rows.columns if name == "source_seq"},
    )


def _accounts(cards: pl.DataFrame, day: Day) -> pl.DataFrame:
    """Accounts that are activated (1 to 2), or lost (2 to 3) and found after a week (back to 2)."""
    index, before = pl.col("index"), pl.col("fin_status")
    today = index % TURN == day.number % TURN
    week_ago = (index % TURN == (day.number - WEEK) % TURN) & (day.number > WEEK)
    loses = (before == "2") & (index % 3 == 0)
    after = (
        pl.when(today & (before == "1"))
        .then(pl.lit("2"))
        .when(today & loses)
        .then(pl.lit("3"))
        .when(week_ago & loses)
        .then(pl.lit("2"))
    )
    chosen = after.is_not_null() & (index % LIFE_CYCLE != day.number % LIFE_CYCLE)
    return cards.filter(chosen).with_columns(fin_status=after)


def _second_thoughts(dataset: str, people: People, day: Day) -> list[pl.DataFrame]:
    """What is said today and taken back later: deaths by mistake, consents given anew."""
    if dataset == "health/death_notice":
        return [_mistaken(people, day)]
    if dataset == "hrss/consent_record":
        return [rows_consent.renewals(people, day, TURN)]
    return []


def _mistaken(people: People, day: Day) -> pl.DataFrame:
    """Deaths of living people under sixty that are noted today by mistake."""
    index = pl.col("index")
    chosen = (index % TURN == day.number % TURN) & (index % 17 == 3) & (pl.col("age") < 60)
    return people.frame.with_columns(
        death_date=pl.lit(day.date - timedelta(days=1)),
        source_updated_at=day.moments(people.chance, f"mistaken-at{day.number}"),
        source_seq=pl.lit(1 + day.number, pl.Int64),
    ).filter(chosen & ((index - day.number) % LIFE_CYCLE > MISTAKEN))


def _routine(day: Day) -> dict[str, tuple[pl.Expr, dict[str, pl.Expr]]]:
    """For each dataset whose records change beside the cards: which rows may, and how."""
    today = pl.lit(day.date)
    return {
        "hrss/pension_status": (pl.col("retired") == "1", {"auth_date": today}),
        "hrss/employment_status": (
            pl.col("emp_status") != "1",
            {"emp_status": pl.lit("2"), "start_date": today, "unemp_benefit_flag": pl.lit("0")},
        ),
        "education/edu_enrolment": (
            pl.col("enrol_status") == "01",
            {"enrol_status": pl.lit("10"), "status_date": today},
        ),
        "transport/transit_concession": (
            pl.lit(value=True),
            {"valid_to": pl.col("valid_to").dt.offset_by("1y")},
        ),
        "housing_fund/hf_account": (
            pl.col("grzhzt") == "01",
            {"grzhye": (pl.col("grzhye") + pl.col("gryjce")).cast(pl.Decimal(16, 2))},
        ),
        "hrss/consent_record": (
            pl.col("withdrawn_at").is_null() & (pl.col("index") % 3 != 0),
            {"withdrawn_at": pl.col("_at")},
        ),
        "hrss/ecard_binding": (
            (pl.col("ecard_status") == "1") & (pl.col("index") % 3 != 0),
            {"sign_level": pl.col("sign_level").replace({"1": "2", "2": "1"})},
        ),
    }


def _touched(people: People, day: Day) -> People:
    """Those to whom something happens today: card holders whose card is in normal use."""
    quiet = rows_hrss.event_kind(people) == "--"
    today = people.frame["index"] % LIFE_CYCLE == day.number % LIFE_CYCLE
    return People(people.chance, people.frame.filter(quiet & today & people.frame["has_card"]))


def _life(dataset: str, people: People, chosen: People, day: Day) -> list[pl.DataFrame]:
    """What today's events write into one dataset."""
    indices = chosen.frame["index"]
    kind = pl.col("index") // LIFE_CYCLE % 5
    if dataset == "hrss/card_master":
        cards = rows_hrss.card_master(people, day).filter(pl.col("index").is_in(indices.implode()))
        return _cards(cards.with_columns(_kind=kind), day)
    if dataset == "hrss/card_status_event":
        return _events(people, day, indices)
    if dataset == "health/death_notice":
        at = day.moments(people.chance, "death-at")
        frame = people.frame.with_columns(
            death_date=pl.lit(day.date - timedelta(days=1)),
            source_updated_at=at,
            source_seq=pl.lit(1 + day.number, pl.Int64),
        )
        return [frame.filter(pl.col("index").is_in(indices.implode()) & (kind == 3))]
    return []


def _cards(cards: pl.DataFrame, day: Day) -> list[pl.DataFrame]:
    """0 move, 1 loss, 2 replacement (old and new card), 3 death, 4 late update of the mobile."""
    is_kind = pl.col("_kind")
    late = (
        pl.lit(Day(day.number - 1).closing - LATE)
        .dt.convert_time_zone("UTC")
        .dt.cast_time_unit("us")
    )
    street = pl.lit(rows_hrss.STREETS[day.number % len(rows_hrss.STREETS)])
    status = pl.when(is_kind == 1).then(pl.lit("2")).when(is_kind.is_in([2, 3])).then(pl.lit("9"))
    changed = cards.with_columns(
        resid_division=pl.when(is_kind == 0).then(street).otherwise("resid_division"),
        card_status=status.otherwise("card_status"),
        mobile=pl.when(is_kind == 4).then(pl.lit("13900000000")).otherwise("mobile"),
        source_updated_at=pl.when(is_kind == 4).then(late).otherwise("source_updated_at"),
    )
    fresh = cards.filter(is_kind == 2).with_columns(
        card_no=pl.lit("B") + pl.col("card_no").str.slice(1),
        issue_date=pl.lit(day.date),
        valid_to=pl.lit(day.date).dt.offset_by("10y"),
    )
    return [changed.drop("_kind"), fresh.drop("_kind")]


def _events(people: People, day: Day, indices: pl.Series) -> list[pl.DataFrame]:
    """Losses (08), replacements (08 then 14 for reason 03) and deaths (14 for reason 01)."""
    base = _event_base(people, day).filter(pl.col("index").is_in(indices.implode()))
    kind = pl.col("index") // LIFE_CYCLE % 5
    loss = base.filter(kind.is_in([1, 2])).with_columns(
        event_type=pl.lit("08"), from_status=pl.lit("1"), to_status=pl.lit("2")
    )
    swap = base.filter(kind == 2).with_columns(
        event_type=pl.lit("14"),
        from_status=pl.lit("2"),
        to_status=pl.lit("9"),
        reason_code=pl.lit("03"),
        event_seq=pl.lit(2, pl.Int64),
        replaced_by_card_no=pl.lit("B") + pl.col("card_no").str.slice(1),
        event_id=pl.col("event_id").str.replace("-0000-7", "-0001-7", literal=True),
        occurred_at=pl.col("occurred_at") + timedelta(seconds=30),
        effective_at=pl.col("effective_at") + timedelta(seconds=30),
    )
    death = base.filter(kind == 3).with_columns(
        event_type=pl.lit("14"),
        from_status=pl.lit("1"),
        to_status=pl.lit("9"),
        reason_code=pl.lit("01"),
    )
    return [loss, swap, death]


def _event_base(people: People, day: Day) -> pl.DataFrame:
    at = day.moments(people.chance, "event-at")
    nothing = pl.lit(None, pl.String)
    return people.frame.with_columns(
        event_type=nothing,
        event_id=rows_hrss.event_id(people, day.number),
        occurred_at=at,
        channel=pl.lit("01"),
        operator_org=uscc(people.chance.below("org", 40) + 1_000_000),
        cancelled=nothing,
        event_seq=pl.lit(1, pl.Int64),
        from_status=nothing,
        to_status=nothing,
        reason_code=nothing,
        effective_at=at,
        expires_at=pl.lit(None, pl.Datetime("us", "UTC")),
        replaced_by_card_no=nothing,
    )
