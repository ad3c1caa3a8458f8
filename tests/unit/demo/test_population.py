"""The residents and their rows: deterministic, the same people everywhere, clean until spoilt."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import pytest
from stdnum.luhn import is_valid as luhn_is_valid

from demo.calendar import Day
from demo.people import CAPACITY, DIVISION, block
from demo.world import DAILY, STOCK, World
from onecard.ports.source import Chunk
from quality.rows.gate import compile_gate
from schemas.models import catalogue

CONTRACTS = catalogue.load().contracts
PERSONS = 5000
DATASETS = sorted({*STOCK, *DAILY})


@cache
def rows(dataset: str, day: int = 0, seed: int = 7) -> pl.DataFrame:
    return pl.concat(World(seed, PERSONS).rows(dataset, day)).select(CONTRACTS[dataset].names)


def chunk(frame: pl.DataFrame) -> Chunk:
    table = frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).combine_chunks()
    return Chunk(table.to_batches()[0], "made")


def people(dataset: str, column: str = "person_id18") -> set[str]:
    return set(rows(dataset)[column].drop_nulls())


def digest(frame: pl.DataFrame) -> int:
    return hash(tuple(frame.hash_rows(seed=1)))


def test_every_contract_has_rows() -> None:
    assert set(DATASETS) == set(CONTRACTS)


@pytest.mark.parametrize("dataset", DATASETS)
def test_same_seed_gives_the_same_rows_and_another_seed_others(dataset: str) -> None:
    again = pl.concat(World(7, PERSONS).rows(dataset, 0)).select(CONTRACTS[dataset].names)
    assert digest(again) == digest(rows(dataset))
    assert digest(rows(dataset, seed=8)) != digest(rows(dataset))


@pytest.mark.parametrize("day", [0, 1, 2])
@pytest.mark.parametrize("dataset", DATASETS)
def test_clean_rows_satisfy_the_contract(dataset: str, day: int) -> None:
    contract, frame = CONTRACTS[dataset], rows(dataset, day)
    if frame.is_empty():
        return
    checked = compile_gate(contract, profile="demo").check(chunk(frame), Day(day).night)
    assert [r.reasons for r in checked.rejected] == []
    assert not checked.warnings


@pytest.mark.parametrize("dataset", DATASETS)
def test_keys_and_unique_columns_repeat_nowhere(dataset: str) -> None:
    contract, frame = CONTRACTS[dataset], rows(dataset)
    assert frame.select(contract.key).is_unique().all()
    for rule in contract.rules:
        if rule.check.check == "unique":
            assert frame.select(rule.check.columns).is_unique().all()


def test_id_numbers_stand_in_the_unassigned_division_and_are_unique() -> None:
    numbers = block(3, 0, 65_536, Day(0).date).frame["person_id18"]
    assert set(numbers.str.slice(0, 6)) == {DIVISION}
    assert numbers.is_unique().all()
    assert numbers.str.len_chars().eq(18).all()


def test_a_person_is_a_function_of_the_index_alone() -> None:
    whole = block(3, 0, 3000, Day(0).date).frame
    part = block(3, 1000, 500, Day(0).date).frame
    assert whole[1000:1500].equals(part)


def test_the_thirteen_millionth_resident_has_a_number_of_their_own() -> None:
    last = block(3, 12_999_000, 1000, Day(0).date).frame["person_id18"]
    first = block(3, 0, 1000, Day(0).date).frame["person_id18"]
    assert last.str.len_chars().eq(18).all()
    assert pl.concat([first, last]).is_unique().all()


def test_a_city_larger_than_the_serial_numbers_is_refused() -> None:
    assert CAPACITY > 13_000_000
    with pytest.raises(ValueError, match="at most"):
        block(3, CAPACITY, 1, Day(0).date)


def test_names_include_rare_characters_and_ethnic_names() -> None:
    names = "".join(block(1, 0, 5000, Day(0).date).frame["person_name"])
    assert any(ord(c) > 0xFFFF for c in names)
    assert "·" in names


def test_account_numbers_pass_an_independent_luhn_check() -> None:
    accounts = rows("hrss/card_master")["bank_account"].drop_nulls().head(200)
    assert all(a.startswith("62") and luhn_is_valid(a) for a in accounts)


def test_the_same_people_stand_in_every_agency() -> None:
    residents = set(block(7, 0, PERSONS, Day(0).date).frame["person_id18"])
    for dataset in DATASETS:
        if "person_id18" in CONTRACTS[dataset].names:
            assert people(dataset) <= residents, dataset


def test_rides_are_made_with_the_cards_transit_accounts() -> None:
    accounts = people("hrss/card_master", "transit_account_no")
    assert people("transport/transit_ride", "transit_account_no") <= accounts


def test_events_and_payments_name_real_cards() -> None:
    cards = people("hrss/card_master", "card_no")
    for dataset in ("hrss/card_status_event", "hrss/ecard_binding", "education/campus_payment"):
        assert people(dataset, "card_no") <= cards, dataset


def test_a_subsidy_is_paid_to_the_cards_own_account() -> None:
    cards = rows("hrss/card_master").select("person_id18", "bank_account", "fin_status")
    joined = rows("hrss/subsidy_payment").join(cards, on="person_id18", how="left", suffix="_card")
    assert joined["bank_account"].equals(joined["bank_account_card"].alias("bank_account"))
    assert set(joined["fin_status"]) == {"1", "2"}
    assert set(joined.filter(pl.col("fin_status") == "1")["pay_status"]) == {"0"}


def test_a_pensioner_contributes_nothing() -> None:
    retired = set(rows("hrss/pension_status").filter(pl.col("retired") == "1")["person_id18"])
    paying = rows("housing_fund/hf_contribution").join(
        rows("housing_fund/hf_account").select("grzh", "person_id18"), on="grzh"
    )
    assert len(paying) == len(rows("housing_fund/hf_contribution"))
    assert not retired & set(paying["person_id18"])


def test_a_contributor_is_employed() -> None:
    employed = set(
        rows("hrss/employment_status").filter(pl.col("emp_status") == "1")["person_id18"]
    )
    assert people("housing_fund/hf_account") <= employed


def test_the_insurer_settles_the_hospitals_own_visits() -> None:
    visits = people("health/health_visit", "mdtrt_id")
    assert people("medical_insurance/med_settlement", "mdtrt_id") <= visits


def test_a_cards_status_is_what_its_last_event_says() -> None:
    last = rows("hrss/card_status_event").sort("event_seq").group_by("card_no").last()
    joined = last.join(rows("hrss/card_master").select("card_no", "card_status"), on="card_no")
    assert (joined["to_status"] == joined["card_status"]).all()
    quiet = rows("hrss/card_master").join(last, on="card_no", how="anti")
    assert set(quiet["card_status"]) == {"1"}


def test_the_next_day_changes_cards_and_makes_new_ones() -> None:
    before, after = rows("hrss/card_master"), rows("hrss/card_master", 1)
    both = after.join(before, on="card_no", suffix="_before")
    assert 0 < len(both) < len(before) * 0.05
    assert (both["source_seq"] > both["source_seq_before"]).all()
    assert len(after) > len(both)
    assert {"2", "9"} <= set(after["card_status"])


@pytest.mark.parametrize("dataset", sorted(STOCK))
def test_known_records_change_with_a_higher_sequence(dataset: str) -> None:
    contract = CONTRACTS[dataset]
    if contract.sequence is None or dataset == "health/death_notice":
        return
    both = rows(dataset, 1).join(rows(dataset), on=contract.key, suffix="_before")
    assert 0 < len(both) < len(rows(dataset)) * 0.05
    assert (both["source_seq"] > both["source_seq_before"]).all()
    others = [n for n in contract.names if f"{n}_before" in both.columns and n[:7] != "source_"]
    changed = pl.any_horizontal(pl.col(n).ne_missing(pl.col(f"{n}_before")) for n in others)
    assert both.select(changed).to_series().sum() > len(both) / 3


def test_a_replaced_card_is_named_by_the_event_that_cancels_the_old_one() -> None:
    events = rows("hrss/card_status_event", 1).filter(pl.col("reason_code") == "03")
    assert len(events)
    cards = rows("hrss/card_master", 1)
    status = dict(zip(cards["card_no"], cards["card_status"], strict=True))
    for old, new in zip(events["card_no"], events["replaced_by_card_no"], strict=True):
        assert (status[old], status[new]) == ("9", "1")


def test_the_dead_have_their_cards_cancelled() -> None:
    dead = rows("health/death_notice", 1)
    cancelled = rows("hrss/card_master", 1).filter(pl.col("card_status") == "9")
    marked = rows("hrss/card_status_event", 1).filter(pl.col("reason_code") == "01")["card_no"]
    assert set(marked) <= set(cancelled["card_no"])
    touched = set(cancelled["person_id18"])
    assert touched & set(dead["person_id18"])


@pytest.mark.parametrize("day", [1, 2])
def test_a_days_changes_are_dated_on_it_or_in_the_overlap_before_it(day: int) -> None:
    start, closing = Day(day - 1).closing, Day(day).closing
    for dataset in DATASETS:
        cursor = CONTRACTS[dataset].source.cursor
        frame = rows(dataset, day)
        if cursor is None or frame.is_empty():
            continue
        moments = frame[cursor].dt.convert_time_zone("Asia/Shanghai")
        assert moments.max() <= closing
        assert (start - moments.min()).total_seconds() <= 600, dataset


def test_those_who_died_have_no_live_card_and_neither_ride_nor_are_paid() -> None:
    dead = people("health/death_notice")
    cards = rows("hrss/card_master").filter(pl.col("person_id18").is_in(dead))
    assert dead
    assert set(cards["card_status"]) == {"9"}
    assert not dead & people("hrss/subsidy_payment")
    accounts = set(cards["transit_account_no"])
    assert not accounts & people("transport/transit_ride", "transit_account_no")


def test_e_cards_are_deleted_without_a_trace() -> None:
    world = World(7, PERSONS)
    gone = world.deleted_ecards(1)
    assert world.deleted_ecards(0) == []
    assert gone
    assert set(gone) <= people("hrss/ecard_binding", "ecard_sign_no")


def test_the_night_comes_after_everything_of_its_day() -> None:
    assert [Day(n).night.isoformat() for n in (0, 1)] == [
        "2026-10-16T02:00:00+08:00",
        "2026-10-17T02:00:00+08:00",
    ]
    assert np.diff([Day(n).night.timestamp() for n in range(3)]).tolist() == [86_400, 86_400]


def test_what_is_said_is_taken_back_later() -> None:
    """Accounts are activated, lost and found; deaths and consents are withdrawn (forty nights)."""
    world = World(5, 4_000)
    accounts: dict[str, list[str]] = {}
    noted: dict[str, int] = {}
    taken_back: dict[str, int] = {}
    consents: dict[str, list[bool]] = {}
    for number in range(40):
        for frame in world.rows("hrss/card_master", number):
            for card, status in frame.select("card_no", "fin_status").iter_rows():
                accounts.setdefault(card, []).append(status)
        for frame in world.rows("health/death_notice", number):
            noted = dict.fromkeys(frame["person_id18"], number) | noted
        taken_back |= dict.fromkeys(world.withdrawn_deaths(number), number)
        for frame in world.rows("hrss/consent_record", number):
            for consent, withdrawn in frame.select("consent_id", "withdrawn_at").iter_rows():
                consents.setdefault(consent, []).append(withdrawn is not None)
    lives = list(accounts.values())
    assert sum(life[:2] == ["1", "2"] for life in lives) > 5
    assert sum(life[:3] == ["2", "3", "2"] for life in lives) > 20
    assert len(taken_back) > 5
    assert all(taken_back[person] - noted[person] == 2 for person in taken_back)
    again = [said for name, said in consents.items() if name.startswith("CR")]
    assert sum(said == [False, True] for said in again) > 5
