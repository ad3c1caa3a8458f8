"""F37: two reports of the same cell, one day apart: their difference tells of nobody."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from onecard.deliver.context import Delivered
from tests.cities import Cities
from tests.faults.sources import World, world

ACCOUNTS, PAID = "housing_fund/hf_account", "housing_fund/hf_contribution"
HEADS = "f22-housing_fund-hrss-headcount"
FREE = """
SELECT a.employer_uscc, array_agg(a.grzh) FROM registry.housing_fund__hf_account a
WHERE NOT EXISTS (SELECT FROM registry.housing_fund__hf_contribution c WHERE c.grzh = a.grzh)
GROUP BY 1 HAVING count(*) >= 2
"""
"""Accounts without a published payment, where an employer has two of them or more."""
COUNTED = """
SELECT count(DISTINCT c.grzh) FROM registry.housing_fund__hf_contribution c
JOIN registry.housing_fund__hf_account a USING (grzh) WHERE a.employer_uscc = %s AND c.hjny = %s
"""


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory, cities: Cities) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("twice"), cities, persons=600) as found:
        for dataset in (ACCOUNTS, PAID):
            found.collect(dataset)
        yield found


def cells(city: World) -> dict[tuple[str, str], int]:
    """What the consumer holds."""
    frame = city.stage.city.inbox("hrss")[HEADS]
    return {(r["employer_uscc"], r["period"]): r["paid_headcount"] for r in frame.to_dicts()}


def pays(city: World, account: str, period: str) -> Delivered:
    """One more person pays; the next night collects and delivers."""
    with closing(sqlite3.connect(city.stage.city.home / "housing_fund.sqlite")) as fund, fund:
        fund.execute(
            "INSERT INTO gr_contribution SELECT 'C9' || substr(?, -14), ?, HJNY, '240.00',"
            " '240.00', posted_date, source_updated_at, '1' FROM gr_contribution"
            " WHERE HJNY = ? AND length(posted_date) = 10 AND length(source_updated_at) = 32"
            " AND YWLSH = (SELECT min(YWLSH) FROM gr_contribution)",
            (account, account, period),
        )
    before = city.state(PAID)
    city.collect(PAID, whole=True)
    assert city.state(PAID) != before
    return city.hub().deliver(HEADS).run()


@pytest.mark.fault(
    "F37", "a cell that grew by less than k stays as it was, however often it is sent"
)
def test_the_difference_of_two_reports(city: World) -> None:
    city.hub().deliver(HEADS).run()
    first = cells(city)
    assert min(first.values()) >= 3
    with city.hub_database() as connection:
        free = {str(row[0]): list(row[1]) for row in connection.execute(FREE).fetchall()}
    cell = next(c for c in sorted(first) if c[0] in free)
    for paying, account in enumerate(free[cell[0]][:2], start=1):
        done = pays(city, account, cell[1])
        assert done.withheld >= 1, "the cell was due, and stayed back"
        with city.hub_database() as connection:
            row = connection.execute(COUNTED, cell).fetchone()
        assert row == (first[cell] + paying,)
        now = cells(city)
        assert now[cell] == first[cell]
        assert all(abs(now[c] - first[c]) >= 3 for c in now.keys() & first if now[c] != first[c])
